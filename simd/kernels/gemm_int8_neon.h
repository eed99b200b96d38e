/* The product with weights of 8 bits for the three kinds of NEON; the variant names it (GEMM_INT8). */
#ifndef MCV_SIMD_KERNELS_GEMM_INT8_NEON_H
#define MCV_SIMD_KERNELS_GEMM_INT8_NEON_H

#if defined(__aarch64__)

#include "simd/kernels/neon_products.h"

static size_t padded_k(const mcv_gemm_int8_args *a) {
    return (a->k + MCV_K_PADDING - 1) / MCV_K_PADDING * MCV_K_PADDING;
}

/* `rows` rows from m on with the panel of output n. */
MCV_INLINE void multiply(const mcv_gemm_int8_args *a, size_t m, size_t n, const int rows) {
    const int8_t *w = a->w + n * padded_k(a), *q = a->q + m * a->ldq;
    Sums sums;
    clear_sums(&sums, rows);
    for (size_t k = 0; k < a->k; k += STEP) {
        Weights weights = load_bytes(w + k * MCV_LANES);
        int8x8_t x[TILE_ROWS];
        load_rows(x, q + k, a->ldq, rows);
        add_products(&sums, &weights, x, rows);
    }
    mcv_floats w_scale = mcv_floats_load(a->w_scale + n);
    MCV_UNROLLED for (int r = 0; r < rows; r++) {
        mcv_floats dot = {vcvtq_f32_s32(dot_of(&sums, r, 0)), vcvtq_f32_s32(dot_of(&sums, r, 1)),
                          vcvtq_f32_s32(dot_of(&sums, r, 2)), vcvtq_f32_s32(dot_of(&sums, r, 3))};
        mcv_floats scale = mcv_floats_multiply(mcv_floats_set(a->scale[m + (size_t)r]), w_scale);
        store_outputs(mcv_floats_multiply(dot, scale), a->bias ? a->bias + n : NULL, a->accumulate,
                      a->y + (m + (size_t)r) * a->ldy + n, mcv_step(a->n - n));
    }
}

void GEMM_INT8(const mcv_gemm_int8_args *a) {
    FOR_EACH_TILE(a, multiply);
}

#endif
#endif
