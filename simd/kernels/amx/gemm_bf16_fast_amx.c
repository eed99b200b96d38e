/* The product of pairs of BF16 in tiles, two panels at a time: their packed form is what a tile is made of. Rows are
 * rounded to BF16 into scratch memory, so many and so many k of them as fit; y is where the parts of k are added up. */
#define TILE_PRODUCT _tile_dpbf16ps
#include "simd/kernels/amx/amx_square.h"

enum {
    PANELS = MCV_SQUARE_TILES,
    ROWS = MCV_SQUARE_ROWS,
    K = MCV_TILE_BYTES / 2,                      /* that a tile holds */
    TILE = MCV_TILE_HEIGHT * MCV_TILE_BYTES / 2, /* BF16 of a tile */
    MOST_ROWS = 8 * ROWS,                        /* that are rounded at a time */
    MOST_K = 30 * K,                             /* of them */
    STRIDE = MOST_K + K                          /* from a row to the next, no power of two */
};
_Static_assert((MOST_ROWS * STRIDE + PANELS * TILE) * sizeof(uint16_t) <= MCV_SCRATCH_BYTES, "scratch");

/* What is worked on: some rows and k. */
typedef struct Part {
    size_t row, rows, k, length;
    uint16_t *x;    /* [MOST_ROWS][STRIDE], zeros behind `length` up to a multiple of K */
    uint16_t *last; /* [PANELS][TILE]: the weights of the last tiles, where there are not enough for a whole one */
} Part;

/* sums: [ROWS][PANELS][16]; `tall` where there are more rows than a tile has. */
MCV_INLINE void multiply(const Part *part, const uint16_t *x, const uint16_t *const w[PANELS], float *sums,
                         const bool tall) {
    mcv_clear_square();
    for (size_t k = 0; k < part->length; k += K) {
        bool whole = part->length - k >= K;
        const void *const tiles[PANELS] = {whole ? w[0] + k * MCV_LANES : part->last,
                                           whole ? w[1] + k * MCV_LANES : part->last + TILE};
        mcv_multiply_square(x + k, STRIDE * sizeof *x, tiles, tall);
    }
    mcv_store_square(sums, tall);
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
        mcv_configure_square(rows, configured);
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
    if (a->m < MCV_ROWS_FOR_TILES) {
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
