/* Quantized layers of Hugging Face checkpoints, which several tensors make up. Every pointer is into the mapped file
 * and not aligned.
 *
 * AWQ (AutoAWQ, "gemm" layout) and GPTQ: four bits a weight, one scale and zero point for `group_size` inputs of each
 * output; w = (q - zero) * scale, in FP32, where it is exact.
 * INT8 (compressed-tensors): a byte a weight, one scale for each output, or for as many inputs of it as make a group;
 * w = q * scale, in FP32.
 * NF4 (bitsandbytes): four bits a weight, a table of 16 numbers, one scale for `block_size` weights as they follow each
 * other in the matrix; w = table[q] * scale, in FP32 (the checkpoint's own dtype is not rounded to). */
#ifndef MCV_FORMATS_WEIGHTS_PACKED_H
#define MCV_FORMATS_WEIGHTS_PACKED_H

#include "formats/weight_types.h"

/* AWQ and GPTQ. */
typedef struct mcv_grouped {
    const uint8_t *qweight; /* int32. AWQ: [in, out / 8], GPTQ: [in / 8, out] */
    const uint8_t *qzeros;  /* int32: [groups, out / 8] */
    mcv_tensor scales;      /* F16, BF16 or F32: [groups, out] */
    const uint8_t *g_idx;   /* int32: [in], the group of each input; NULL: input / group_size */
    size_t in, out, groups, group_size;
    bool is_awq;
    int zero_offset; /* added to each stored zero point: 1 in GPTQ's first format */
} mcv_grouped;

typedef struct mcv_int8 {
    const uint8_t *weight; /* int8: [out, in] */
    mcv_tensor scales;     /* F16, BF16 or F32: [out, groups] */
    size_t in, groups;     /* in is a multiple of groups */
} mcv_int8;

typedef struct mcv_nf4 {
    const uint8_t *weight; /* [elements / 2]: the first of two in the upper four bits */
    float table[16];
    size_t elements, block_size;
    mcv_tensor absmax; /* F32: [blocks]; or U8, nested: table of 256, scales and an offset of their own */
    const uint8_t *nested_table, *nested_absmax; /* F32: [256], [blocks / nested_block_size]; NULL: not nested */
    size_t nested_block_size;
    float nested_offset;
} mcv_nf4;

/* Row `row` of the [out, in] matrix; out: [in]. */
void mcv_grouped_to_f32(const mcv_grouped *packed, size_t row, float *out);
/* The integers behind it: q of `count` inputs from `first` on, 0 to 15; a group's scale and zero point, 0 to 16. */
void mcv_grouped_codes(const mcv_grouped *packed, size_t row, size_t first, size_t count, uint8_t *codes);
float mcv_grouped_scale(const mcv_grouped *packed, size_t row, size_t group);
int mcv_grouped_zero(const mcv_grouped *packed, size_t row, size_t group);
/* Whether all inputs are of the group input / group_size. */
bool mcv_grouped_in_order(const mcv_grouped *packed);
/* Row `row` of the [out, in] matrix; out: [in]. */
void mcv_int8_to_f32(const mcv_int8 *packed, size_t row, float *out);
/* `count` elements from `first` on, row by row. */
void mcv_nf4_to_f32(const mcv_nf4 *packed, size_t first, size_t count, float *out);
/* Their places in the table; the scale of an element. */
void mcv_nf4_codes(const mcv_nf4 *packed, size_t first, size_t count, uint8_t *codes);
float mcv_nf4_scale(const mcv_nf4 *packed, size_t element);

#endif
