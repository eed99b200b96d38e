/* The product with weights of 8 bits in tiles: four of sums (two of rows by two of panels), two of activations, two of
 * weights, whose packed form is what a tile is made of. */
#include "simd/kernels/amx/amx_tiles.h"

enum {
    FEW_ROWS = 4, /* so few go through AVX-512 */
    PANELS = 2,
    ROWS = 2 * MCV_TILE_HEIGHT,
    K = MCV_TILE_BYTES /* that a tile holds */
};
/* Tiles by number: sums of the upper or lower rows and the first or second panel, rows, panels. */
#define SUM_00 0
#define SUM_01 1
#define SUM_10 2
#define SUM_11 3
#define X_0 4
#define X_1 5
#define W_0 6
#define W_1 7

static size_t padded(const mcv_gemm_int8_args *a) {
    return (a->k + MCV_K_PADDING - 1) / MCV_K_PADDING * MCV_K_PADDING;
}

/* Tiles for `rows` rows, at most ROWS. */
static void configure(size_t rows) {
    mcv_tile_shapes shapes = {.palette = 1};
    size_t upper = rows < MCV_TILE_HEIGHT ? rows : MCV_TILE_HEIGHT, lower = rows > upper ? rows - upper : 1;
    for (int tile = 0; tile < MCV_TILES; tile++)
        mcv_set_tile(&shapes, tile, MCV_TILE_HEIGHT, MCV_TILE_BYTES);
    shapes.rows[X_0] = shapes.rows[SUM_00] = shapes.rows[SUM_01] = (uint8_t)upper;
    shapes.rows[X_1] = shapes.rows[SUM_10] = shapes.rows[SUM_11] = (uint8_t)lower;
    mcv_configure_tiles(&shapes);
}

/* sums: [ROWS][PANELS][16]; `tall` where there are more rows than a tile has. */
MCV_INLINE void multiply(const int8_t *q, size_t ldq, const int8_t *const w[PANELS], size_t k, int32_t *sums,
                         const bool tall) {
    enum { STRIDE = PANELS * MCV_LANES * sizeof(int32_t) };
    _tile_zero(SUM_00);
    _tile_zero(SUM_01);
    _tile_zero(SUM_10);
    _tile_zero(SUM_11);
    for (size_t at = 0; at < k; at += K) {
        _tile_loadd(W_0, w[0] + at * MCV_LANES, MCV_TILE_BYTES);
        _tile_loadd(W_1, w[1] + at * MCV_LANES, MCV_TILE_BYTES);
        _tile_loadd(X_0, q + at, ldq);
        _tile_dpbssd(SUM_00, X_0, W_0);
        _tile_dpbssd(SUM_01, X_0, W_1);
        if (tall) {
            _tile_loadd(X_1, q + MCV_TILE_HEIGHT * ldq + at, ldq);
            _tile_dpbssd(SUM_10, X_1, W_0);
            _tile_dpbssd(SUM_11, X_1, W_1);
        }
    }
    _tile_stored(SUM_00, sums, STRIDE);
    _tile_stored(SUM_01, sums + MCV_LANES, STRIDE);
    if (tall) {
        _tile_stored(SUM_10, sums + MCV_TILE_HEIGHT * PANELS * MCV_LANES, STRIDE);
        _tile_stored(SUM_11, sums + (MCV_TILE_HEIGHT * PANELS + 1) * MCV_LANES, STRIDE);
    }
}

/* The outputs of `rows` rows from m on with the panels from n on. */
static void store(const mcv_gemm_int8_args *a, size_t m, size_t rows, size_t n, const int32_t *sums) {
    for (size_t r = 0; r < rows; r++)
        for (size_t p = 0, at = n; p < PANELS && at < a->n; p++, at += MCV_LANES) {
            mcv_floats scale = mcv_floats_multiply(mcv_floats_set(a->scale[m + r]), mcv_floats_load(a->w_scale + at));
            mcv_ints dot = mcv_ints_load(sums + (r * PANELS + p) * MCV_LANES);
            float total[MCV_LANES];
            mcv_floats_store(total, mcv_floats_multiply(mcv_floats_from_ints(dot), scale));
            mcv_store_outputs(total, a->bias ? a->bias + at : NULL, a->accumulate, a->y + (m + r) * a->ldy + at,
                              mcv_step(a->n - at));
        }
}

static void multiply_rows(const mcv_gemm_int8_args *a, size_t m, size_t rows, size_t n) {
    const int8_t *first = a->w + n * padded(a);
    /* A second panel that is not there is the first again, and is not stored. */
    const int8_t *const w[PANELS] = {first, n + MCV_LANES < a->n ? first + MCV_LANES * padded(a) : first};
    int32_t sums[ROWS * PANELS * MCV_LANES] __attribute__((aligned(64)));
    if (rows > MCV_TILE_HEIGHT)
        multiply(a->q + m * a->ldq, a->ldq, w, padded(a), sums, true);
    else
        multiply(a->q + m * a->ldq, a->ldq, w, padded(a), sums, false);
    store(a, m, rows, n, sums);
}

void mcv_gemm_int8_amx(const mcv_gemm_int8_args *a) {
    if (a->m <= FEW_ROWS) {
        mcv_gemm_int8_avx512vnni(a);
        return;
    }
    size_t configured = 0;
    for (size_t n = 0; n < a->n; n += PANELS * MCV_LANES)
        for (size_t m = 0; m < a->m; m += ROWS) {
            size_t rows = a->m - m < ROWS ? a->m - m : ROWS;
            if (rows != configured)
                configure(configured = rows);
            multiply_rows(a, m, rows, n);
        }
    _tile_release();
}
