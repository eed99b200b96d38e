/* Rows of numbers to the packings of Hugging Face checkpoints: formats/weights_packed.h says how they are read. */
#ifndef MCV_FORMATS_QUANTIZE_PACKED_H
#define MCV_FORMATS_QUANTIZE_PACKED_H

#include "core/tensor.h"

enum { MCV_AWQ_ROWS = 8 }; /* that share words */

/* AWQ, "gemm" layout. Eight rows of a matrix of `out` rows, from `first` on (a multiple of 8), into its tensors. Of
 * each group the scale and the zero point are those of 16 candidates whose weighted squared error is least: the range
 * of its numbers, 0 among them, and shares of that down to 62 %. values: [8, in], finite; in: a multiple of group;
 * importance: [in], above 0, or NULL. qweight: int32 [in, out / 8]; qzeros: int32 [in / group, out / 8]; scales: F16
 * [in / group, out]. */
typedef struct mcv_awq_matrix {
    size_t in, out, group;
    uint32_t *qweight, *qzeros;
    uint16_t *scales;
} mcv_awq_matrix;
void mcv_quantize_awq(const mcv_awq_matrix *matrix, size_t first, const float *values, const float *importance);

/* INT8, a scale a row: the largest number becomes 127. values: [columns], finite. */
void mcv_quantize_int8(const float *values, size_t columns, int8_t *codes, float *scale);

#endif
