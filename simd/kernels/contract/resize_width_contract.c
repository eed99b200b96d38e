#include "simd/kernels/resize_contract.h"

void mcv_resize_width_contract(const mcv_resize_args *a) {
    for (size_t row = 0; row < a->rows; row++)
        for (size_t i = 0; i < a->columns; i++)
            for (size_t c = 0; c < 3; c++)
                a->y[row * a->ldy + i * 3 + c] = mcv_resize_sample(a->x + row * a->ldx + (size_t)a->first[i] * 3 + c, 3,
                                                                   a->weights + i * a->stride, (size_t)a->count[i]);
}
