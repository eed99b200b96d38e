/* rms_norm on the registers of lanes.h. */
#ifndef MCV_SIMD_KERNELS_RMS_NORM_LANES_H
#define MCV_SIMD_KERNELS_RMS_NORM_LANES_H

#include "simd/kernels/lanes.h"

MCV_INLINE void mcv_rms_norm_lanes(const mcv_norm_args *a) {
    for (size_t row = 0; row < a->rows; row++) {
        const float *x = a->x + row * a->ldx;
        float *y = a->y + row * a->ldy;
        mcv_floats squares = mcv_floats_set(0);
        for (size_t i = 0; i < a->columns; i += MCV_LANES) {
            mcv_floats step = mcv_floats_load_step(x + i, mcv_step(a->columns - i));
            squares = mcv_floats_fma(step, step, squares);
        }
        mcv_floats scale = mcv_floats_set(1.0f / sqrtf(mcv_floats_tree_sum(squares) / (float)a->columns + a->eps));
        for (size_t i = 0; i < a->columns; i += MCV_LANES) {
            size_t count = mcv_step(a->columns - i);
            mcv_floats step = mcv_floats_multiply(mcv_floats_load_step(x + i, count), scale);
            step = mcv_floats_multiply(step, mcv_floats_load_step(a->weight + i, count));
            mcv_floats_store_step(y + i, step, count);
        }
    }
}

#endif
