#include "core/tensor.h"
#include "simd/kernels/kernels.h"

static float element(const mcv_embed_args *a, size_t at) {
    if (a->type == MCV_TABLE_F32)
        return ((const float *)a->table)[at];
    uint16_t bits = ((const uint16_t *)a->table)[at];
    return a->type == MCV_TABLE_BF16 ? mcv_f32_from_bf16(bits) : mcv_f32_from_f16(bits);
}

void mcv_embed_rows_contract(const mcv_embed_args *a) {
    for (size_t i = 0; i < a->rows; i++)
        for (size_t d = 0; d < a->columns; d++)
            a->y[i * a->ldy + d] = element(a, (size_t)a->ids[i] * a->columns + d);
}
