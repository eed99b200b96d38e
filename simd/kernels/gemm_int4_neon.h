/* The product with weights of 4 bits for the three kinds of NEON; the variant names it (GEMM_INT4). */
#ifndef MCV_SIMD_KERNELS_GEMM_INT4_NEON_H
#define MCV_SIMD_KERNELS_GEMM_INT4_NEON_H

#if defined(__aarch64__)

#include "simd/kernels/neon_products.h"

/* `rows` rows from m on with the panel of output n. */
MCV_INLINE void multiply(const mcv_gemm_int4_args *a, size_t m, size_t n, const int rows) {
    size_t groups = mcv_groups(a->k, a->group), first = n / MCV_LANES * groups;
    mcv_floats total[TILE_ROWS];
    MCV_UNROLLED for (int r = 0; r < rows; r++) total[r] = mcv_floats_set(0);
    for (size_t g = 0; g < groups; g++) {
        const uint8_t *w = a->w + (first + g) * a->group / 2 * MCV_LANES;
        const int8_t *q = a->q + m * a->ldq + g * a->group;
        Sums sums;
        clear_sums(&sums, rows);
        for (size_t k = 0; k < a->group; k += STEP) {
            Weights weights = load_nibbles(w + k / 2 * MCV_LANES);
            int8x8_t x[TILE_ROWS];
            load_rows(x, q + k, a->ldq, rows);
            add_products(&sums, &weights, x, rows);
        }
        mcv_floats w_scale = mcv_floats_load_f16(a->w_scale + (first + g) * MCV_LANES);
        Outputs zeros = a->w_zero ? widen(a->w_zero + (first + g) * MCV_LANES) : all_outputs(8);
        MCV_UNROLLED for (int r = 0; r < rows; r++) {
            size_t at = (m + (size_t)r) * groups + g;
            int32x4_t sum = vdupq_n_s32(a->sum[at]);
            mcv_floats dot = {vcvtq_f32_s32(vmlsq_s32(dot_of(&sums, r, 0), zeros.of[0], sum)),
                              vcvtq_f32_s32(vmlsq_s32(dot_of(&sums, r, 1), zeros.of[1], sum)),
                              vcvtq_f32_s32(vmlsq_s32(dot_of(&sums, r, 2), zeros.of[2], sum)),
                              vcvtq_f32_s32(vmlsq_s32(dot_of(&sums, r, 3), zeros.of[3], sum))};
            mcv_floats scale = mcv_floats_multiply(w_scale, mcv_floats_set(a->scale[at]));
            total[r] = mcv_floats_fma(dot, scale, total[r]);
        }
    }
    STORE_TILE(a, total, m, n, rows)
}

void GEMM_INT4(const mcv_gemm_int4_args *a) {
    FOR_EACH_TILE(a, multiply);
}

#endif
#endif
