/* Panels of gemm_blocks and their codes in registers, for the variants of x86-64. */
#ifndef MCV_SIMD_KERNELS_GEMM_BLOCKS_CODES_H
#define MCV_SIMD_KERNELS_GEMM_BLOCKS_CODES_H

#include "simd/kernels/gemm_blocks.h"
#include "simd/kernels/product_lanes.h"

#if defined(__AVX2__)

enum { MCV_SCALED = 256 /* k of a block with scales of groups */ };

/* What is multiplied: codes of 4, 6 or 8 bits, or levels of 8 bits by codes of 4. */
typedef enum mcv_blocks_kind { MCV_CODES_4, MCV_CODES_6, MCV_CODES_8, MCV_LEVELS_8 } mcv_blocks_kind;

MCV_INLINE mcv_blocks_kind mcv_blocks_kind_of(const mcv_gemm_blocks_args *a) {
    return a->levels ? MCV_LEVELS_8 : a->bits == 4 ? MCV_CODES_4 : a->bits == 6 ? MCV_CODES_6 : MCV_CODES_8;
}

/* Bytes of a panel's chunk. */
MCV_INLINE int mcv_chunk_bytes(mcv_blocks_kind kind) {
    return MCV_CHUNK_BYTES(kind == MCV_CODES_8 ? 8 : kind == MCV_CODES_6 ? 6 : 4);
}

typedef struct mcv_blocks_panel {
    const uint8_t *w;
    const uint16_t *scale, *min;
    const int8_t *group_scale;
    const uint8_t *group_min;
    size_t n, count; /* the first output, how many are wanted */
} mcv_blocks_panel;

/* What there are `each` times MCV_LANES bytes of; NULL stays NULL. */
#define MCV_PLACE(pointer, n, each) ((pointer) ? (pointer) + (n) * (each) : NULL)

/* The panel of output n, a multiple of MCV_LANES. */
MCV_INLINE mcv_blocks_panel mcv_blocks_panel_of(const mcv_gemm_blocks_args *a, size_t n) {
    size_t blocks = a->k / a->block, groups = a->k / a->group;
    return (mcv_blocks_panel){.w = a->w + n * a->k / 8 * (size_t)a->bits,
                              .scale = a->w_scale + n * blocks,
                              .min = MCV_PLACE(a->w_min, n, blocks),
                              .group_scale = MCV_PLACE(a->w_group_scale, n, groups),
                              .group_min = MCV_PLACE(a->w_group_min, n, groups),
                              .n = n,
                              .count = mcv_step(a->n - n)};
}

/* The levels, as codes with a zero of MCV_LEVEL_ZERO. */
enum { MCV_LEVEL_ZERO = 128 };
MCV_INLINE mcv_ints mcv_level_codes(const mcv_gemm_blocks_args *a) {
    uint8_t codes[16] = {0};
    for (int i = 0; i < 16 && a->levels; i++)
        codes[i] = (uint8_t)(a->levels[i] + MCV_LEVEL_ZERO);
    return mcv_ints_repeat(codes);
}

/* The codes of eight k: the first four of each output, the others. w: the panel's chunk; half: 0 or 1. */
MCV_INLINE void mcv_load_codes(const uint8_t *w, const mcv_ints table, const int half, const mcv_blocks_kind kind,
                               mcv_ints codes[2]) {
    enum { REGISTER_BYTES = MCV_LANES * 4 };
    const mcv_ints nibble = mcv_ints_set(0x0f0f0f0f), upper = mcv_ints_set(0x30303030);
    if (kind == MCV_CODES_8) {
        codes[0] = mcv_ints_load(w + 2 * half * REGISTER_BYTES);
        codes[1] = mcv_ints_load(w + (2 * half + 1) * REGISTER_BYTES);
        return;
    }
    mcv_ints both = mcv_ints_load(w + half * REGISTER_BYTES);
    codes[0] = mcv_ints_and(both, nibble);
    codes[1] = mcv_ints_and(mcv_ints_shift_right(both, 4), nibble);
    if (kind == MCV_LEVELS_8) {
        codes[0] = mcv_bytes_look_up(table, codes[0]);
        codes[1] = mcv_bytes_look_up(table, codes[1]);
    }
    if (kind == MCV_CODES_6) {
        mcv_ints four = mcv_ints_load(w + 2 * REGISTER_BYTES);
        mcv_ints first = half ? four : mcv_ints_shift_left(four, 4);
        mcv_ints second = half ? mcv_ints_shift_right(four, 2) : mcv_ints_shift_left(four, 2);
        codes[0] = mcv_ints_or(codes[0], mcv_ints_and(first, upper));
        codes[1] = mcv_ints_or(codes[1], mcv_ints_and(second, upper));
    }
}

/* Numbers of two groups, or one twice, as pairs of 16 bits. */
MCV_INLINE mcv_ints mcv_pair_of(mcv_ints first, mcv_ints second) {
    return mcv_ints_or(mcv_ints_and(first, mcv_ints_set(0xffff)), mcv_ints_shift_left(second, 16));
}

#endif
#endif
