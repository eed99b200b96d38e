/* Rows of numbers to the blocks of quantized weights.
 *
 * For each block, scales are looked for that make the weighted sum of squared errors small: candidates around the plain
 * choice, which maps the largest number to the last level, each settled by least squares; then the small integers that
 * stand for sub-blocks' scales are tried one up and one down, with the binary16 numbers that will be stored. A block of
 * 32 is never worse than with the plain choice. The same on every machine. */
#ifndef MCV_FORMATS_QUANTIZE_BLOCKS_H
#define MCV_FORMATS_QUANTIZE_BLOCKS_H

#include "formats/weight_types.h"

/* values: [columns], finite; columns: a multiple of the type's block. importance: [columns], above 0, how much the
 * square of each column's error counts; NULL: all alike. blocks: columns / block_size * block_bytes. */
void mcv_quantize_row(mcv_weight_type type, const float *values, const float *importance, size_t columns,
                      uint8_t *blocks);

/* The families behind it, one block each; weights: [block]. */
void mcv_quantize_q4_0(const float *x, const float *weights, uint8_t *block);
void mcv_quantize_q4_1(const float *x, const float *weights, uint8_t *block);
void mcv_quantize_q5_0(const float *x, const float *weights, uint8_t *block);
void mcv_quantize_q5_1(const float *x, const float *weights, uint8_t *block);
void mcv_quantize_q8_0(const float *x, const float *weights, uint8_t *block);
void mcv_quantize_q2_k(const float *x, const float *weights, uint8_t *block);
void mcv_quantize_q3_k(const float *x, const float *weights, uint8_t *block);
void mcv_quantize_q4_k(const float *x, const float *weights, uint8_t *block);
void mcv_quantize_q5_k(const float *x, const float *weights, uint8_t *block);
void mcv_quantize_q6_k(const float *x, const float *weights, uint8_t *block);
void mcv_quantize_iq4_nl(const float *x, const float *weights, uint8_t *block);
void mcv_quantize_iq4_xs(const float *x, const float *weights, uint8_t *block);

#endif
