/* rope on the registers of lanes.h. */
#ifndef MCV_SIMD_KERNELS_ROPE_LANES_H
#define MCV_SIMD_KERNELS_ROPE_LANES_H

#include "simd/kernels/lanes.h"

MCV_INLINE void mcv_rope_lanes(const mcv_rope_args *a) {
    size_t half = a->head_dim / 2;
    for (size_t row = 0; row < a->rows; row++)
        for (size_t head = 0; head < a->heads; head++) {
            float *x = a->x + row * a->ldx + head * a->head_dim;
            for (size_t d = 0; d < half; d += MCV_LANES) {
                size_t count = mcv_step(half - d);
                mcv_floats low = mcv_floats_load_step(x + d, count);
                mcv_floats high = mcv_floats_load_step(x + half + d, count);
                mcv_floats cosine = mcv_floats_load_step(a->cos + row * half + d, count);
                mcv_floats sine = mcv_floats_load_step(a->sin + row * half + d, count);
                mcv_floats turned = mcv_floats_negate(mcv_floats_multiply(high, sine));
                mcv_floats_store_step(x + d, mcv_floats_fma(low, cosine, turned), count);
                turned = mcv_floats_multiply(low, sine);
                mcv_floats_store_step(x + half + d, mcv_floats_fma(high, cosine, turned), count);
            }
        }
}

#endif
