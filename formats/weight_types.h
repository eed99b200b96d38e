/* How a weight's elements are stored, and their values.
 *
 * Block types: a row is a run of blocks, each of `block_size` elements in `block_bytes` bytes, and begins at a multiple
 * of the row's bytes. F32, F16 and BF16 are blocks of one element. Every value is what its format's specification says,
 * computed in FP32 in the order given there (formats/unpack_blocks.h).
 * Specification: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md and the blocks' own definitions. */
#ifndef MCV_FORMATS_WEIGHT_TYPES_H
#define MCV_FORMATS_WEIGHT_TYPES_H

#include "core/tensor.h"

typedef enum mcv_weight_type {
    MCV_WEIGHT_F32,
    MCV_WEIGHT_F16,
    MCV_WEIGHT_BF16,
    MCV_WEIGHT_Q4_0, /* blocks of 32: one scale */
    MCV_WEIGHT_Q4_1, /* blocks of 32: scale and minimum */
    MCV_WEIGHT_Q5_0,
    MCV_WEIGHT_Q5_1,
    MCV_WEIGHT_Q8_0,
    MCV_WEIGHT_Q2_K, /* blocks of 256: a scale, and 8 or 16 scales of sub-blocks in units of it */
    MCV_WEIGHT_Q3_K,
    MCV_WEIGHT_Q4_K,
    MCV_WEIGHT_Q5_K,
    MCV_WEIGHT_Q6_K,
    MCV_WEIGHT_IQ4_NL,      /* blocks of 32: indices into 16 fixed levels */
    MCV_WEIGHT_IQ4_XS,      /* blocks of 256 of the same */
    MCV_WEIGHT_BLOCK_TYPES, /* how many of those there are */

    /* Not in blocks: formats/weights_packed.h. */
    MCV_WEIGHT_AWQ = MCV_WEIGHT_BLOCK_TYPES,
    MCV_WEIGHT_GPTQ,
    MCV_WEIGHT_NF4,
    MCV_WEIGHT_INT8,
} mcv_weight_type;

/* "Q4_K". */
const char *mcv_weight_type_name(mcv_weight_type type);
/* false where no block type has this name. */
bool mcv_weight_type_from_name(const char *name, mcv_weight_type *type);
/* Elements of a block, and the bytes that it takes. Of block types alone, as all that follows. */
size_t mcv_weight_block_size(mcv_weight_type type);
size_t mcv_weight_block_bytes(mcv_weight_type type);

/* `count` blocks, which need not be aligned, to count * block_size values. */
void mcv_dequantize(mcv_weight_type type, const void *blocks, size_t count, float *out);

/* The plain types behind mcv_dequantize; out: [count, block_size]. */
typedef void (*mcv_dequantize_fn)(const uint8_t *blocks, size_t count, float *out);
void mcv_dequantize_f32(const uint8_t *blocks, size_t count, float *out);
void mcv_dequantize_f16(const uint8_t *blocks, size_t count, float *out);
void mcv_dequantize_bf16(const uint8_t *blocks, size_t count, float *out);

#endif
