/* The product with weights of 8 bits in tiles, two panels at a time: their packed form is what a tile is made of. */
#define TILE_PRODUCT _tile_dpbssd
#include "simd/kernels/amx/amx_square.h"

enum {
    PANELS = MCV_SQUARE_TILES,
    ROWS = MCV_SQUARE_ROWS,
    K = MCV_TILE_BYTES /* that a tile holds */
};

static size_t padded(const mcv_gemm_int8_args *a) {
    return (a->k + MCV_K_PADDING - 1) / MCV_K_PADDING * MCV_K_PADDING;
}

/* sums: [ROWS][PANELS][16]; `tall` where there are more rows than a tile has. */
MCV_INLINE void multiply(const int8_t *q, size_t ldq, const int8_t *const w[PANELS], size_t k, int32_t *sums,
                         const bool tall) {
    mcv_clear_square();
    for (size_t at = 0; at < k; at += K) {
        const void *const tiles[PANELS] = {w[0] + at * MCV_LANES, w[1] + at * MCV_LANES};
        mcv_multiply_square(q + at, ldq, tiles, tall);
    }
    mcv_store_square(sums, tall);
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
    if (a->m < MCV_ROWS_FOR_TILES) {
        mcv_gemm_int8_avx512vnni(a);
        return;
    }
    size_t configured = 0;
    for (size_t n = 0; n < a->n; n += PANELS * MCV_LANES)
        for (size_t m = 0; m < a->m; m += ROWS) {
            size_t rows = a->m - m < ROWS ? a->m - m : ROWS;
            mcv_configure_square(rows, &configured);
            multiply_rows(a, m, rows, n);
        }
    _tile_release();
}
