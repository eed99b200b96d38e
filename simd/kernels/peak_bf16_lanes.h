/* Chains of products of pairs of BF16. See peak_f32_lanes.h. */
#ifndef MCV_SIMD_KERNELS_PEAK_BF16_LANES_H
#define MCV_SIMD_KERNELS_PEAK_BF16_LANES_H

#include "simd/kernels/product_lanes.h"

#if defined(CHAINS)

double PEAK_BF16(size_t rounds) {
    enum { rows = CHAINS };
    static const float START[MCV_LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    mcv_floats chain[MCV_TILE_ROWS];
    mcv_ints small = mcv_ints_set(0x38003800); /* a pair of 2^-15 */
    MCV_EACH_ROW(chain[r] = mcv_floats_add(mcv_floats_load(START), mcv_floats_set(r));)
    for (size_t i = 0; i < rounds; i++) {
        MCV_EACH_ROW(chain[r] = mcv_floats_add_pairs(small, small, chain[r]);)
    }
    float result[MCV_TILE_ROWS][MCV_LANES];
    MCV_EACH_ROW(mcv_floats_store(result[r], chain[r]);)
    __asm__ volatile("" : : "r"(result) : "memory"); /* Somebody may want them. */
    return 2.0 * CHAINS * 2 * MCV_LANES * (double)rounds;
}

#endif
#endif
