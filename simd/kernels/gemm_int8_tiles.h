/* The product with weights of 8 bits, for any instruction set that product_lanes.h knows. The variant that includes
 * this file says how many panels it takes at a time (TILE_PANELS), how many rows at most (TILE_ROWS), and names itself
 * (GEMM_INT8).
 *
 * With VNNI, which multiplies unsigned with signed bytes, activations become unsigned by adding 128, and 128 times the
 * sum of the row of weights is taken off at the start; in 32 bits both may wrap around. Without, the even and the odd
 * bytes are widened to 16 bits: weights as they are read, activations when the rows are copied. Rows are copied so that
 * what a tile reads lies side by side. */
#ifndef MCV_SIMD_KERNELS_GEMM_INT8_TILES_H
#define MCV_SIMD_KERNELS_GEMM_INT8_TILES_H

#include "simd/kernels/product_lanes.h"

enum {
    STEP = 4,  /* k that a register of weights holds */
    FAR = 512, /* bytes of prefetching */
#if defined(__AVX512VNNI__)
    COPIES = 1, /* bytes that a copied activation takes */
    BIAS = 128, /* what is added to it */
#else
    COPIES = 2,
    BIAS = 0,
#endif
    CELL = STEP * COPIES,
};

/* The dot products of a tile go on over four k. x: [rows][CELL]. */
MCV_INLINE void add_products(mcv_ints dot[][MCV_TILE_PANELS], const int8_t *const w[], const char *x, const int rows) {
    enum { panels = TILE_PANELS };
    mcv_ints weight[MCV_TILE_PANELS];
    MCV_EACH_PANEL({
        weight[p] = mcv_ints_load(w[p]);
        if (rows <= TILE_ROWS / 2)
            __builtin_prefetch((const char *)w[p] + FAR);
    })
#if defined(__AVX512VNNI__)
    MCV_EACH_ROW({
        mcv_ints four = mcv_ints_broadcast(x + r * CELL);
        MCV_EACH_PANEL(dot[r][p] = mcv_ints_add_dot(dot[r][p], four, weight[p]);)
    })
#else
    mcv_ints even[MCV_TILE_PANELS], odd[MCV_TILE_PANELS];
    MCV_EACH_PANEL({
        even[p] = mcv_shorts_shift_right(mcv_shorts_shift_left(weight[p], 8), 8);
        odd[p] = mcv_shorts_shift_right(weight[p], 8);
    })
    MCV_EACH_ROW({
        mcv_ints first = mcv_ints_broadcast(x + r * CELL);
        MCV_EACH_PANEL(dot[r][p] = mcv_ints_add(dot[r][p], mcv_shorts_dot(even[p], first));)
        mcv_ints second = mcv_ints_broadcast(x + r * CELL + STEP);
        MCV_EACH_PANEL(dot[r][p] = mcv_ints_add(dot[r][p], mcv_shorts_dot(odd[p], second));)
    })
#endif
}

static size_t padded(const mcv_gemm_int8_args *a) {
    return (a->k + MCV_K_PADDING - 1) / MCV_K_PADDING * MCV_K_PADDING;
}

/* Rows from `first` on with the panels from output `n` on; x: a copy of the rows, [padded k / STEP][rows][CELL]. */
MCV_INLINE void multiply(const mcv_gemm_int8_args *a, size_t n, size_t first, const char *x, const int rows) {
    enum { panels = TILE_PANELS };
    mcv_ints dot[MCV_TILE_ROWS][MCV_TILE_PANELS];
    const int8_t *w[MCV_TILE_PANELS];
    MCV_EACH_PANEL({
        size_t at = n + p * MCV_LANES < a->n ? n + p * MCV_LANES : n; /* The last panel may be computed twice. */
        w[p] = a->w + at * padded(a);
        mcv_ints start = mcv_ints_multiply(mcv_ints_load(a->w_sum + at), mcv_ints_set(-BIAS));
        MCV_EACH_ROW(dot[r][p] = start;)
    })
    size_t steps = padded(a) / STEP;
    if (steps > 0)
        do {
            add_products(dot, w, x, rows);
            MCV_EACH_PANEL(w[p] += STEP * MCV_LANES;)
            x += rows * CELL;
        } while (--steps > 0);
    float total[MCV_TILE_ROWS][MCV_TILE_PANELS][MCV_LANES];
    MCV_EACH_ROW(MCV_EACH_PANEL(mcv_floats_store(total[r][p], mcv_floats_from_ints(dot[r][p]));))
    for (size_t p = 0, at = n; p < TILE_PANELS && at < a->n; p++, at += MCV_LANES)
        for (int r = 0; r < rows; r++) {
            mcv_floats scale =
                mcv_floats_multiply(mcv_floats_set(a->scale[first + r]), mcv_floats_load(a->w_scale + at));
            mcv_floats_store(total[r][p], mcv_floats_multiply(mcv_floats_load(total[r][p]), scale));
            mcv_store_outputs(total[r][p], a->bias ? a->bias + at : NULL, a->accumulate,
                              a->y + (first + r) * a->ldy + at, a->n - at < MCV_LANES ? a->n - at : MCV_LANES);
        }
}

typedef void Tile(const mcv_gemm_int8_args *a, size_t n, size_t first, const char *x);

#define TILE(rows)                                                                                                     \
    static void tile_##rows(const mcv_gemm_int8_args *a, size_t n, size_t first, const char *x) {                      \
        multiply(a, n, first, x, rows);                                                                                \
    }
#include "simd/kernels/gemm_tile_sizes.def"

/* [rows] */
static Tile *const TILES[] = {
    NULL,
#define TILE(rows) tile_##rows,
#include "simd/kernels/gemm_tile_sizes.def"
};

/* Four activations as add_products wants them. */
static void copy_cell(const int8_t *from, char *cell) {
#if defined(__AVX512VNNI__)
    uint32_t four;
    memcpy(&four, from, sizeof four);
    four ^= 0x80808080; /* adds 128 to each */
    memcpy(cell, &four, sizeof four);
#else
    int16_t wide[STEP] = {from[0], from[2], from[1], from[3]};
    memcpy(cell, wide, sizeof wide);
#endif
}

static void copy_rows(const mcv_gemm_int8_args *a, size_t first, size_t rows, char *copy) {
    for (size_t k = 0; k < padded(a); k += STEP)
        for (size_t r = 0; r < rows; r++)
            copy_cell(a->q + (first + r) * a->ldq + k, copy + (k / STEP * rows + r) * CELL);
}

/* The rows from `first` on: all panels with what fits into scratch, in tiles of nearly the same size. */
static void multiply_rows(const mcv_gemm_int8_args *a, size_t first, size_t rows) {
    size_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS, row_bytes = padded(a) * COPIES;
    char *copy = a->scratch;
    for (size_t t = 0; t < tiles; t++) {
        size_t begin = rows * t / tiles, end = rows * (t + 1) / tiles;
        copy_rows(a, first + begin, end - begin, copy + begin * row_bytes);
    }
    for (size_t n = 0; n < a->n; n += TILE_PANELS * MCV_LANES)
        for (size_t t = 0; t < tiles; t++) {
            size_t begin = rows * t / tiles, end = rows * (t + 1) / tiles;
            TILES[end - begin](a, n, first + begin, copy + begin * row_bytes);
        }
}

void GEMM_INT8(const mcv_gemm_int8_args *a) {
    size_t most = a->k ? MCV_SCRATCH_BYTES / (padded(a) * COPIES) : a->m;
    if (most > TILE_ROWS)
        most -= most % TILE_ROWS;
    for (size_t m = 0; m < a->m; m += most)
        multiply_rows(a, m, a->m - m < most ? a->m - m : most);
}

#endif
