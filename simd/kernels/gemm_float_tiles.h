/* The products with weights in FP32, BF16 and F16, for any instruction set. The variant that includes this file says
 * how many panels it takes at a time (TILE_PANELS), how many rows at most (TILE_ROWS), what type its weights are
 * (WEIGHT), how many k lie side by side (STEP), how they become floats (LOAD_WEIGHTS), and names itself (GEMM_FLOAT).
 * With PAIRS_OF_BF16 there is an instruction for such pairs: rows are rounded to BF16 when they are copied.
 *
 * A tile is TILE_PANELS panels of weights with a few rows of x; its chains stay in registers for MCV_K_BLOCK k and are
 * then added to the totals, which wait in the caller's scratch memory. The memory holds the totals of ROWS rows and
 * PANELS panels, and a copy of so much of the rows as fits: few rows are copied whole, so that weights are read from
 * the first to the last; of many, a block of k at a time. Without a copy, rows that are a power of two apart would push
 * each other out of the cache. */
#ifndef MCV_SIMD_KERNELS_GEMM_FLOAT_TILES_H
#define MCV_SIMD_KERNELS_GEMM_FLOAT_TILES_H

#include "simd/kernels/product_lanes.h"

/* An INPUT is what rows are copied as (COPY_INPUTS); a FACTOR is `BROADCAST(x)`: the inputs at x that weights are
 * multiplied with by one instruction (MULTIPLY_ADD), of which a step has PRODUCTS. */
#if defined(PAIRS_OF_BF16)
#define INPUT uint16_t
#define COPY_INPUTS mcv_round_to_bf16
#define PRODUCTS 1
#define FACTOR mcv_ints
#define BROADCAST mcv_ints_broadcast
#define MULTIPLY_ADD mcv_floats_add_pairs
#else
#define INPUT float
#define COPY_INPUTS(copy, x, count) memcpy(copy, x, (count) * sizeof *(x))
#define PRODUCTS STEP
#define FACTOR mcv_floats
#define BROADCAST(x) mcv_floats_set(*(x))
#define MULTIPLY_ADD mcv_floats_fma
#endif

enum {
    ROWS = 192,
    PANELS = 16,
    ROW = MCV_K_BLOCK + MCV_LANES, /* inputs from a row of a block to the next */
    COPY_BLOCKS = ROWS,            /* rows times blocks of k that are copied at a time */
    FAR = 512,
    NEAR = 1024 /* bytes of prefetching, from memory and from the second cache */
};
_Static_assert(ROWS *PANELS *MCV_LANES * sizeof(float) + COPY_BLOCKS * ROW * sizeof(INPUT) <= MCV_SCRATCH_BYTES,
               "scratch");

/* What is worked on: some rows, panels and k. */
typedef struct Part {
    size_t rows, panels, k;
    const WEIGHT *w;     /* of the first panel, from the first k on */
    size_t panel_length; /* weights from a panel to the next */
    const INPUT *x;      /* [blocks of k][rows][ROW] */
    float *total;        /* [rows][PANELS][16] */
} Part;

/* The chains of one block, added to `total` (rows PANELS * 16 apart). */
MCV_INLINE void add_block(const WEIGHT *const w[], const INPUT *x, size_t length, float *total, const int rows) {
    enum { panels = TILE_PANELS };
    mcv_floats chain[MCV_TILE_ROWS][MCV_TILE_PANELS];
    MCV_EACH_ROW(MCV_EACH_PANEL(chain[r][p] = mcv_floats_set(0);))
    size_t k = 0;
    do {
        FACTOR weight[MCV_TILE_PANELS][PRODUCTS];
        MCV_EACH_PANEL({
            LOAD_WEIGHTS(weight[p], w[p] + k * MCV_LANES);
            __builtin_prefetch((const char *)(w[p] + k * MCV_LANES) + (rows <= TILE_ROWS / 2 ? FAR : NEAR));
        })
        MCV_EACH_ROW({
            FACTOR first = BROADCAST(x + r * ROW + k);
            MCV_EACH_PANEL(chain[r][p] = MULTIPLY_ADD(first, weight[p][0], chain[r][p]);)
        })
        if (PRODUCTS == 2) {
            MCV_EACH_ROW({
                FACTOR second = BROADCAST(x + r * ROW + k + 1);
                MCV_EACH_PANEL(chain[r][p] = MULTIPLY_ADD(second, weight[p][PRODUCTS - 1], chain[r][p]);)
            })
        }
    } while ((k += STEP) < length);
    MCV_EACH_ROW(MCV_EACH_PANEL({
        float *at = total + (r * PANELS + p) * MCV_LANES;
        mcv_floats_store(at, mcv_floats_add(mcv_floats_load(at), chain[r][p]));
    }))
}

/* The rows of a tile from `row` on with the panels from `panel` on. */
MCV_INLINE void multiply(const Part *part, size_t row, size_t panel, const int rows) {
    enum { panels = TILE_PANELS };
    const WEIGHT *w[MCV_TILE_PANELS];
    MCV_EACH_PANEL(w[p] = part->w + (panel + p < part->panels ? panel + p : panel) * part->panel_length;)
    const INPUT *x = part->x + row * ROW;
    for (size_t k = 0; k < part->k; k += MCV_K_BLOCK, x += part->rows * ROW) {
        size_t length = part->k - k < MCV_K_BLOCK ? part->k - k : MCV_K_BLOCK;
        add_block(w, x, length, part->total + (row * PANELS + panel) * MCV_LANES, rows);
        MCV_EACH_PANEL(w[p] += MCV_K_BLOCK * MCV_LANES;)
    }
}

typedef void Tile(const Part *part, size_t row, size_t panel);

#define TILE(rows)                                                                                                     \
    static void tile_##rows(const Part *part, size_t row, size_t panel) {                                              \
        multiply(part, row, panel, rows);                                                                              \
    }
#include "simd/kernels/gemm_tile_sizes.def"

/* [rows] */
static Tile *const TILES[] = {
    NULL,
#define TILE(rows) tile_##rows,
#include "simd/kernels/gemm_tile_sizes.def"
};

/* Copies `count` k of rows, zeros behind them up to a multiple of STEP. */
static void copy_rows(const float *x, size_t ldx, size_t rows, size_t count, INPUT *copy) {
    for (size_t k = 0; k < count; k += MCV_K_BLOCK) {
        size_t length = count - k < MCV_K_BLOCK ? count - k : MCV_K_BLOCK;
        for (size_t r = 0; r < rows; r++, copy += ROW) {
            COPY_INPUTS(copy, x + r * ldx + k, length);
            copy[length] = 0;
        }
    }
}

/* The totals of rows and panels of `part`, which says nothing of k yet. */
static void add_up(const mcv_gemm_args *a, Part *part, const WEIGHT *w, const float *x, INPUT *copy) {
    memset(part->total, 0, part->rows * PANELS * MCV_LANES * sizeof *part->total);
    size_t most = COPY_BLOCKS / part->rows * MCV_K_BLOCK, tiles = (part->rows + TILE_ROWS - 1) / TILE_ROWS;
    for (size_t k = 0; k < a->k; k += most) {
        part->k = a->k - k < most ? a->k - k : most;
        part->w = w + k * MCV_LANES;
        copy_rows(x + k, a->ldx, part->rows, part->k, copy);
        for (size_t panel = 0; panel < part->panels; panel += TILE_PANELS)
            for (size_t t = 0; t < tiles; t++) {
                size_t begin = part->rows * t / tiles, end = part->rows * (t + 1) / tiles;
                TILES[end - begin](part, begin, panel);
            }
    }
}

void GEMM_FLOAT(const mcv_gemm_args *a) {
    float *total = a->scratch;
    INPUT *copy = (INPUT *)(total + ROWS * PANELS * MCV_LANES);
    size_t panels = (a->n + MCV_LANES - 1) / MCV_LANES;
    Part part = {.panel_length = (a->k + STEP - 1) / STEP * STEP * MCV_LANES, .x = copy, .total = total};
    for (size_t m = 0; m < a->m; m += part.rows) {
        part.rows = a->m - m < ROWS ? a->m - m : ROWS;
        for (size_t first = 0; first < panels; first += PANELS) {
            part.panels = panels - first < PANELS ? panels - first : PANELS;
            add_up(a, &part, (const WEIGHT *)a->w + first * part.panel_length, a->x + m * a->ldx, copy);
            for (size_t r = 0; r < part.rows; r++)
                for (size_t n = first * MCV_LANES; n < a->n && n < (first + PANELS) * MCV_LANES; n += MCV_LANES)
                    mcv_store_outputs(total + r * PANELS * MCV_LANES + n - first * MCV_LANES,
                                      a->bias ? a->bias + n : NULL, a->accumulate, a->y + (m + r) * a->ldy + n,
                                      a->n - n < MCV_LANES ? a->n - n : MCV_LANES);
        }
    }
}

#endif
