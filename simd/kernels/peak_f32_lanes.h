/* Chains of multiply-adds, as many (CHAINS) as registers hold, so that none waits for the one before. The variant that
 * includes this file names itself (PEAK_F32). */
#ifndef MCV_SIMD_KERNELS_PEAK_F32_LANES_H
#define MCV_SIMD_KERNELS_PEAK_F32_LANES_H

#include "simd/kernels/product_lanes.h"

#if defined(CHAINS)

double PEAK_F32(size_t rounds) {
    enum { rows = CHAINS };
    /* All lanes differ: a compiler may not compute one register for two. */
    static const float START[MCV_LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    mcv_floats chain[MCV_TILE_ROWS], half = mcv_floats_set(0.5f);
    MCV_EACH_ROW(chain[r] = mcv_floats_add(mcv_floats_load(START), mcv_floats_set(r));)
    for (size_t i = 0; i < rounds; i++) {
        MCV_EACH_ROW(chain[r] = mcv_floats_fma(chain[r], half, half);)
    }
    float result[MCV_TILE_ROWS][MCV_LANES];
    MCV_EACH_ROW(mcv_floats_store(result[r], chain[r]);)
    __asm__ volatile("" : : "r"(result) : "memory"); /* Somebody may want them. */
    return 2.0 * CHAINS * MCV_LANES * (double)rounds;
}

#endif
#endif
