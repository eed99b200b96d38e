/* Chains of products of bytes, as in gemm_int4_tiles.h. See peak_f32_lanes.h. */
#ifndef MCV_SIMD_KERNELS_PEAK_INT8_LANES_H
#define MCV_SIMD_KERNELS_PEAK_INT8_LANES_H

#include "simd/kernels/product_lanes.h"

#if defined(CHAINS)

#if defined(__AVX512VNNI__)
#define ADD_PRODUCTS(sum, w) mcv_ints_add_dot(sum, w, w)
#else
#define ADD_PRODUCTS(sum, w) mcv_shorts_add(sum, mcv_bytes_dot(w, sum))
#endif

double PEAK_INT8(size_t rounds) {
    enum { rows = CHAINS };
    static const int32_t START[MCV_LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    mcv_ints chain[MCV_TILE_ROWS], bytes = mcv_ints_set(0x01020304);
    MCV_EACH_ROW(chain[r] = mcv_ints_add(mcv_ints_load(START), mcv_ints_set(r));)
    for (size_t i = 0; i < rounds; i++) {
        MCV_EACH_ROW(chain[r] = ADD_PRODUCTS(chain[r], bytes);)
    }
    int32_t result[MCV_TILE_ROWS][MCV_LANES];
    MCV_EACH_ROW(memcpy(result[r], &chain[r], sizeof result[r]);)
    __asm__ volatile("" : : "r"(result) : "memory"); /* Somebody may want them. */
    return 2.0 * CHAINS * 4 * MCV_LANES * (double)rounds;
}

#endif
#endif
