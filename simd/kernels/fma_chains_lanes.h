/* fma_chains on the registers of lanes.h. */
#ifndef MCV_SIMD_KERNELS_FMA_CHAINS_LANES_H
#define MCV_SIMD_KERNELS_FMA_CHAINS_LANES_H

#include "simd/kernels/lanes.h"

/* As many chains at a time as there are registers for. */
#if defined(__AVX512F__)
enum { CHAINS_AT_A_TIME = MCV_CHAINS };
#else
enum { CHAINS_AT_A_TIME = MCV_CHAINS / 2 };
#endif

MCV_INLINE void mcv_fma_chains_lanes(const mcv_fma_chains_args *args) {
    mcv_floats a = mcv_floats_set(args->a), b = mcv_floats_set(args->b);
    for (size_t first = 0; first < MCV_CHAINS; first += CHAINS_AT_A_TIME) {
        float *y = args->y + first * MCV_LANES;
        mcv_floats chain[CHAINS_AT_A_TIME];
        for (int i = 0; i < CHAINS_AT_A_TIME; i++)
            chain[i] = mcv_floats_load(y + i * MCV_LANES);
        for (size_t n = 0; n < args->count; n++)
            for (int i = 0; i < CHAINS_AT_A_TIME; i++)
                chain[i] = mcv_floats_fma(chain[i], a, b);
        for (int i = 0; i < CHAINS_AT_A_TIME; i++)
            mcv_floats_store(y + i * MCV_LANES, chain[i]);
    }
}

#endif
