/* The product with weights of 4 bits, for any instruction set that product_lanes.h knows. The variant that includes
 * this file says how many panels it takes at a time (TILE_PANELS), how many rows at most (TILE_ROWS), and names itself
 * (GEMM_INT4). */
#ifndef MCV_SIMD_KERNELS_GEMM_INT4_TILES_H
#define MCV_SIMD_KERNELS_GEMM_INT4_TILES_H

#include "simd/kernels/product_lanes.h"

typedef mcv_gemm_int4_args Arguments;

typedef struct Panel {
    const uint8_t *w;
    const uint16_t *scale;
    const uint8_t *zero;
    size_t n, count;
} Panel;

static Panel panel_of(const mcv_gemm_int4_args *a, size_t n) {
    size_t first = n / MCV_LANES * mcv_groups(a->k, a->group);
    return (Panel){
        .w = a->w + first * a->group / 2 * MCV_LANES,
        .scale = a->w_scale + first * MCV_LANES,
        .zero = a->w_zero ? a->w_zero + first * MCV_LANES : NULL,
    };
}

static size_t row_bytes(const mcv_gemm_int4_args *a) {
    return mcv_groups(a->k, a->group) * (a->group + sizeof *a->scale + sizeof *a->sum);
}

static void copy_rows(const mcv_gemm_int4_args *a, size_t first, size_t rows, char *memory);

#include "simd/kernels/gemm_walk_tiles.h"

enum { CHUNK = 32, STEP = 8 /* k that a register of weights holds */ };

/* Dot products of 32 k: in 32 bits with VNNI; else in 16, which hold eight pairs of products, 8 * 2 * 15 * 127. */
#if defined(__AVX512VNNI__)
#define FIRST_SUM(dot) (dot)
#define LAST_SUM(dot, sum) (sum)
#define ADD_PRODUCTS(sum, w, q) mcv_ints_add_dot(sum, w, q)
#else
#define FIRST_SUM(dot) mcv_ints_set(0)
#define LAST_SUM(dot, sum) mcv_ints_add(dot, mcv_shorts_dot(sum, mcv_ints_set(0x00010001)))
#define ADD_PRODUCTS(sum, w, q) mcv_shorts_add(sum, mcv_bytes_dot(w, q))
#endif

/* The dot products of 32 k are added to `dot`. */
MCV_INLINE void add_chunk(mcv_ints dot[][MCV_TILE_PANELS], const int rows, const uint8_t *const w[], const int8_t *q) {
    const int panels = panels_of(rows);
    mcv_ints sum[MCV_TILE_ROWS][MCV_TILE_PANELS], low[MCV_TILE_PANELS], high[MCV_TILE_PANELS];
    MCV_EACH_ROW(MCV_EACH_PANEL(sum[r][p] = FIRST_SUM(dot[r][p]);))
    int step = 0;
    _Pragma("GCC unroll 1") do { /* Unrolled, all products would be there before the first is added. */
        MCV_EACH_PANEL({
            mcv_ints both = mcv_ints_load(w[p] + step * 64);
            low[p] = mcv_ints_and(both, mcv_ints_set(0x0f0f0f0f));
            high[p] = mcv_ints_and(mcv_ints_shift_right(both, 4), mcv_ints_set(0x0f0f0f0f));
        })
        MCV_EACH_ROW({
            mcv_ints first = mcv_ints_broadcast(q + r * STEP);
            MCV_EACH_PANEL(sum[r][p] = ADD_PRODUCTS(sum[r][p], low[p], first);)
            mcv_ints second = mcv_ints_broadcast(q + r * STEP + 4);
            MCV_EACH_PANEL(sum[r][p] = ADD_PRODUCTS(sum[r][p], high[p], second);)
        })
        q += rows * STEP;
    }
    while (++step < CHUNK / STEP)
        ;
    MCV_EACH_ROW(MCV_EACH_PANEL(dot[r][p] = LAST_SUM(dot[r][p], sum[r][p]);))
}

/* x: scale [groups][rows], offset [groups][rows] (-8 sum, or -sum if there are zeros), q [k /
 * STEP][rows][STEP]. */
MCV_INLINE void multiply_kind(const mcv_gemm_int4_args *a, const Panel panel[], const char *x, float *y, const int rows,
                              const bool zeros) {
    const int panels = panels_of(rows);
    mcv_floats total[MCV_TILE_ROWS][MCV_TILE_PANELS];
    MCV_EACH_ROW(MCV_EACH_PANEL(total[r][p] = mcv_floats_set(0);))
    size_t groups = mcv_groups(a->k, a->group);
    const float *scale = (const float *)x;
    const int32_t *offset = (const int32_t *)(scale + groups * rows);
    const int8_t *q = (const int8_t *)(offset + groups * rows);
    const uint8_t *w[MCV_TILE_PANELS];
    MCV_EACH_PANEL(w[p] = panel[p].w;)
    for (size_t g = 0; g < groups; g++, scale += rows, offset += rows) {
        mcv_ints dot[MCV_TILE_ROWS][MCV_TILE_PANELS], zero[MCV_TILE_PANELS];
        MCV_EACH_PANEL(zero[p] = zeros ? mcv_ints_load_u8(panel[p].zero + g * MCV_LANES) : mcv_ints_set(0);)
        MCV_EACH_ROW({
            mcv_ints start = mcv_ints_set(offset[r]);
            MCV_EACH_PANEL(dot[r][p] = zeros ? mcv_shorts_dot(zero[p], start) : start;)
        })
        size_t k = 0;
        do {
            add_chunk(dot, rows, w, q);
            MCV_EACH_PANEL(w[p] += CHUNK / 2 * MCV_LANES;)
            q += rows * CHUNK;
        } while ((k += CHUNK) < a->group);
        mcv_floats w_scale[MCV_TILE_PANELS];
        MCV_EACH_PANEL(w_scale[p] = mcv_floats_load_f16(panel[p].scale + g * MCV_LANES);)
        add_group_totals(total, dot, w_scale, scale, rows);
    }
    store_tile(a, panel, total, y, rows);
}

MCV_INLINE void multiply(const mcv_gemm_int4_args *a, const Panel panel[], const char *x, float *y, const int rows) {
    if (a->w_zero)
        multiply_kind(a, panel, x, y, rows, true);
    else
        multiply_kind(a, panel, x, y, rows, false);
}

static void copy_rows(const mcv_gemm_int4_args *a, size_t first, size_t rows, char *memory) {
    size_t groups = mcv_groups(a->k, a->group), padded = groups * a->group;
    float *scale = (float *)memory;
    int32_t *offset = (int32_t *)(scale + groups * rows);
    int8_t *q = (int8_t *)(offset + groups * rows);
    for (size_t r = 0; r < rows; r++) {
        const int8_t *from = a->q + (first + r) * a->ldq;
        for (size_t k = 0; k < padded; k += STEP)
            memcpy(q + k * rows + r * STEP, from + k, STEP);
        for (size_t g = 0; g < groups; g++) {
            scale[g * rows + r] = a->scale[(first + r) * groups + g];
            offset[g * rows + r] = (a->w_zero ? -1 : -8) * a->sum[(first + r) * groups + g];
        }
    }
}

void GEMM_INT4(const mcv_gemm_int4_args *a) {
    multiply_all(a);
}

#endif
