#include "core/tensor.h"
#include "simd/kernels/kernels.h"

void mcv_embed_rows_contract(const mcv_embed_args *a) {
    for (size_t i = 0; i < a->rows; i++)
        for (size_t d = 0; d < a->columns; d++) {
            size_t at = (size_t)a->ids[i] * a->columns + d;
            a->y[i * a->ldy + d] =
                a->bf16 ? mcv_f32_from_bf16(((const uint16_t *)a->table)[at]) : ((const float *)a->table)[at];
        }
}
