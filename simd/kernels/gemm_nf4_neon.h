/* The product with indices of levels for the three kinds of NEON; the variant names it (GEMM_NF4). A level is 256 times
 * a signed byte and another one: a group is multiplied with the former, then with the latter. */
#ifndef MCV_SIMD_KERNELS_GEMM_NF4_NEON_H
#define MCV_SIMD_KERNELS_GEMM_NF4_NEON_H

#if defined(__aarch64__)

#include "simd/kernels/neon_products.h"

/* The bytes of the 16 levels. */
typedef struct Levels {
    int8x16_t high, low;
} Levels;

static Levels levels_of(const int16_t *levels) {
    int8_t high[16], low[16];
    for (int i = 0; i < 16; i++) {
        low[i] = (int8_t)(((levels[i] + 128) & 255) - 128);
        high[i] = (int8_t)((levels[i] - low[i]) / 256);
    }
    return (Levels){vld1q_s8(high), vld1q_s8(low)};
}

/* The products of a group with these bytes are added; q: the group in the first row. */
MCV_INLINE void add_bytes(const mcv_gemm_nf4_args *a, Sums *sums, int8x16_t bytes, const uint8_t *w, const int8_t *q,
                          const int rows) {
    for (size_t k = 0; k < a->group; k += STEP) {
        Weights weights = load_levels(w + k / 2 * MCV_LANES, bytes);
        int8x8_t x[TILE_ROWS];
        load_rows(x, q + k, a->ldq, rows);
        add_products(sums, &weights, x, rows);
    }
}

/* `rows` rows from m on with the panel of output n. */
MCV_INLINE void multiply(const mcv_gemm_nf4_args *a, size_t m, size_t n, const int rows) {
    const size_t groups = mcv_groups(a->k, a->group);
    const Levels levels = levels_of(a->levels);
    mcv_floats total[TILE_ROWS];
    MCV_UNROLLED for (int r = 0; r < rows; r++) total[r] = mcv_floats_set(0);
    for (size_t g = 0; g < groups; g++) {
        const uint8_t *w = a->w + (n * a->k + g * a->group * MCV_LANES) / 2;
        const int8_t *q = a->q + m * a->ldq + g * a->group;
        Sums sums;
        clear_sums(&sums, rows);
        add_bytes(a, &sums, levels.high, w, q, rows);
        multiply_sums_by_256(&sums, rows);
        add_bytes(a, &sums, levels.low, w, q, rows);
        mcv_floats w_scale = mcv_floats_load(a->w_scale + n * groups + g * MCV_LANES);
        MCV_UNROLLED for (int r = 0; r < rows; r++) {
            mcv_floats dot = {vcvtq_f32_s32(dot_of(&sums, r, 0)), vcvtq_f32_s32(dot_of(&sums, r, 1)),
                              vcvtq_f32_s32(dot_of(&sums, r, 2)), vcvtq_f32_s32(dot_of(&sums, r, 3))};
            mcv_floats x_scale = mcv_floats_set(a->scale[(m + (size_t)r) * groups + g]);
            total[r] = mcv_floats_fma(dot, mcv_floats_multiply(w_scale, x_scale), total[r]);
        }
    }
    STORE_TILE(a, total, m, n, rows)
}

void GEMM_NF4(const mcv_gemm_nf4_args *a) {
    FOR_EACH_TILE(a, multiply);
}

#endif
#endif
