/* The product with weights in blocks of two levels, for any instruction set that product_lanes.h knows. The variant
 * that includes this file says how many panels it takes at a time (TILE_PANELS), how many rows at most (TILE_ROWS), and
 * names itself (GEMM_BLOCKS).
 *
 * With VNNI, products of codes with activations are summed in 32 bits over a group, which is then multiplied with its
 * scale. Without, they are in 16 bits, pairs of which are multiplied with the scale and added in one instruction: 16 k
 * of 4-bit codes reach 8 * 15 * 127, 8 of 6-bit ones 4 * 63 * 127. Codes of 8 bits are widened to 16 bits then, even
 * and odd bytes apart, and so are activations when rows are copied. Levels take the place of their codes when these are
 * unpacked, and are codes of 8 bits from there on. */
#ifndef MCV_SIMD_KERNELS_GEMM_BLOCKS_TILES_H
#define MCV_SIMD_KERNELS_GEMM_BLOCKS_TILES_H

#include "simd/kernels/gemm_blocks_codes.h"

typedef mcv_gemm_blocks_args Arguments;
typedef mcv_blocks_panel Panel;

enum {
    STEP = 8,              /* k that are unpacked at a time */
    SUM = sizeof(int32_t), /* bytes of a copied sum, or of two of groups */
#if defined(__AVX512VNNI__)
    WIDE = 1, /* bytes of a copied activation that is multiplied with codes of 8 bits */
#else
    WIDE = 2,
#endif
};

/* Whether codes are multiplied as whole bytes. */
MCV_INLINE bool are_bytes(mcv_blocks_kind kind) {
    return kind == MCV_CODES_8 || kind == MCV_LEVELS_8;
}

static Panel panel_of(const mcv_gemm_blocks_args *a, size_t n) {
    return mcv_blocks_panel_of(a, n);
}

/* Bytes of a copied activation. */
MCV_INLINE size_t width_of(mcv_blocks_kind kind) {
    return are_bytes(kind) ? WIDE : 1;
}

/* Sums of a copied row: one a block, or one for two groups. */
static size_t sums_of(const mcv_gemm_blocks_args *a) {
    return a->w_group_scale ? a->k / a->group / 2 : a->k / a->block;
}

static size_t row_bytes(const mcv_gemm_blocks_args *a) {
    return a->k / a->block * sizeof *a->scale + sums_of(a) * SUM + a->k * width_of(mcv_blocks_kind_of(a));
}

static void copy_rows(const mcv_gemm_blocks_args *a, size_t first, size_t rows, char *memory);

#include "simd/kernels/gemm_walk_tiles.h"

/* ---- Copied rows -------------------------------------------------------------------------------------------- */

/* Eight activations; those for codes of 8 bits are widened, even ones before odd ones of each four. */
static void copy_step(const int8_t *from, char *step, mcv_blocks_kind kind) {
    if (width_of(kind) == 1) {
        memcpy(step, from, STEP);
        return;
    }
    int16_t wide[STEP] = {from[0], from[2], from[1], from[3], from[4], from[6], from[5], from[7]};
    memcpy(step, wide, sizeof wide);
}

/* Minus the sum of block i; with scales of groups, of two groups, in 16 bits each. */
static void copy_sum(const mcv_gemm_blocks_args *a, size_t row, size_t i, char *sum) {
    if (a->w_group_scale) {
        int16_t pair[2] = {(int16_t)-mcv_group_sum(a, row, 2 * i), (int16_t)-mcv_group_sum(a, row, 2 * i + 1)};
        memcpy(sum, pair, sizeof pair);
    } else {
        int32_t whole = -mcv_group_sum(a, row, i);
        memcpy(sum, &whole, sizeof whole);
    }
}

/* To scale [blocks][rows], sums [][rows], q [k / STEP][rows]. */
static void copy_rows(const mcv_gemm_blocks_args *a, size_t first, size_t rows, char *memory) {
    size_t blocks = a->k / a->block, sums = sums_of(a), step = STEP * width_of(mcv_blocks_kind_of(a));
    char *scale = memory, *sum = scale + blocks * rows * sizeof *a->scale, *q = sum + sums * rows * SUM;
    for (size_t r = 0; r < rows; r++) {
        size_t row = first + r;
        for (size_t b = 0; b < blocks; b++)
            memcpy(scale + (b * rows + r) * sizeof *a->scale, &a->scale[row * blocks + b], sizeof *a->scale);
        for (size_t i = 0; i < sums; i++)
            copy_sum(a, row, i, sum + (i * rows + r) * SUM);
        for (size_t k = 0; k < a->k; k += STEP)
            copy_step(a->q + row * a->ldq + k, q + (k / STEP * rows + r) * step, mcv_blocks_kind_of(a));
    }
}

/* ---- Tiles -------------------------------------------------------------------------------------------------- */

/* sum + the products of four codes with four activations, in 32 bits or in 16. */
MCV_INLINE mcv_ints add_products(mcv_ints sum, mcv_ints codes, const char *q, const mcv_blocks_kind kind) {
#if defined(__AVX512VNNI__)
    (void)kind;
    return mcv_ints_add_dot(sum, codes, mcv_ints_broadcast(q));
#else
    if (!are_bytes(kind))
        return mcv_shorts_add(sum, mcv_bytes_dot(codes, mcv_ints_broadcast(q)));
    mcv_ints even = mcv_ints_and(codes, mcv_ints_set(0x00ff00ff)),
             odd = mcv_ints_and(mcv_ints_shift_right(codes, 8), mcv_ints_set(0x00ff00ff));
    sum = mcv_ints_add(sum, mcv_shorts_dot(even, mcv_ints_broadcast(q)));
    return mcv_ints_add(sum, mcv_shorts_dot(odd, mcv_ints_broadcast(q + 4)));
#endif
}

/* Whether those sums are in 32 bits. */
MCV_INLINE bool wide_sums(mcv_blocks_kind kind) {
    return WIDE == 1 || are_bytes(kind);
}

/* A block's dot products that are not multiplied with scales of groups go on where they were. */
MCV_INLINE void start_sums(mcv_ints sum[][MCV_TILE_PANELS], mcv_ints dot[][MCV_TILE_PANELS], const int rows,
                           const mcv_blocks_kind kind, const bool scaled) {
    const int panels = panels_of(rows);
    MCV_EACH_ROW(MCV_EACH_PANEL(sum[r][p] = wide_sums(kind) && !scaled ? dot[r][p] : mcv_ints_set(0);))
}

MCV_INLINE void finish_sums(mcv_ints dot[][MCV_TILE_PANELS], mcv_ints sum[][MCV_TILE_PANELS], const mcv_ints scale[],
                            const int rows, const mcv_blocks_kind kind, const bool scaled) {
    const int panels = panels_of(rows);
    if (!wide_sums(kind)) {
        MCV_EACH_ROW(MCV_EACH_PANEL(dot[r][p] = mcv_ints_add(dot[r][p], mcv_shorts_dot(sum[r][p], scale[p]));))
    } else if (scaled) {
        MCV_EACH_ROW(MCV_EACH_PANEL(dot[r][p] = mcv_ints_add(dot[r][p], mcv_ints_multiply(sum[r][p], scale[p]));))
    } else {
        MCV_EACH_ROW(MCV_EACH_PANEL(dot[r][p] = sum[r][p];))
    }
}

/* The products of half a chunk; q: [rows] of eight activations. */
MCV_INLINE void add_half(mcv_ints sum[][MCV_TILE_PANELS], const uint8_t *const w[], const mcv_ints table, const char *q,
                         const int half, const int rows, const mcv_blocks_kind kind) {
    const int panels = panels_of(rows), width = (int)width_of(kind);
    mcv_ints codes[MCV_TILE_PANELS][2];
    MCV_EACH_PANEL(mcv_load_codes(w[p], table, half, kind, codes[p]);)
    MCV_EACH_ROW({
        const char *x = q + r * STEP * width;
        MCV_EACH_PANEL(sum[r][p] = add_products(sum[r][p], codes[p][0], x, kind);)
        MCV_EACH_PANEL(sum[r][p] = add_products(sum[r][p], codes[p][1], x + STEP / 2 * width, kind);)
    })
}

/* dot + scale * codes * q over a group of `chunks` chunks. */
MCV_INLINE void add_group(mcv_ints dot[][MCV_TILE_PANELS], const mcv_ints scale[], const uint8_t *const group[],
                          const mcv_ints table, const char *q, size_t chunks, const int rows,
                          const mcv_blocks_kind kind, const bool scaled) {
    const int panels = panels_of(rows), half = rows * STEP * (int)width_of(kind);
    mcv_ints sum[MCV_TILE_ROWS][MCV_TILE_PANELS];
    const uint8_t *w[MCV_TILE_PANELS];
    MCV_EACH_PANEL(w[p] = group[p];)
    start_sums(sum, dot, rows, kind, scaled);
    do {
        add_half(sum, w, table, q, 0, rows, kind);
        if (kind == MCV_CODES_6 && !wide_sums(kind)) {
            finish_sums(dot, sum, scale, rows, kind, scaled);
            start_sums(sum, dot, rows, kind, scaled);
        }
        add_half(sum, w, table, q + half, 1, rows, kind);
        if (!wide_sums(kind)) {
            finish_sums(dot, sum, scale, rows, kind, scaled);
            start_sums(sum, dot, rows, kind, scaled);
        }
        MCV_EACH_PANEL(w[p] += mcv_chunk_bytes(kind);)
        q += 2 * half;
    } while (--chunks > 0);
    if (wide_sums(kind))
        finish_sums(dot, sum, scale, rows, kind, scaled);
}

/* dot + scale * sum over the groups of a block, two at a time. scales: those of the block's first group, int8_t or
 * uint8_t; sums: [groups / 2][rows]. */
MCV_INLINE void add_sums(mcv_ints dot[][MCV_TILE_PANELS], const void *const scales[], const bool is_signed,
                         const char *sums, size_t groups, const int rows) {
    const int panels = panels_of(rows);
    for (size_t g = 0; g < groups; g += 2, sums += rows * SUM) {
        mcv_ints pair[MCV_TILE_PANELS];
        MCV_EACH_PANEL({
            const uint8_t *first = (const uint8_t *)scales[p] + g * MCV_LANES, *second = first + MCV_LANES;
            pair[p] = is_signed ? mcv_pair_of(mcv_ints_load_i8((const int8_t *)first),
                                              mcv_ints_load_i8((const int8_t *)second))
                                : mcv_pair_of(mcv_ints_load_u8(first), mcv_ints_load_u8(second));
        })
        MCV_EACH_ROW({
            mcv_ints sum = mcv_ints_broadcast(sums + r * SUM);
            MCV_EACH_PANEL(dot[r][p] = mcv_ints_add(dot[r][p], mcv_shorts_dot(pair[p], sum));)
        })
    }
}

/* What there is to do with a block besides products of codes: b is its number, scale and sums those of its rows. */
typedef struct Block {
    size_t b, groups;
    const float *scale;
    const char *sums;
} Block;

/* A sum of a block without groups. */
MCV_INLINE int32_t sum_of(const Block *block, int r) {
    int32_t sum;
    memcpy(&sum, block->sums + r * SUM, sizeof sum);
    return sum;
}

/* What `zero` takes off the dot products. */
MCV_INLINE void start_block(mcv_ints dot[][MCV_TILE_PANELS], const Panel panel[], const Block *block, int zero,
                            const int rows, const bool scaled) {
    const int panels = panels_of(rows);
    if (!scaled) {
        MCV_EACH_ROW({
            mcv_ints start = mcv_ints_set(zero * sum_of(block, r));
            MCV_EACH_PANEL(dot[r][p] = start;)
        })
        return;
    }
    MCV_EACH_ROW(MCV_EACH_PANEL(dot[r][p] = mcv_ints_set(0);))
    if (zero) {
        const void *scales[MCV_TILE_PANELS];
        MCV_EACH_PANEL(scales[p] = panel[p].group_scale + block->b * block->groups * MCV_LANES;)
        add_sums(dot, scales, true, block->sums, block->groups, rows);
        MCV_EACH_ROW(MCV_EACH_PANEL(dot[r][p] = mcv_ints_multiply(dot[r][p], mcv_ints_set(zero));))
    }
}

/* The sums that are multiplied with the block's minima. */
MCV_INLINE void find_low(mcv_ints low[][MCV_TILE_PANELS], const Panel panel[], const Block *block, const int rows,
                         const bool scaled) {
    const int panels = panels_of(rows);
    MCV_EACH_ROW({
        mcv_ints start = mcv_ints_set(scaled ? 0 : sum_of(block, r));
        MCV_EACH_PANEL(low[r][p] = start;)
    })
    if (scaled) {
        const void *scales[MCV_TILE_PANELS];
        MCV_EACH_PANEL(scales[p] = panel[p].group_min + block->b * block->groups * MCV_LANES;)
        add_sums(low, scales, false, block->sums, block->groups, rows);
    }
}

MCV_INLINE void finish_block(mcv_floats total[][MCV_TILE_PANELS], mcv_ints dot[][MCV_TILE_PANELS], const Panel panel[],
                             const Block *block, const int rows, const bool scaled) {
    const int panels = panels_of(rows);
    mcv_ints low[MCV_TILE_ROWS][MCV_TILE_PANELS];
    mcv_floats d[MCV_TILE_PANELS], d_min[MCV_TILE_PANELS];
    MCV_EACH_PANEL(d[p] = mcv_floats_load_f16(panel[p].scale + block->b * MCV_LANES);)
    if (!panel[0].min) {
        MCV_EACH_ROW({
            mcv_floats scale = mcv_floats_set(block->scale[r]);
            MCV_EACH_PANEL({
                mcv_floats inner = mcv_floats_multiply(mcv_floats_from_ints(dot[r][p]), d[p]);
                total[r][p] = mcv_floats_fma(inner, scale, total[r][p]);
            })
        })
        return;
    }
    MCV_EACH_PANEL(d_min[p] = mcv_floats_load_f16(panel[p].min + block->b * MCV_LANES);)
    find_low(low, panel, block, rows, scaled);
    MCV_EACH_ROW({
        mcv_floats scale = mcv_floats_set(block->scale[r]);
        MCV_EACH_PANEL({
            mcv_floats inner = mcv_floats_multiply(mcv_floats_from_ints(low[r][p]), d_min[p]);
            inner = mcv_floats_fma(mcv_floats_from_ints(dot[r][p]), d[p], inner);
            total[r][p] = mcv_floats_fma(inner, scale, total[r][p]);
        })
    })
}

/* A tile, with scales of groups (scaled) or without; x: what copy_rows has written. */
MCV_INLINE void multiply_kind(const mcv_gemm_blocks_args *a, const Panel panel[], const char *x, float *y,
                              const int rows, const mcv_blocks_kind kind, const bool scaled) {
    const int panels = panels_of(rows);
    size_t blocks = a->k / a->block, chunks = a->group / MCV_CHUNK, group_bytes = chunks * mcv_chunk_bytes(kind);
    Block block = {.groups = scaled ? MCV_SCALED / a->group : 1, .scale = (const float *)x};
    block.sums = x + blocks * (size_t)rows * sizeof *block.scale;
    const char *q = block.sums + sums_of(a) * (size_t)rows * SUM;
    const uint8_t *w[MCV_TILE_PANELS];
    const mcv_ints table = mcv_level_codes(a);
    mcv_floats total[MCV_TILE_ROWS][MCV_TILE_PANELS];
    MCV_EACH_PANEL(w[p] = panel[p].w;)
    MCV_EACH_ROW(MCV_EACH_PANEL(total[r][p] = mcv_floats_set(0);))
    for (; block.b < blocks; block.b++) {
        mcv_ints dot[MCV_TILE_ROWS][MCV_TILE_PANELS], scale[MCV_TILE_PANELS];
        start_block(dot, panel, &block, kind == MCV_LEVELS_8 ? MCV_LEVEL_ZERO : a->zero, rows, scaled);
        size_t g = 0;
        do {
            MCV_EACH_PANEL({
                size_t at = (block.b * block.groups + g) * MCV_LANES;
                mcv_ints one = scaled ? mcv_ints_load_i8(panel[p].group_scale + at) : mcv_ints_set(1);
                scale[p] = wide_sums(kind) ? one : mcv_pair_of(one, one);
            })
            add_group(dot, scale, w, table, q, chunks, rows, kind, scaled);
            MCV_EACH_PANEL(w[p] += group_bytes;)
            q += a->group * (size_t)rows * width_of(kind);
        } while (scaled && ++g < block.groups);
        finish_block(total, dot, panel, &block, rows, scaled);
        block.scale += rows;
        block.sums += (scaled ? block.groups / 2 : 1) * (size_t)rows * SUM;
    }
    store_tile(a, panel, total, y, rows);
}

#define MULTIPLY(kind)                                                                                                 \
    case kind:                                                                                                         \
        if (scaled)                                                                                                    \
            multiply_kind(a, panel, x, y, rows, kind, true);                                                           \
        else                                                                                                           \
            multiply_kind(a, panel, x, y, rows, kind, false);                                                          \
        return;

MCV_INLINE void multiply(const mcv_gemm_blocks_args *a, const Panel panel[], const char *x, float *y, const int rows) {
    const bool scaled = a->w_group_scale;
    switch (mcv_blocks_kind_of(a)) {
        MULTIPLY(MCV_CODES_4)
        MULTIPLY(MCV_CODES_6)
        MULTIPLY(MCV_CODES_8)
        MULTIPLY(MCV_LEVELS_8)
    }
}

void GEMM_BLOCKS(const mcv_gemm_blocks_args *a) {
    multiply_all(a);
}

#endif
