/* Which rows of a dump's tensors belong to padding and carry no meaning. */
#ifndef MCV_CLI_PADDING_H
#define MCV_CLI_PADDING_H

#include "formats/dump_reader.h"

/* Learnt from `attention_mask` and `tgt_sizes.I` of a dump; empty where it lacks them. */
typedef struct mcv_padding {
    size_t num_prompts, prompt_length;
    size_t *prompt_start; /* [num_prompts]: positions of padding in front */
    size_t num_slices, longest_slice;
    size_t *slice_length; /* [num_slices]: patches of each slice, all conversations one after the other */
    size_t slice_capacity;
} mcv_padding;

/* Release with mcv_padding_free, also after a failure. MCV_BAD_INPUT: a tensor of the wrong shape, a size below 0 or
 * beyond reason. */
mcv_status mcv_padding_load(mcv_padding *padding, const mcv_dump *dump);
void mcv_padding_free(mcv_padding *padding);

/* Rows [begin, end) along a tensor's second axis. */
typedef struct mcv_row_range {
    size_t begin, end;
} mcv_row_range;

/* Whether the tensor `name` has padded rows: prompts of the language model are padded in front, slices in the encoder
 * and before the resampler's attention behind. first_slice: what slice index 0 of its first axis stands for (not 0 in
 * later batches of the encoder). */
bool mcv_padding_applies(const mcv_padding *padding, const char *name, const mcv_tensor *tensor, size_t first_slice);

/* The rows that carry meaning at `index` of the first axis, for a tensor that mcv_padding_applies to. */
mcv_row_range mcv_padding_rows(const mcv_padding *padding, const char *name, size_t first_slice, size_t index);

#endif
