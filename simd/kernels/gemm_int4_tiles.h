/* The product with weights of 4 bits, for any instruction set that product_lanes.h knows. The variant that includes
 * this file says how many panels it takes at a time (TILE_PANELS), how many rows at most (TILE_ROWS), and names itself
 * (GEMM_INT4).
 *
 * A tile is TILE_PANELS panels of weights with a few rows of activations, whose dot products stay in registers from the
 * first k of a group to the last. Rows are copied so that what a tile reads lies side by side, whatever ldq is: rows
 * that are a power of two apart would push each other out of the cache. */
#ifndef MCV_SIMD_KERNELS_GEMM_INT4_TILES_H
#define MCV_SIMD_KERNELS_GEMM_INT4_TILES_H

#include "simd/kernels/product_lanes.h"

enum { CHUNK = 32, STEP = 8 /* k that a register of weights holds */, AHEAD = 1024 /* bytes of prefetching */ };

/* The places of a panel's weights. */
typedef struct Panel {
    const uint8_t *w;
    const uint16_t *scale;
    const uint8_t *zero;
    size_t n, count; /* the first output; how many are wanted */
} Panel;

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

static size_t groups_of(const mcv_gemm_int4_args *a) {
    return (a->k + a->group - 1) / a->group;
}

/* How many panels are taken at a time: a single row, which waits for memory, reads one from end to end. */
MCV_INLINE int panels_of(int rows) {
    return rows == 1 ? 1 : TILE_PANELS;
}

/* The dot products of 32 k are added to `dot`. */
MCV_INLINE void add_chunk(mcv_ints dot[][MCV_TILE_PANELS], const int rows, const uint8_t *const w[], const int8_t *q) {
    const int panels = panels_of(rows);
    mcv_ints sum[MCV_TILE_ROWS][MCV_TILE_PANELS], low[MCV_TILE_PANELS], high[MCV_TILE_PANELS];
    MCV_EACH_ROW(MCV_EACH_PANEL(sum[r][p] = FIRST_SUM(dot[r][p]);))
    int step = 0;
    _Pragma("GCC unroll 1") do { /* Unrolled, all products would be there before the first is added. */
        MCV_EACH_PANEL({
            mcv_ints both = mcv_ints_load(w[p] + step * 64);
            if (rows <= TILE_ROWS / 2)
                __builtin_prefetch((const char *)w[p] + step * 64 + AHEAD);
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

/* x: a copy of rows, scale [groups][rows], offset [groups][rows] (-8 sum, or -sum if there are zeros), q [k /
 * STEP][rows][STEP]. */
MCV_INLINE void multiply(const mcv_gemm_int4_args *a, const Panel panel[], const char *x, float *y, const int rows,
                         const bool zeros) {
    const int panels = panels_of(rows);
    mcv_floats total[MCV_TILE_ROWS][MCV_TILE_PANELS];
    MCV_EACH_ROW(MCV_EACH_PANEL(total[r][p] = mcv_floats_set(0);))
    size_t groups = groups_of(a);
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
        MCV_EACH_PANEL({
            w_scale[p] = mcv_floats_load_f16(panel[p].scale + g * MCV_LANES);
            if (rows <= TILE_ROWS / 2)
                __builtin_prefetch((const char *)(panel[p].scale + g * MCV_LANES) + AHEAD / 2);
        })
        MCV_EACH_ROW({
            mcv_floats x_scale = mcv_floats_set(scale[r]);
            MCV_EACH_PANEL(total[r][p] = mcv_floats_fma(mcv_floats_from_ints(dot[r][p]),
                                                        mcv_floats_multiply(w_scale[p], x_scale), total[r][p]);)
        })
    }
    float outputs[MCV_TILE_ROWS][MCV_TILE_PANELS][MCV_LANES];
    MCV_EACH_ROW(MCV_EACH_PANEL(mcv_floats_store(outputs[r][p], total[r][p]);))
    for (int p = 0; p < panels; p++)
        for (int r = 0; r < rows; r++)
            mcv_store_outputs(outputs[r][p], a->bias ? a->bias + panel[p].n : NULL, a->accumulate,
                              y + r * a->ldy + panel[p].n, panel[p].count);
}

typedef void Tile(const mcv_gemm_int4_args *a, const Panel panel[], const char *x, float *y);

#define TILE(rows)                                                                                                     \
    static void tile_##rows(const mcv_gemm_int4_args *a, const Panel panel[], const char *x, float *y) {               \
        if (a->w_zero)                                                                                                 \
            multiply(a, panel, x, y, rows, true);                                                                      \
        else                                                                                                           \
            multiply(a, panel, x, y, rows, false);                                                                     \
    }
#include "simd/kernels/gemm_tile_sizes.def"

/* [rows] */
static Tile *const TILES[] = {
    NULL,
#define TILE(rows) tile_##rows,
#include "simd/kernels/gemm_tile_sizes.def"
};

static size_t row_bytes(const mcv_gemm_int4_args *a) {
    return groups_of(a) * (a->group + sizeof *a->scale + sizeof *a->sum);
}

/* Copies rows from `first` on to `memory`, rows * row_bytes. */
static void copy_rows(const mcv_gemm_int4_args *a, size_t first, size_t rows, char *memory) {
    size_t groups = groups_of(a), padded = groups * a->group;
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

static void find_panels(const mcv_gemm_int4_args *a, size_t n, Panel panel[MCV_TILE_PANELS]) {
    size_t groups = groups_of(a);
    for (size_t p = 0; p < TILE_PANELS; p++, n += MCV_LANES) {
        if (n >= a->n) { /* Computed again, not stored. */
            panel[p] = panel[0];
            panel[p].count = 0;
            continue;
        }
        size_t first = n / MCV_LANES * groups;
        panel[p] = (Panel){
            .w = a->w + first * a->group / 2 * MCV_LANES,
            .scale = a->w_scale + first * MCV_LANES,
            .zero = a->w_zero ? a->w_zero + first * MCV_LANES : NULL,
            .n = n,
            .count = a->n - n < MCV_LANES ? a->n - n : MCV_LANES,
        };
    }
}

/* The rows from `first` on: all panels with what fits into scratch, in tiles of nearly the same size. */
static void multiply_rows(const mcv_gemm_int4_args *a, size_t first, size_t rows) {
    size_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    char *copy = a->scratch;
    for (size_t t = 0; t < tiles; t++) {
        size_t begin = rows * t / tiles, end = rows * (t + 1) / tiles;
        copy_rows(a, first + begin, end - begin, copy + begin * row_bytes(a));
    }
    for (size_t n = 0; n < a->n; n += (size_t)panels_of((int)rows) * MCV_LANES) {
        Panel panel[MCV_TILE_PANELS];
        find_panels(a, n, panel);
        for (size_t t = 0; t < tiles; t++) {
            size_t begin = rows * t / tiles, end = rows * (t + 1) / tiles;
            TILES[end - begin](a, panel, copy + begin * row_bytes(a), a->y + (first + begin) * a->ldy);
        }
    }
}

void GEMM_INT4(const mcv_gemm_int4_args *a) {
    size_t most = row_bytes(a) ? MCV_SCRATCH_BYTES / row_bytes(a) : a->m;
    if (most > TILE_ROWS)
        most -= most % TILE_ROWS;
    for (size_t m = 0; m < a->m; m += most)
        multiply_rows(a, m, a->m - m < most ? a->m - m : most);
}

#endif
