/* The products with weights in FP32, BF16 and F16, for any instruction set. The variant that includes this file says
 * how many panels it takes at a time (TILE_PANELS), how many rows at most (TILE_ROWS), what type its weights are
 * (WEIGHT), how many k lie side by side (STEP), how each of these becomes floats (LOAD_WEIGHTS), and names itself
 * (GEMM_FLOAT). With PAIRS_OF_BF16 there is an instruction for such pairs: rows are rounded to BF16 when they are
 * copied.
 *
 * A tile is TILE_PANELS panels of weights with a few rows of x; its chains stay in registers for MCV_K_BLOCK k and are
 * then added to the totals. Rows are copied to the caller's scratch memory, in which all panels meet them: there they
 * stay in the second cache, from which rows that are a power of two apart would push each other. Where k is so long
 * that only few rows fit, a part of k is copied, and the totals of PANELS panels wait beside it. */
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

/* Compilers would mix the two products of a step, for which there are not enough registers. */
#define KEEP_ORDER __asm__ volatile("" : : : "memory")

enum {
    ROW = MCV_K_BLOCK + MCV_LANES, /* inputs from a row of a block to the next */
    TILE_TOTALS = TILE_ROWS * TILE_PANELS * MCV_LANES,
    BLOCKS = (MCV_SCRATCH_BYTES - TILE_TOTALS * sizeof(float)) / (ROW * sizeof(INPUT)), /* of rows that fit */
    MOST_ROWS = 96,                                                                     /* that are copied with all k */
    ROWS = 48,              /* that are copied with a part of k; with all if so many fit */
    PANELS = 72,            /* whose totals wait for the other parts */
    PART = 5 * MCV_K_BLOCK, /* of k */
    FAR = 512,
    NEAR = 1024 /* bytes of prefetching, from memory and from the second cache */
};
_Static_assert(ROWS *PANELS *MCV_LANES * sizeof(float) + PART / MCV_K_BLOCK * ROWS * ROW * sizeof(INPUT) <=
                   MCV_SCRATCH_BYTES,
               "scratch");

/* What is worked on: some rows, panels and k, `length` of them. */
typedef struct Part {
    const mcv_gemm_args *a;
    size_t row, rows, panel, panels, k, length;
    INPUT *x;     /* [blocks of k][rows][ROW]: a copy */
    float *total; /* [panels][rows][16]; where this is all k, of a tile */
} Part;

/* The chains of one block, added to `total`. Many rows leave time to fetch the panel `next`, which is read later. */
MCV_INLINE void add_block(const WEIGHT *const w[], const WEIGHT *next, const INPUT *x, size_t length, float *total,
                          const int rows) {
    enum { panels = TILE_PANELS };
    const bool few = rows <= TILE_ROWS / 2;
    mcv_floats chain[MCV_TILE_ROWS][MCV_TILE_PANELS];
    MCV_EACH_ROW(MCV_EACH_PANEL(chain[r][p] = mcv_floats_set(0);))
    size_t k = 0;
    do {
        FACTOR weight[MCV_TILE_PANELS];
        MCV_EACH_PANEL({
            weight[p] = LOAD_WEIGHTS(w[p] + k * MCV_LANES, 0);
            __builtin_prefetch((const char *)(w[p] + k * MCV_LANES) + (few ? FAR : NEAR));
        })
        if (!few)
            __builtin_prefetch(next + k * MCV_LANES, 0, 2 /* into the second level */);
        MCV_EACH_ROW({
            FACTOR first = BROADCAST(x + r * ROW + k);
            MCV_EACH_PANEL(chain[r][p] = MULTIPLY_ADD(first, weight[p], chain[r][p]);)
        })
        if (PRODUCTS == 2) {
            KEEP_ORDER;
            MCV_EACH_PANEL(weight[p] = LOAD_WEIGHTS(w[p] + k * MCV_LANES, 1);)
            MCV_EACH_ROW({
                FACTOR second = BROADCAST(x + r * ROW + k + 1);
                MCV_EACH_PANEL(chain[r][p] = MULTIPLY_ADD(second, weight[p], chain[r][p]);)
            })
            KEEP_ORDER;
        }
    } while ((k += STEP) < length);
    MCV_EACH_ROW(MCV_EACH_PANEL({
        float *at = total + (r * TILE_PANELS + p) * MCV_LANES;
        mcv_floats_store(at, mcv_floats_add(mcv_floats_load(at), chain[r][p]));
    }))
}

/* Outputs are asked for before they are computed: each of a tile's rows is far from the others in memory. */
MCV_INLINE void prefetch_outputs(const mcv_gemm_args *a, size_t row, size_t panel, const int rows) {
    for (int r = 0; r < rows; r++)
        for (size_t p = 0, n = panel * MCV_LANES; p < TILE_PANELS && n < a->n; p++, n += MCV_LANES)
            __builtin_prefetch(a->y + (row + r) * a->ldy + n, 1);
}

MCV_INLINE void store_outputs(const mcv_gemm_args *a, const float *total, size_t row, size_t panel, const int rows) {
    for (int r = 0; r < rows; r++)
        for (size_t p = 0, n = panel * MCV_LANES; p < TILE_PANELS && n < a->n; p++, n += MCV_LANES)
            mcv_store_outputs(total + (r * TILE_PANELS + p) * MCV_LANES, a->bias ? a->bias + n : NULL, a->accumulate,
                              a->y + (row + r) * a->ldy + n, mcv_step(a->n - n));
}

/* A panel of the part, from its first k on. */
MCV_INLINE const WEIGHT *panel_of(const Part *part, size_t panel) {
    size_t length = (part->a->k + STEP - 1) / STEP * STEP;
    return (const WEIGHT *)part->a->w + ((part->panel + panel) * length + part->k) * MCV_LANES;
}

/* The rows of a tile from `row` on with the panels from `panel` on. The first tiles of these panels fetch the next. */
MCV_INLINE void multiply(const Part *part, size_t row, size_t panel, const int rows) {
    enum { panels = TILE_PANELS };
    const mcv_gemm_args *a = part->a;
    const WEIGHT *w[MCV_TILE_PANELS];
    MCV_EACH_PANEL(w[p] = panel_of(part, panel + p < part->panels ? panel + p : panel);)
    size_t tile = row / (size_t)rows, later = panel + TILE_PANELS + tile;
    const WEIGHT *next = tile < TILE_PANELS && later < part->panels ? panel_of(part, later) : w[0];
    const INPUT *x = part->x + row * ROW;
    bool first = part->k == 0, last = part->k + part->length == a->k;
    float *total = part->total + (first && last ? 0 : (panel * part->rows + row * TILE_PANELS) * MCV_LANES);
    if (first)
        memset(total, 0, (size_t)rows * TILE_PANELS * MCV_LANES * sizeof *total);
    if (last)
        prefetch_outputs(a, part->row + row, part->panel + panel, rows);
    for (size_t k = 0; k < part->length; k += MCV_K_BLOCK) {
        size_t length = part->length - k < MCV_K_BLOCK ? part->length - k : MCV_K_BLOCK;
        add_block(w, next, x, length, total, rows);
        MCV_EACH_PANEL(w[p] += MCV_K_BLOCK * MCV_LANES;)
        next += MCV_K_BLOCK * MCV_LANES;
        x += part->rows * ROW;
    }
    if (last)
        store_outputs(a, total, part->row + row, part->panel + panel, rows);
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

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Copies a part's rows, zeros behind them up to a multiple of STEP. */
static void copy_rows(const Part *part) {
    const float *x = part->a->x + part->row * part->a->ldx + part->k;
    for (size_t r = 0; r < part->rows; r++, x += part->a->ldx)
        for (size_t k = 0; k < part->length; k += MCV_K_BLOCK) {
            size_t length = smaller(part->length - k, MCV_K_BLOCK);
            INPUT *copy = part->x + (k / MCV_K_BLOCK * part->rows + r) * ROW;
            COPY_INPUTS(copy, x + k, length);
            copy[length] = 0;
        }
}

static void multiply_part(const Part *part) {
    size_t tiles = (part->rows + TILE_ROWS - 1) / TILE_ROWS;
    copy_rows(part);
    for (size_t panel = 0; panel < part->panels; panel += TILE_PANELS)
        for (size_t t = 0; t < tiles; t++) {
            size_t begin = part->rows * t / tiles, end = part->rows * (t + 1) / tiles;
            TILES[end - begin](part, begin, panel);
        }
}

/* Everything, in parts of at most so many rows, panels and k as `part` says. */
static void multiply_all(Part part) {
    const Part most = part;
    const mcv_gemm_args *a = part.a;
    size_t panels = (a->n + MCV_LANES - 1) / MCV_LANES;
    for (part.row = 0; part.row < a->m; part.row += part.rows) {
        part.rows = smaller(a->m - part.row, most.rows);
        for (part.panel = 0; part.panel < panels; part.panel += part.panels) {
            part.panels = smaller(panels - part.panel, most.panels);
            part.k = 0;
            do {
                part.length = smaller(a->k - part.k, most.length);
                multiply_part(&part);
            } while ((part.k += part.length) < a->k);
        }
    }
}

void GEMM_FLOAT(const mcv_gemm_args *a) {
    size_t blocks = a->k > 0 ? (a->k + MCV_K_BLOCK - 1) / MCV_K_BLOCK : 1;
    size_t fit = smaller(BLOCKS / blocks, MOST_ROWS);
    float *total = a->scratch;
    Part part = {.a = a, .rows = fit, .panels = SIZE_MAX, .length = a->k, .total = total};
    if (fit < smaller(a->m, ROWS))
        part = (Part){.a = a, .rows = ROWS, .panels = PANELS, .length = PART, .total = total};
    else if (fit > TILE_ROWS)
        part.rows -= fit % TILE_ROWS;
    part.x = (INPUT *)(total + (part.length < a->k ? ROWS * PANELS * MCV_LANES : TILE_TOTALS));
    multiply_all(part);
}

#endif
