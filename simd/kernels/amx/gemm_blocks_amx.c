/* The product with weights in blocks of two levels, in tiles.
 *
 * A code times the scale of its group, sc * (code - zero), lies in [-32640, 32385]: it is two signed bytes, 256 * upper
 * + lower. So groups are gone when weights have been unpacked, and a block is two products of bytes, a square of rows
 * by upper and lower bytes, whose sums are scaled once, while the tiles multiply the next block. Without scales of
 * groups, codes less zero are bytes and each block is a product of its own.
 *
 * Weights are unpacked for many rows, so many k at a time as stay in the first cache; the activations of those rows and
 * k stay in the second, for many panels. Totals are in scratch memory meanwhile. */
#define TILE_PRODUCT _tile_dpbssd
#include "simd/kernels/amx/amx_group.h"
#include "simd/kernels/amx/amx_square.h"
#include "simd/kernels/gemm_blocks_codes.h"

typedef mcv_gemm_blocks_args Arguments;
typedef mcv_blocks_panel Panel;

enum {
    MOST_K = 512,                               /* that are unpacked at a time */
    MOST_ROWS = 256,                            /* that they serve */
    MOST_PANELS = 16,                           /* that the rows serve */
    MOST_GROUPS = MOST_K / MCV_CHUNK,           /* of a part */
    MOST_PAIRS = MCV_SCALED / MCV_CHUNK / 2,    /* of groups of a block */
    K = MCV_TILE_BYTES,                         /* that a tile holds */
    FINISHED = MCV_SQUARE_ROWS * K / MCV_SCALED /* rows of the block before, at a step of K */
};

/* Scratch memory. */
typedef struct Memory {
    int8_t w[MCV_SQUARE_TILES][MOST_K * MCV_LANES]; /* [k / 4][16][4]: upper and lower bytes, or one */
    int32_t minima[MOST_GROUPS / 2][MCV_LANES];     /* two groups' as 16 bits each */
    int16_t sums[MOST_ROWS][MOST_GROUPS];           /* minus those of a row's groups; where there are minima */
    float totals[MOST_PANELS][MOST_ROWS][MCV_LANES];
} Memory;
_Static_assert(sizeof(Memory) <= MCV_SCRATCH_BYTES, "scratch");

/* What is worked on: some rows, some k. */
typedef struct Part {
    const Arguments *a;
    Memory *memory;
    size_t row, rows, k, length;
} Part;

/* ---- Unpacking ---------------------------------------------------------------------------------------------- */

/* mask's bits of a, the other ones of b. */
MCV_INLINE mcv_ints select_bits(mcv_ints mask, mcv_ints a, mcv_ints b) {
    return (mask & a) | (~mask & b);
}

/* Four codes of each output as two signed bytes. even: scales of the codes 0 and 2, in bytes with zeros in between;
 * odd: of 1 and 3; start: 128 - scale * zero, in pairs of 16 bits. */
MCV_INLINE void split_codes(mcv_ints codes, mcv_ints even, mcv_ints odd, mcv_ints start, int8_t *upper, int8_t *lower) {
    const mcv_ints low_bytes = mcv_ints_set(0x00ff00ff);
    mcv_ints first = mcv_shorts_add(mcv_bytes_dot(codes, even), start);
    mcv_ints second = mcv_shorts_add(mcv_bytes_dot(codes, odd), start);
    /* The upper bytes are rounded to the nearest; the lower ones are 128 too large. */
    mcv_ints high = select_bits(low_bytes, mcv_ints_shift_right(first, 8), second);
    mcv_ints low = select_bits(low_bytes, first, mcv_ints_shift_left(second, 8)) ^ mcv_ints_set((int32_t)0x80808080);
    memcpy(upper, &high, sizeof high);
    memcpy(lower, &low, sizeof low);
}

/* The first of the part's codes. */
static const uint8_t *codes_of(const Part *part, const Panel *panel) {
    return panel->w + part->k * MCV_LANES / 8 * (size_t)part->a->bits;
}

static int zero_of(const Arguments *a) {
    return a->levels ? MCV_LEVEL_ZERO : a->zero;
}

/* The weights of a part times their groups' scales. */
MCV_INLINE void unpack_scaled(const Part *part, const Panel *panel, const mcv_blocks_kind kind) {
    const Arguments *a = part->a;
    const uint8_t *w = codes_of(part, panel);
    const int8_t *scales = panel->group_scale + part->k / a->group * MCV_LANES;
    int8_t *upper = part->memory->w[0], *lower = part->memory->w[1];
    const mcv_ints table = mcv_level_codes(a);
    const mcv_ints zero = mcv_ints_set(-zero_of(a)), half = mcv_ints_set(128), byte = mcv_ints_set(0x00ff00ff);
    for (size_t g = 0; g < part->length / a->group; g++) {
        mcv_ints scale = mcv_ints_load_i8(scales + g * MCV_LANES);
        mcv_ints start = mcv_ints_add(mcv_ints_multiply(scale, zero), half);
        mcv_ints even = mcv_ints_and(mcv_pair_of(scale, scale), byte), odd = mcv_ints_shift_left(even, 8);
        start = mcv_pair_of(start, start);
        for (size_t i = 0; i < a->group / MCV_CHUNK; i++, w += mcv_chunk_bytes(kind))
            for (int h = 0; h < 2; h++) {
                mcv_ints codes[2];
                mcv_load_codes(w, table, h, kind, codes);
                for (int j = 0; j < 2; j++, upper += MCV_TILE_BYTES, lower += MCV_TILE_BYTES)
                    split_codes(codes[j], even, odd, start, upper, lower);
            }
    }
}

/* Codes less zero, which are bytes. */
MCV_INLINE void unpack_codes(const Part *part, const Panel *panel, const mcv_blocks_kind kind) {
    const uint8_t *w = codes_of(part, panel);
    int8_t *bytes = part->memory->w[0];
    const mcv_ints table = mcv_level_codes(part->a),
                   zero = mcv_ints_set((int32_t)((uint32_t)zero_of(part->a) * 0x01010101u));
    for (size_t k = 0; k < part->length; k += MCV_CHUNK, w += mcv_chunk_bytes(kind))
        for (int h = 0; h < 2; h++) {
            mcv_ints codes[2];
            mcv_load_codes(w, table, h, kind, codes);
            for (int j = 0; j < 2; j++, bytes += MCV_TILE_BYTES) {
                mcv_ints less = mcv_bytes_subtract(codes[j], zero);
                memcpy(bytes, &less, sizeof less);
            }
        }
}

static void unpack_minima(const Part *part, const Panel *panel) {
    size_t first = part->k / part->a->group;
    for (size_t g = 0; g < part->length / part->a->group; g += 2) {
        const uint8_t *minima = panel->group_min + (first + g) * MCV_LANES;
        mcv_ints pair = mcv_pair_of(mcv_ints_load_u8(minima), mcv_ints_load_u8(minima + MCV_LANES));
        memcpy(part->memory->minima[g / 2], &pair, sizeof pair);
    }
}

#define UNPACK(kind)                                                                                                   \
    case kind:                                                                                                         \
        if (panel->group_scale)                                                                                        \
            unpack_scaled(part, panel, kind);                                                                          \
        else                                                                                                           \
            unpack_codes(part, panel, kind);                                                                           \
        break;

static void unpack(const Part *part, const Panel *panel) {
    switch (mcv_blocks_kind_of(part->a)) {
        UNPACK(MCV_CODES_4)
        UNPACK(MCV_CODES_6)
        UNPACK(MCV_CODES_8)
        UNPACK(MCV_LEVELS_8)
    }
    if (panel->group_min)
        unpack_minima(part, panel);
    mcv_finish_writing();
}

/* Minus the sums of the part's groups, of which a->sum has one for each chunk. */
static void copy_sums(const Part *part) {
    const Arguments *a = part->a;
    size_t groups = part->length / a->group;
    for (size_t r = 0; r < part->rows; r++) {
        const int32_t *from = a->sum + ((part->row + r) * a->k + part->k) / MCV_CHUNK;
        int16_t *to = part->memory->sums[r];
        if (a->group == MCV_CHUNK)
            for (size_t g = 0; g < groups; g++)
                to[g] = (int16_t)-from[g];
        else
            for (size_t g = 0; g < groups; g++)
                to[g] = (int16_t) - (from[2 * g] + from[2 * g + 1]);
    }
}

/* ---- With scales of groups ---------------------------------------------------------------------------------- */

/* The dot products of a block with some rows of a part, with upper and with lower bytes. */
typedef struct Square {
    size_t row, rows, b;
    int32_t sums[MCV_SQUARE_ROWS][MCV_SQUARE_TILES][MCV_LANES] __attribute__((aligned(64)));
} Square;

/* Scales some rows of a square, from `first` on, and adds them to totals. pairs: of groups, that have minima; or 0. */
MCV_INLINE void finish_rows(const Part *part, const Panel *panel, float totals[][MCV_LANES], const Square *square,
                            size_t first, const int pairs) {
    const Arguments *a = part->a;
    const Memory *memory = part->memory;
    size_t blocks = a->k / MCV_SCALED, b = part->k / MCV_SCALED + square->b;
    size_t end = square->rows < first + FINISHED ? square->rows : first + FINISHED;
    mcv_floats d = mcv_floats_load_f16(panel->scale + b * MCV_LANES), d_min = d;
    mcv_ints minima[MOST_PAIRS];
    if (pairs)
        d_min = mcv_floats_load_f16(panel->min + b * MCV_LANES);
    _Pragma("GCC unroll 8") for (int i = 0; i < pairs; i++) minima[i] =
        mcv_ints_load(memory->minima[square->b * (size_t)pairs + (size_t)i]);
    for (size_t r = first; r < end; r++) {
        size_t row = square->row + r;
        mcv_ints upper = mcv_ints_load(square->sums[r][0]), lower = mcv_ints_load(square->sums[r][1]);
        mcv_floats inner = mcv_floats_from_ints(mcv_ints_add(mcv_ints_shift_left(upper, 8), lower));
        if (pairs) {
            const int16_t *sums = memory->sums[row] + square->b * 2 * (size_t)pairs;
            mcv_ints low = mcv_ints_set(0);
            _Pragma("GCC unroll 8") for (int i = 0; i < pairs; i++) low =
                mcv_ints_add_pairs(minima[i], mcv_ints_broadcast(sums + 2 * i), low);
            inner = mcv_floats_fma(inner, d, mcv_floats_multiply(mcv_floats_from_ints(low), d_min));
        } else {
            inner = mcv_floats_multiply(inner, d);
        }
        mcv_floats scale = mcv_floats_set(a->scale[(part->row + row) * blocks + b]);
        mcv_floats_store(totals[row], mcv_floats_fma(inner, scale, mcv_floats_load(totals[row])));
    }
}

/* Multiplies a block, and finishes the one before meanwhile. tall: whether there are more rows than a tile has. */
MCV_INLINE void multiply_block(const Part *part, const Panel *panel, float totals[][MCV_LANES], Square *square,
                               const Square *before, const int pairs, const bool tall) {
    const Arguments *a = part->a;
    const int8_t *q = a->q + (part->row + square->row) * a->ldq + part->k + square->b * MCV_SCALED;
    size_t at = square->b * MCV_SCALED * MCV_LANES;
    mcv_clear_square();
    for (size_t step = 0; step < MCV_SCALED / K; step++, at += K * MCV_LANES) {
        const void *const w[] = {part->memory->w[0] + at, part->memory->w[1] + at};
        mcv_multiply_square(q + step * K, a->ldq, w, tall);
        finish_rows(part, panel, totals, before, step * FINISHED, pairs);
    }
    mcv_store_square(square->sums, tall);
}

/* All rows of a part with the panel whose weights are unpacked. */
MCV_INLINE void multiply_scaled(const Part *part, const Panel *panel, float totals[][MCV_LANES], const int pairs,
                                size_t *configured) {
    Square squares[2], *square = &squares[0], *before = &squares[1];
    before->row = before->rows = before->b = 0;
    for (size_t row = 0; row < part->rows; row += MCV_SQUARE_ROWS)
        for (size_t b = 0; b < part->length / MCV_SCALED; b++) {
            square->row = row;
            square->rows = part->rows - row < MCV_SQUARE_ROWS ? part->rows - row : MCV_SQUARE_ROWS;
            square->b = b;
            mcv_configure_square(square->rows, configured);
            if (square->rows > MCV_TILE_HEIGHT)
                multiply_block(part, panel, totals, square, before, pairs, true);
            else
                multiply_block(part, panel, totals, square, before, pairs, false);
            Square *next = before;
            before = square;
            square = next;
        }
    for (size_t first = 0; first < before->rows; first += FINISHED)
        finish_rows(part, panel, totals, before, first, pairs);
}

/* ---- Without ------------------------------------------------------------------------------------------------ */

/* A tile of rows with the panel whose weights are unpacked. */
MCV_INLINE void multiply_plain(const Part *part, const Panel *panel, const mcv_tile_rows *rows,
                               float totals[][MCV_LANES], const bool minima) {
    const Arguments *a = part->a;
    size_t blocks = a->k / a->block, first = part->k / a->block;
    const int8_t *q = a->q + (part->row + rows->first) * a->ldq + part->k, *w = part->memory->w[0];
    int32_t sums[MCV_TILE_HEIGHT][MCV_LANES] __attribute__((aligned(64))) = {0}; /* rows that are not there stay 0 */
    mcv_floats total[MCV_TILE_HEIGHT];
    _Pragma("GCC unroll 16") for (int r = 0; r < MCV_TILE_HEIGHT; r++) total[r] = mcv_floats_load(totals[r]);
    for (size_t b = first; b < first + part->length / a->block; b++, q += a->block, w += a->block * MCV_LANES) {
        mcv_multiply_group(q, a->ldq, w, a->block, sums[0]);
        mcv_floats d = mcv_floats_load_f16(panel->scale + b * MCV_LANES);
        mcv_floats d_min = minima ? mcv_floats_load_f16(panel->min + b * MCV_LANES) : d;
        _Pragma("GCC unroll 16") for (int r = 0; r < MCV_TILE_HEIGHT; r++) {
            size_t at = (part->row + rows->index[r]) * blocks + b;
            mcv_floats inner = mcv_floats_from_ints(mcv_ints_load(sums[r]));
            if (minima) {
                mcv_floats low = mcv_floats_from_ints(mcv_ints_set(-a->sum[at]));
                inner = mcv_floats_fma(inner, d, mcv_floats_multiply(low, d_min));
            } else {
                inner = mcv_floats_multiply(inner, d);
            }
            total[r] = mcv_floats_fma(inner, mcv_floats_set(a->scale[at]), total[r]);
        }
    }
    _Pragma("GCC unroll 16") for (int r = 0; r < MCV_TILE_HEIGHT; r++) mcv_floats_store(totals[r], total[r]);
}

static void multiply_rows_plain(const Part *part, const Panel *panel, float totals[][MCV_LANES], size_t *configured) {
    for (size_t row = 0; row < part->rows; row += MCV_TILE_HEIGHT) {
        mcv_tile_rows rows = mcv_tile_rows_from(row, part->rows);
        mcv_configure_group(rows.count, part->a->block, configured);
        if (panel->min)
            multiply_plain(part, panel, &rows, totals + row, true);
        else
            multiply_plain(part, panel, &rows, totals + row, false);
    }
}

/* ---- Everything --------------------------------------------------------------------------------------------- */

static void multiply_panel(const Part *part, const Panel *panel, float totals[][MCV_LANES], size_t *configured) {
    unpack(part, panel);
    if (!panel->group_scale)
        multiply_rows_plain(part, panel, totals, configured);
    else if (!panel->group_min)
        multiply_scaled(part, panel, totals, 0, configured);
    else if (part->a->group == MCV_CHUNK)
        multiply_scaled(part, panel, totals, MOST_PAIRS, configured);
    else
        multiply_scaled(part, panel, totals, MOST_PAIRS / 2, configured);
}

static void store_panel(const Part *part, const Panel *panel, float totals[][MCV_LANES]) {
    const Arguments *a = part->a;
    for (size_t r = 0; r < part->rows; r++)
        mcv_store_outputs(totals[r], a->bias ? a->bias + panel->n : NULL, a->accumulate,
                          a->y + (part->row + r) * a->ldy + panel->n, panel->count);
}

/* The part's rows with at most MOST_PANELS panels, from output n on. */
static void multiply_rows(Part *part, size_t n, size_t *configured) {
    const Arguments *a = part->a;
    Memory *memory = part->memory;
    Panel panels[MOST_PANELS];
    size_t count = 0;
    for (; count < MOST_PANELS && n < a->n; n += MCV_LANES)
        panels[count++] = mcv_blocks_panel_of(a, n);
    memset(memory->totals, 0, count * sizeof *memory->totals);
    for (part->k = 0; part->k < a->k; part->k += part->length) {
        part->length = a->k - part->k < MOST_K ? a->k - part->k : MOST_K;
        if (a->w_group_min)
            copy_sums(part);
        for (size_t p = 0; p < count; p++)
            multiply_panel(part, &panels[p], memory->totals[p], configured);
    }
    for (size_t p = 0; p < count; p++)
        store_panel(part, &panels[p], memory->totals[p]);
}

void mcv_gemm_blocks_amx(const Arguments *a) {
    bool bytes = a->w_group_scale || a->bits != 8 || a->zero == 128; /* unpacked weights are */
    if (a->m < MCV_ROWS_FOR_TILES || !bytes) {
        mcv_gemm_blocks_avx512vnni(a);
        return;
    }
    size_t configured = 0;
    Part part = {.a = a, .memory = a->scratch};
    for (; part.row < a->m; part.row += part.rows) {
        part.rows = a->m - part.row < MOST_ROWS ? a->m - part.row : MOST_ROWS;
        for (size_t n = 0; n < a->n; n += MOST_PANELS * MCV_LANES)
            multiply_rows(&part, n, &configured);
    }
    _tile_release();
}
