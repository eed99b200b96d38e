/* silu_multiply on the registers of lanes.h. */
#ifndef MCV_SIMD_KERNELS_SILU_MULTIPLY_LANES_H
#define MCV_SIMD_KERNELS_SILU_MULTIPLY_LANES_H

#include "simd/kernels/lanes.h"

MCV_INLINE void mcv_silu_multiply_lanes(const mcv_multiply_args *a) {
    for (size_t i = 0; i < a->count; i += MCV_LANES) {
        size_t count = mcv_step(a->count - i);
        mcv_floats gate = mcv_floats_silu(mcv_floats_load_step(a->a + i, count));
        mcv_floats_store_step(a->y + i, mcv_floats_multiply(gate, mcv_floats_load_step(a->b + i, count)), count);
    }
}

#endif
