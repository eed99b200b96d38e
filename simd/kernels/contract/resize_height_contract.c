#include "simd/kernels/resize_contract.h"

void mcv_resize_height_contract(const mcv_resize_args *a) {
    for (size_t i = 0; i < a->rows; i++)
        for (size_t column = 0; column < a->columns * 3; column++)
            a->y[i * a->ldy + column] = mcv_resize_sample(a->x + (size_t)a->first[i] * a->ldx + column, a->ldx,
                                                          a->weights + i * a->stride, (size_t)a->count[i]);
}
