/* softmax on the registers of lanes.h. */
#ifndef MCV_SIMD_KERNELS_SOFTMAX_LANES_H
#define MCV_SIMD_KERNELS_SOFTMAX_LANES_H

#include "simd/kernels/lanes.h"

/* The largest of a row. A NaN is passed over: the sum of exp finds it. */
MCV_INLINE float mcv_row_largest(const float *x, size_t columns) {
    mcv_floats largest = mcv_floats_set(-INFINITY);
    size_t i = 0;
    for (; i + MCV_LANES <= columns; i += MCV_LANES)
        largest = mcv_floats_larger(largest, mcv_floats_load(x + i));
    float result = mcv_floats_largest(largest);
    for (; i < columns; i++)
        result = x[i] > result ? x[i] : result;
    return result;
}

MCV_INLINE void mcv_softmax_lanes(const mcv_softmax_args *a) {
    for (size_t row = 0; row < a->rows; row++) {
        const float *x = a->x + row * a->ldx;
        float *y = a->y + row * a->ldy;
        mcv_floats largest = mcv_floats_set(mcv_row_largest(x, a->columns)), sums = mcv_floats_set(0);
        for (size_t i = 0; i < a->columns; i += MCV_LANES) {
            size_t count = mcv_step(a->columns - i);
            mcv_floats p = mcv_floats_load_step(x + i, count);
            p = mcv_floats_exp_negative(mcv_floats_subtract(p, largest));
            mcv_floats_store_step(y + i, p, count);
            sums = mcv_floats_add(sums, count == MCV_LANES ? p : mcv_floats_first(p, count));
        }
        mcv_floats sum = mcv_floats_set(mcv_floats_tree_sum(sums));
        for (size_t i = 0; i < a->columns; i += MCV_LANES) {
            size_t count = mcv_step(a->columns - i);
            mcv_floats_store_step(y + i, mcv_floats_divide(mcv_floats_load_step(y + i, count), sum), count);
        }
    }
}

#endif
