/* The product with weights in blocks of two levels for the three kinds of NEON; the variant names it (GEMM_BLOCKS).
 * Codes of 8 bits are multiplied as signed bytes, 128 less than they are; levels are such bytes. */
#ifndef MCV_SIMD_KERNELS_GEMM_BLOCKS_NEON_H
#define MCV_SIMD_KERNELS_GEMM_BLOCKS_NEON_H

#if defined(__aarch64__)

#include "simd/kernels/gemm_blocks.h"
#include "simd/kernels/neon_products.h"

enum { PLANE = MCV_LANES * 4 /* bytes of four k of a panel, or of eight with 4 bits */ };

/* levels: of codes of 4 bits, or NULL. */
MCV_INLINE Weights load_codes(const uint8_t *chunk, const int8_t *levels, const int half, const int bits) {
    if (bits == 8) {
        Weights weights = load_bytes((const int8_t *)chunk + half * 2 * PLANE);
        MCV_UNROLLED for (int v = 0; v < REGISTERS; v++) {
            weights.first[v] = veorq_s8(weights.first[v], vdupq_n_s8(-128));
            weights.second[v] = veorq_s8(weights.second[v], vdupq_n_s8(-128));
        }
        return weights;
    }
    if (levels)
        return load_levels(chunk + half * PLANE, vld1q_s8(levels));
    Weights weights = load_nibbles(chunk + half * PLANE);
    if (bits == 6)
        MCV_UNROLLED for (int v = 0; v < REGISTERS; v++) {
            uint8x16_t four = vld1q_u8(chunk + 2 * PLANE + v * 16), upper = vdupq_n_u8(0x30);
            uint8x16_t first = vandq_u8(half ? four : vshlq_n_u8(four, 4), upper);
            uint8x16_t second = vandq_u8(half ? vshrq_n_u8(four, 2) : vshlq_n_u8(four, 2), upper);
            weights.first[v] = vorrq_s8(weights.first[v], vreinterpretq_s8_u8(first));
            weights.second[v] = vorrq_s8(weights.second[v], vreinterpretq_s8_u8(second));
        }
    return weights;
}

MCV_INLINE mcv_floats to_floats(Outputs x) {
    return (mcv_floats){vcvtq_f32_s32(x.of[0]), vcvtq_f32_s32(x.of[1]), vcvtq_f32_s32(x.of[2]), vcvtq_f32_s32(x.of[3])};
}

/* The products of codes in a group; q: the group in the first row. */
MCV_INLINE void sum_group(const mcv_gemm_blocks_args *a, Sums *sums, const uint8_t *w, const int8_t *q, const int rows,
                          const int bits, const int8_t *levels) {
    int8x8_t x[TILE_ROWS];
    clear_sums(sums, rows);
    for (size_t k = 0; k < a->group; k += MCV_CHUNK, w += MCV_CHUNK_BYTES(bits))
        MCV_UNROLLED for (int half = 0; half < 2; half++) {
            Weights weights = load_codes(w, levels, half, bits);
            load_rows(x, q + k + (size_t)half * STEP, a->ldq, rows);
            add_products(sums, &weights, x, rows);
        }
}

/* Adds group g of the panel of output n to the sums of the block. */
MCV_INLINE void add_group(const mcv_gemm_blocks_args *a, Outputs dot[], Outputs low[], size_t m, size_t n, size_t g,
                          const int rows, const int bits, const int8_t *levels) {
    const size_t at = n * (a->k / a->group) + g * MCV_LANES;
    const int32_t zero = levels ? 0 : a->zero - (bits == 8 ? 128 : 0);
    Sums sums;
    sum_group(a, &sums, a->w + (n * a->k + g * a->group * MCV_LANES) / 8 * bits, a->q + m * a->ldq + g * a->group, rows,
              bits, levels);
    Outputs scale = a->w_group_scale ? widen_signed(a->w_group_scale + at) : all_outputs(1);
    Outputs min = a->w_group_min ? widen(a->w_group_min + at) : all_outputs(1);
    MCV_UNROLLED for (int r = 0; r < rows; r++) {
        int32_t sum = mcv_group_sum(a, m + (size_t)r, g);
        MCV_UNROLLED for (int v = 0; v < REGISTERS; v++) {
            int32x4_t group = vsubq_s32(dot_of(&sums, r, v), vdupq_n_s32(zero * sum));
            dot[r].of[v] = vmlaq_s32(dot[r].of[v], group, scale.of[v]);
            low[r].of[v] = vmlsq_n_s32(low[r].of[v], min.of[v], sum);
        }
    }
}

/* `rows` rows from m on with the panel of output n. */
MCV_INLINE void multiply(const mcv_gemm_blocks_args *a, size_t m, size_t n, const int rows, const int bits,
                         const int8_t *levels) {
    const size_t blocks = a->k / a->block, groups = a->block / a->group;
    mcv_floats total[TILE_ROWS];
    MCV_UNROLLED for (int r = 0; r < rows; r++) total[r] = mcv_floats_set(0);
    for (size_t b = 0; b < blocks; b++) {
        const size_t at = n * blocks + b * MCV_LANES;
        Outputs dot[TILE_ROWS], low[TILE_ROWS];
        MCV_UNROLLED for (int r = 0; r < rows; r++) dot[r] = low[r] = all_outputs(0);
        for (size_t g = b * groups; g < (b + 1) * groups; g++)
            add_group(a, dot, low, m, n, g, rows, bits, levels);
        mcv_floats d = mcv_floats_load_f16(a->w_scale + at);
        MCV_UNROLLED for (int r = 0; r < rows; r++) {
            mcv_floats inner = mcv_floats_multiply(to_floats(dot[r]), d);
            if (a->w_min)
                inner = mcv_floats_fma(to_floats(dot[r]), d,
                                       mcv_floats_multiply(to_floats(low[r]), mcv_floats_load_f16(a->w_min + at)));
            total[r] = mcv_floats_fma(inner, mcv_floats_set(a->scale[(m + (size_t)r) * blocks + b]), total[r]);
        }
    }
    STORE_TILE(a, total, m, n, rows)
}

#define MULTIPLY(name, bits, levels)                                                                                   \
    MCV_INLINE void multiply_##name(const mcv_gemm_blocks_args *a, size_t m, size_t n, const int rows) {               \
        multiply(a, m, n, rows, bits, levels);                                                                         \
    }
MULTIPLY(4, 4, NULL)
MULTIPLY(6, 6, NULL)
MULTIPLY(8, 8, NULL)
MULTIPLY(levels, 4, a->levels)

void GEMM_BLOCKS(const mcv_gemm_blocks_args *a) {
    if (a->levels)
        FOR_EACH_TILE(a, multiply_levels)
    else if (a->bits == 4)
        FOR_EACH_TILE(a, multiply_4)
    else if (a->bits == 6)
        FOR_EACH_TILE(a, multiply_6)
    else
        FOR_EACH_TILE(a, multiply_8)
}

#endif
#endif
