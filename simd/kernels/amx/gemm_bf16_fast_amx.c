/* The product of pairs of BF16 in tiles: four of sums (two of rows by two of panels), two of inputs, two of weights,
 * whose packed form is what a tile is made of. Rows are rounded to BF16 into scratch memory, so many and so many k of
 * them as fit; y is where the parts of k are added up. */
#include "simd/kernels/amx/amx_tiles.h"

enum {
    FEW_ROWS = 4, /* so few go through AVX-512 */
    PANELS = 2,
    ROWS = 2 * MCV_TILE_HEIGHT,
    K = MCV_TILE_BYTES / 2,                      /* that a tile holds */
    TILE = MCV_TILE_HEIGHT * MCV_TILE_BYTES / 2, /* BF16 of a tile */
    MOST_ROWS = 8 * ROWS,                        /* that are rounded at a time */
    MOST_K = 30 * K,                             /* of them */
    STRIDE = MOST_K + K,                         /* from a row to the next, no power of two */
    SUMS_STRIDE = PANELS * MCV_LANES * sizeof(float)
};
_Static_assert((MOST_ROWS * STRIDE + PANELS * TILE) * sizeof(uint16_t) <= MCV_SCRATCH_BYTES, "scratch");

/* Tiles by number: sums of the upper or lower rows and the first or second panel, rows, panels. */
#define SUM_00 0
#define SUM_01 1
#define SUM_10 2
#define SUM_11 3
#define X_0 4
#define X_1 5
#define W_0 6
#define W_1 7

/* What is worked on: some rows and k. */
typedef struct Part {
    size_t row, rows, k, length;
    uint16_t *x;    /* [MOST_ROWS][STRIDE], zeros behind `length` up to a multiple of K */
    uint16_t *last; /* [PANELS][TILE]: the weights of the last tiles, where there are not enough for a whole one */
} Part;

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
MCV_INLINE void multiply(const Part *part, const uint16_t *x, const uint16_t *const w[PANELS], float *sums,
                         const bool tall) {
    _tile_zero(SUM_00);
    _tile_zero(SUM_01);
    _tile_zero(SUM_10);
    _tile_zero(SUM_11);
    for (size_t k = 0; k < part->length; k += K) {
        bool whole = part->length - k >= K;
        _tile_loadd(W_0, whole ? w[0] + k * MCV_LANES : part->last, MCV_TILE_BYTES);
        _tile_loadd(W_1, whole ? w[1] + k * MCV_LANES : part->last + TILE, MCV_TILE_BYTES);
        _tile_loadd(X_0, x + k, STRIDE * sizeof *x);
        _tile_dpbf16ps(SUM_00, X_0, W_0);
        _tile_dpbf16ps(SUM_01, X_0, W_1);
        if (tall) {
            _tile_loadd(X_1, x + MCV_TILE_HEIGHT * STRIDE + k, STRIDE * sizeof *x);
            _tile_dpbf16ps(SUM_10, X_1, W_0);
            _tile_dpbf16ps(SUM_11, X_1, W_1);
        }
    }
    _tile_stored(SUM_00, sums, SUMS_STRIDE);
    _tile_stored(SUM_01, sums + MCV_LANES, SUMS_STRIDE);
    if (tall) {
        _tile_stored(SUM_10, sums + MCV_TILE_HEIGHT * PANELS * MCV_LANES, SUMS_STRIDE);
        _tile_stored(SUM_11, sums + (MCV_TILE_HEIGHT * PANELS + 1) * MCV_LANES, SUMS_STRIDE);
    }
}

/* Adds to the outputs of `rows` rows from `row` on with the panels from n on; the first part begins them. */
static void store(const mcv_gemm_args *a, const Part *part, size_t row, size_t rows, size_t n, const float *sums) {
    bool first = part->k == 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t p = 0, at = n; p < PANELS && at < a->n; p++, at += MCV_LANES)
            mcv_store_outputs(sums + (r * PANELS + p) * MCV_LANES, first && a->bias ? a->bias + at : NULL,
                              a->accumulate || !first, a->y + (row + r) * a->ldy + at, mcv_step(a->n - at));
}

/* The panels from n on: a second one that is not there is the first again, and is not stored. */
static void multiply_panels(const mcv_gemm_args *a, const Part *part, size_t n, size_t *configured) {
    size_t panel = (a->k + 1) / 2 * 2 * MCV_LANES, tail = part->length % K, whole = part->length - tail;
    const uint16_t *first = (const uint16_t *)a->w + n / MCV_LANES * panel + part->k * MCV_LANES;
    const uint16_t *const w[PANELS] = {first, n + MCV_LANES < a->n ? first + panel : first};
    if (tail)
        for (size_t p = 0; p < PANELS; p++)
            memcpy(part->last + p * TILE, w[p] + whole * MCV_LANES, (tail + 1) / 2 * 2 * MCV_LANES * sizeof **w);
    for (size_t r = 0; r < part->rows; r += ROWS) {
        size_t rows = part->rows - r < ROWS ? part->rows - r : ROWS;
        float sums[ROWS * PANELS * MCV_LANES] __attribute__((aligned(64)));
        if (rows != *configured)
            configure(*configured = rows);
        mcv_finish_writing();
        if (rows > MCV_TILE_HEIGHT)
            multiply(part, part->x + r * STRIDE, w, sums, true);
        else
            multiply(part, part->x + r * STRIDE, w, sums, false);
        store(a, part, part->row + r, rows, n, sums);
    }
}

static void round_rows(const mcv_gemm_args *a, const Part *part) {
    size_t padded = (part->length + K - 1) / K * K;
    for (size_t r = 0; r < part->rows; r++) {
        uint16_t *to = part->x + r * STRIDE;
        mcv_round_to_bf16(to, a->x + (part->row + r) * a->ldx + part->k, part->length);
        memset(to + part->length, 0, (padded - part->length) * sizeof *to);
    }
}

void mcv_gemm_bf16_fast_amx(const mcv_gemm_args *a) {
    if (a->m <= FEW_ROWS) {
        mcv_gemm_bf16_fast_avx512bf16(a);
        return;
    }
    size_t parts = a->k ? (a->k + MOST_K - 1) / MOST_K : 1, length = ((a->k + parts - 1) / parts + K - 1) / K * K;
    Part part = {.x = a->scratch, .last = (uint16_t *)a->scratch + MOST_ROWS * STRIDE};
    size_t configured = 0;
    memset(part.last, 0, PANELS * TILE * sizeof *part.last);
    for (; part.row < a->m; part.row += part.rows) {
        part.rows = a->m - part.row < MOST_ROWS ? a->m - part.row : MOST_ROWS;
        for (size_t i = 0; i < parts; i++) {
            part.k = i * length;
            part.length = i + 1 < parts ? length : a->k - part.k;
            round_rows(a, &part);
            for (size_t n = 0; n < a->n; n += PANELS * MCV_LANES)
                multiply_panels(a, &part, n, &configured);
        }
    }
    if (configured)
        _tile_release();
}
