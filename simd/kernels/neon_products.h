/* The products of integers with NEON. The variant that includes this file is compiled for plain NEON, for dot products
 * (four pairs of bytes at a time) or for matrix products (2 x 8 by 8 x 2 bytes); one micro kernel has the three.
 *
 * A tile is one panel with up to TILE_ROWS rows, whose dot products stay in registers over a group of k. `rows` is a
 * constant after inlining. */
#ifndef MCV_SIMD_KERNELS_NEON_PRODUCTS_H
#define MCV_SIMD_KERNELS_NEON_PRODUCTS_H

#if defined(__aarch64__)

#include <arm_neon.h>

#include "simd/kernels/lanes.h"

enum { TILE_ROWS = 4, STEP = 8 /* k */, REGISTERS = MCV_LANES / 4 /* of a panel's outputs */ };

/* Unrolls a loop whose end is a constant: arrays of registers stay in registers. */
#define MCV_UNROLLED _Pragma("GCC unroll 8")

/* Eight k of a panel: register v has four outputs, four k of each; the first four k, then the others. */
typedef struct Weights {
    int8x16_t first[REGISTERS], second[REGISTERS];
} Weights;

#if defined(__ARM_FEATURE_MATMUL_INT8)

/* Sums of two rows with two outputs a register. */
typedef struct Sums {
    int32x4_t pair[TILE_ROWS / 2][2 * REGISTERS];
} Sums;

MCV_INLINE void clear_sums(Sums *sums, const int rows) {
    MCV_UNROLLED for (int r = 0; r < (rows + 1) / 2; r++) MCV_UNROLLED for (int i = 0; i < 2 * REGISTERS; i++)
        sums->pair[r][i] = vdupq_n_s32(0);
}

MCV_INLINE void multiply_sums_by_256(Sums *sums, const int rows) {
    MCV_UNROLLED for (int r = 0; r < (rows + 1) / 2; r++) MCV_UNROLLED for (int i = 0; i < 2 * REGISTERS; i++)
        sums->pair[r][i] = vshlq_n_s32(sums->pair[r][i], 8);
}

/* q: [rows], the eight k of each row. */
MCV_INLINE void add_products(Sums *sums, const Weights *w, const int8x8_t q[TILE_ROWS], const int rows) {
    int8x16_t outputs[2 * REGISTERS];
    MCV_UNROLLED for (int v = 0; v < REGISTERS; v++) {
        int32x4_t first = vreinterpretq_s32_s8(w->first[v]), second = vreinterpretq_s32_s8(w->second[v]);
        outputs[2 * v] = vreinterpretq_s8_s32(vzip1q_s32(first, second));
        outputs[2 * v + 1] = vreinterpretq_s8_s32(vzip2q_s32(first, second));
    }
    MCV_UNROLLED for (int r = 0; r < (rows + 1) / 2; r++) {
        int8x16_t both = vcombine_s8(q[2 * r], q[2 * r + 1 < rows ? 2 * r + 1 : 2 * r]);
        MCV_UNROLLED for (int i = 0; i < 2 * REGISTERS; i++) sums->pair[r][i] =
            vmmlaq_s32(sums->pair[r][i], both, outputs[i]);
    }
}

MCV_INLINE int32x4_t dot_of(const Sums *sums, const int r, const int v) {
    int64x2_t low = vreinterpretq_s64_s32(sums->pair[r / 2][2 * v]);
    int64x2_t high = vreinterpretq_s64_s32(sums->pair[r / 2][2 * v + 1]);
    return vreinterpretq_s32_s64(r % 2 ? vzip2q_s64(low, high) : vzip1q_s64(low, high));
}

#else

typedef struct Sums {
    int32x4_t row[TILE_ROWS][REGISTERS];
} Sums;

MCV_INLINE void clear_sums(Sums *sums, const int rows) {
    MCV_UNROLLED for (int r = 0; r < rows; r++) MCV_UNROLLED for (int v = 0; v < REGISTERS; v++) sums->row[r][v] =
        vdupq_n_s32(0);
}

MCV_INLINE void multiply_sums_by_256(Sums *sums, const int rows) {
    MCV_UNROLLED for (int r = 0; r < rows; r++) MCV_UNROLLED for (int v = 0; v < REGISTERS; v++) sums->row[r][v] =
        vshlq_n_s32(sums->row[r][v], 8);
}

#if defined(__ARM_FEATURE_DOTPROD)
MCV_INLINE int32x4_t add_step(int32x4_t sum, int8x16_t first, int8x16_t second, int8x8_t q) {
    return vdotq_lane_s32(vdotq_lane_s32(sum, first, q, 0), second, q, 1);
}
#else
/* Sums of two products fit in 16 bits: q is in [-127, 127]. */
MCV_INLINE int32x4_t add_quadruple(int32x4_t sum, int8x16_t w, int8x16_t q) {
    int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(q)), high = vmull_high_s8(w, q);
    return vpadalq_s16(sum, vpaddq_s16(low, high));
}
MCV_INLINE int32x4_t add_step(int32x4_t sum, int8x16_t first, int8x16_t second, int8x8_t q) {
    int32x2_t words = vreinterpret_s32_s8(q);
    sum = add_quadruple(sum, first, vreinterpretq_s8_s32(vdupq_lane_s32(words, 0)));
    return add_quadruple(sum, second, vreinterpretq_s8_s32(vdupq_lane_s32(words, 1)));
}
#endif

MCV_INLINE void add_products(Sums *sums, const Weights *w, const int8x8_t q[TILE_ROWS], const int rows) {
    MCV_UNROLLED for (int r = 0; r < rows; r++) MCV_UNROLLED for (int v = 0; v < REGISTERS; v++) sums->row[r][v] =
        add_step(sums->row[r][v], w->first[v], w->second[v], q[r]);
}

MCV_INLINE int32x4_t dot_of(const Sums *sums, const int r, const int v) {
    return sums->row[r][v];
}

#endif

/* Eight weights of 8 bits of each output, and of 4 bits. */
MCV_INLINE Weights load_bytes(const int8_t *w) {
    Weights weights;
    MCV_UNROLLED for (int v = 0; v < REGISTERS; v++) {
        weights.first[v] = vld1q_s8(w + v * 16);
        weights.second[v] = vld1q_s8(w + (REGISTERS + v) * 16);
    }
    return weights;
}
MCV_INLINE Weights load_nibbles(const uint8_t *w) {
    Weights weights;
    MCV_UNROLLED for (int v = 0; v < REGISTERS; v++) {
        uint8x16_t both = vld1q_u8(w + v * 16);
        weights.first[v] = vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15)));
        weights.second[v] = vreinterpretq_s8_u8(vshrq_n_u8(both, 4));
    }
    return weights;
}

/* Eight of 4 bits as the levels that they name. */
MCV_INLINE Weights load_levels(const uint8_t *w, int8x16_t levels) {
    Weights weights = load_nibbles(w);
    MCV_UNROLLED for (int v = 0; v < REGISTERS; v++) {
        weights.first[v] = vqtbl1q_s8(levels, vreinterpretq_u8_s8(weights.first[v]));
        weights.second[v] = vqtbl1q_s8(levels, vreinterpretq_u8_s8(weights.second[v]));
    }
    return weights;
}

/* An integer for each output of a panel. */
typedef struct Outputs {
    int32x4_t of[REGISTERS];
} Outputs;

MCV_INLINE Outputs all_outputs(int32_t x) {
    return (Outputs){{vdupq_n_s32(x), vdupq_n_s32(x), vdupq_n_s32(x), vdupq_n_s32(x)}};
}
MCV_INLINE Outputs widen_halves(int16x8_t low, int16x8_t high) {
    return (Outputs){
        {vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)), vmovl_high_s16(high)}};
}
MCV_INLINE Outputs widen(const uint8_t *p) {
    uint8x16_t bytes = vld1q_u8(p);
    return widen_halves(vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes))),
                        vreinterpretq_s16_u16(vmovl_high_u8(bytes)));
}
MCV_INLINE Outputs widen_signed(const int8_t *p) {
    int8x16_t bytes = vld1q_s8(p);
    return widen_halves(vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes));
}

/* The eight k of each row of a tile; rows are ldq apart. */
MCV_INLINE void load_rows(int8x8_t q[TILE_ROWS], const int8_t *from, size_t ldq, const int rows) {
    MCV_UNROLLED for (int r = 0; r < rows; r++) q[r] = vld1_s8(from + (size_t)r * ldq);
}

/* The end of `count` outputs of a row: bias, then what was there before. */
static inline void store_outputs(mcv_floats total, const float *bias, bool accumulate, float *y, size_t count) {
    if (bias)
        total = mcv_floats_add(total, mcv_floats_load_step(bias, count));
    if (accumulate)
        total = mcv_floats_add(mcv_floats_load_step(y, count), total);
    mcv_floats_store_step(y, total, count);
}

/* The end of a tile: `total` of `rows` rows from m on with the panel of output n. */
#define STORE_TILE(a, total, m, n, rows)                                                                               \
    MCV_UNROLLED for (int r = 0; r < (rows); r++)                                                                      \
        store_outputs((total)[r], (a)->bias ? (a)->bias + (n) : NULL, (a)->accumulate,                                 \
                      (a)->y + ((m) + (size_t)r) * (a)->ldy + (n), mcv_step((a)->n - (n)));

/* Calls tile(a, m, n, rows) for all of y, `rows` a constant each time, so that each height is compiled by itself. */
#define FOR_EACH_TILE(a, tile)                                                                                         \
    for (size_t n = 0; n < (a)->n; n += MCV_LANES) {                                                                   \
        size_t m = 0;                                                                                                  \
        for (; (a)->m - m >= TILE_ROWS; m += TILE_ROWS)                                                                \
            tile(a, m, n, TILE_ROWS);                                                                                  \
        if ((a)->m - m == 3)                                                                                           \
            tile(a, m, n, 3);                                                                                          \
        else if ((a)->m - m == 2)                                                                                      \
            tile(a, m, n, 2);                                                                                          \
        else if ((a)->m - m == 1)                                                                                      \
            tile(a, m, n, 1);                                                                                          \
    }

#endif
#endif
