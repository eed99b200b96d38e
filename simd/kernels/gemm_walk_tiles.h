/* The walk over panels and rows of products whose weights are quantized by groups, for gemm_int4_tiles.h,
 * gemm_blocks_tiles.h and gemm_nf4_tiles.h. Before they include this file, they define
 *
 * - Arguments, the kernel's;
 * - Panel, the places of a panel's weights, with size_t n, its first output, and count, how many are wanted;
 *
 * and they define, there or behind it,
 *
 * - Panel panel_of(a, n), the panel of output n, a multiple of MCV_LANES;
 * - size_t row_bytes(a) of a copied row, and void copy_rows(a, first, rows, memory), which copies rows to `memory`;
 * - void multiply(a, panel, x, y, rows), a tile: the panels with the copied rows x; inline, `rows` is a constant.
 *
 * A tile is TILE_PANELS panels of weights with a few rows of activations, whose dot products stay in registers from the
 * first k of a group to the last. Rows are copied so that what a tile reads lies side by side, whatever ldq is: rows
 * that are a power of two apart would push each other out of the cache. */
#ifndef MCV_SIMD_KERNELS_GEMM_WALK_TILES_H
#define MCV_SIMD_KERNELS_GEMM_WALK_TILES_H

#include "simd/kernels/product_lanes.h"

_Static_assert(TILE_PANELS == 1 || TILE_ROWS > 2, "several rows are never cut into tiles of one");

/* How many panels are taken at a time: a single row, which waits for memory, reads one from end to end. Nothing is
 * asked for ahead of time: processors see that themselves, and a Zen 4 was slower with prefetching at every distance.
 */
MCV_INLINE int panels_of(int rows) {
    return rows == 1 ? 1 : TILE_PANELS;
}

/* The end of a group whose weights and activations have a scale each: total + dot * (w_scale * scale[row]). */
MCV_INLINE void add_group_totals(mcv_floats total[][MCV_TILE_PANELS], mcv_ints dot[][MCV_TILE_PANELS],
                                 const mcv_floats w_scale[], const float *scale, const int rows) {
    const int panels = panels_of(rows);
    MCV_EACH_ROW({
        mcv_floats x_scale = mcv_floats_set(scale[r]);
        MCV_EACH_PANEL(total[r][p] = mcv_floats_fma(mcv_floats_from_ints(dot[r][p]),
                                                    mcv_floats_multiply(w_scale[p], x_scale), total[r][p]);)
    })
}

/* The end of a tile. */
MCV_INLINE void store_tile(const Arguments *a, const Panel panel[], mcv_floats total[][MCV_TILE_PANELS], float *y,
                           const int rows) {
    const int panels = panels_of(rows);
    float outputs[MCV_TILE_ROWS][MCV_TILE_PANELS][MCV_LANES];
    MCV_EACH_ROW(MCV_EACH_PANEL(mcv_floats_store(outputs[r][p], total[r][p]);))
    for (int p = 0; p < panels; p++)
        for (int r = 0; r < rows; r++)
            mcv_store_outputs(outputs[r][p], a->bias ? a->bias + panel[p].n : NULL, a->accumulate,
                              y + r * a->ldy + panel[p].n, panel[p].count);
}

typedef void Tile(const Arguments *a, const Panel panel[], const char *x, float *y);

MCV_INLINE void multiply(const Arguments *a, const Panel panel[], const char *x, float *y, const int rows);

#define TILE(rows)                                                                                                     \
    static void tile_##rows(const Arguments *a, const Panel panel[], const char *x, float *y) {                        \
        multiply(a, panel, x, y, rows);                                                                                \
    }
#include "simd/kernels/gemm_tile_sizes.def"

/* [rows] */
static Tile *const TILES[] = {
    NULL,
#define TILE(rows) tile_##rows,
#include "simd/kernels/gemm_tile_sizes.def"
};

static void find_panels(const Arguments *a, size_t n, Panel panel[MCV_TILE_PANELS]) {
    for (size_t p = 0; p < TILE_PANELS; p++) {
        size_t at = n + p * MCV_LANES;
        panel[p] = at < a->n ? panel_of(a, at) : panel[0]; /* Computed again, not stored. */
        panel[p].n = at;
        panel[p].count = at < a->n ? mcv_step(a->n - at) : 0;
    }
}

/* The rows from `first` on: all panels with what fits into scratch, in tiles of nearly the same size. */
static void multiply_rows(const Arguments *a, size_t first, size_t rows) {
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

static void multiply_all(const Arguments *a) {
    size_t most = row_bytes(a) ? MCV_SCRATCH_BYTES / row_bytes(a) : a->m;
    if (most > TILE_ROWS)
        most -= most % TILE_ROWS;
    for (size_t m = 0; m < a->m; m += most)
        multiply_rows(a, m, a->m - m < most ? a->m - m : most);
}

#endif
