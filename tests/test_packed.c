/* Quantized weights as the fast engine packs them: the same numbers, and products within what rounding activations
 * costs. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "core/random.h"
#include "core/tensor.h"
#include "formats/unpack_blocks.h"
#include "simd/engine/ops.h"
#include "simd/kernels/kernel_table.h"
#include "tests/temporary.h"

enum { ROWS = 21, COLUMNS = 768, TOKENS = 3 };

static mcv_pool *pool;
static mcv_arena arena;

static mcv_packer begin(void) {
    cr_assert_eq(mcv_pool_create(&pool, 2), MCV_OK);
    return (mcv_packer){.pool = pool, .arena = &arena, .group = 64};
}

static void end(void) {
    mcv_pool_free(pool);
    mcv_arena_free(&arena);
}

/* A matrix of random bytes, whose scales are any binary16 but the largest, infinities and NaN. */
static mcv_weight random_weight(mcv_weight_type type, uint64_t stream) {
    size_t bytes = ROWS * COLUMNS / mcv_weight_block_size(type) * mcv_weight_block_bytes(type);
    uint8_t *blocks = malloc(bytes + 8);
    mcv_random random = mcv_random_begin(stream, (uint64_t)type);
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t bits = mcv_random_next(&random);
        memcpy(blocks + i, &bits, 8);
    }
    /* Bit 14 is the upper one of the exponent: without it magnitudes are below 2. */
    static const int SCALES[MCV_WEIGHT_BLOCK_TYPES][2] = {
        [MCV_WEIGHT_Q4_1] = {0, 2},    [MCV_WEIGHT_Q5_1] = {0, 2}, [MCV_WEIGHT_Q2_K] = {80, 82},
        [MCV_WEIGHT_Q4_K] = {0, 2},    [MCV_WEIGHT_Q5_K] = {0, 2}, [MCV_WEIGHT_Q3_K] = {108, 108},
        [MCV_WEIGHT_Q6_K] = {208, 208}};
    for (uint8_t *block = blocks; block < blocks + bytes; block += mcv_weight_block_bytes(type))
        for (int i = 0; i < 2; i++)
            block[SCALES[type][i] + 1] &= 0xbf;
    return mcv_weight_matrix(type, blocks, ROWS, COLUMNS);
}

/* ---- What the layouts say: kernels.h ---------------------------------------------------------------------------- */

static const void *part_of(const mcv_packed *packed, mcv_part_name part, size_t row) {
    return packed->parts[part].data ? packed->parts[part].data + row / 16 * packed->parts[part].panel_bytes : NULL;
}

/* Element `index` of a row in [index][16] of a part's panel. */
static float half_of(const mcv_packed *packed, mcv_part_name part, size_t row, size_t index) {
    const uint16_t *halves = part_of(packed, part, row);
    return mcv_f32_from_f16(halves[index * 16 + row % 16]);
}

static int byte_of(const mcv_packed *packed, mcv_part_name part, size_t row, size_t index, int otherwise) {
    const uint8_t *bytes = part_of(packed, part, row);
    return bytes ? bytes[index * 16 + row % 16] : otherwise;
}

static int nibble_of(const uint8_t *eight, size_t lane, size_t k) {
    return eight[lane * 4 + k % 4] >> (k % 8 / 4 * 4) & 15;
}

static int code_of(const mcv_packed *packed, size_t row, size_t k) {
    size_t lane = row % 16;
    int bits = packed->layout == MCV_LAYOUT_BLOCKS ? packed->bits : 4;
    const uint8_t *sixteen = (const uint8_t *)part_of(packed, MCV_PART_W, row) + k / 16 * 16 * 16 * (size_t)bits / 8;
    if (bits == 8)
        return sixteen[k % 16 / 4 * 64 + lane * 4 + k % 4];
    int low = nibble_of(sixteen + k % 16 / 8 * 64, lane, k);
    return bits == 4 ? low : low | (sixteen[128 + lane * 4 + k % 4] >> (k % 16 / 4 * 2) & 3) << 4;
}

static float minimum_of(const mcv_packed *packed, size_t row, size_t k) {
    if (!packed->parts[MCV_PART_W_MIN].data)
        return 0;
    return half_of(packed, MCV_PART_W_MIN, row, k / packed->group) *
           (float)byte_of(packed, MCV_PART_W_GROUP_MIN, row, k / packed->block_group, 1);
}

static float value_of(const mcv_packed *packed, size_t row, size_t k) {
    int code = code_of(packed, row, k);
    float scale = half_of(packed, MCV_PART_W_SCALE, row, k / packed->group);
    if (packed->layout == MCV_LAYOUT_INT4)
        return (float)(code - byte_of(packed, MCV_PART_W_ZERO, row, k / packed->group, 8)) * scale;
    float value = scale * (float)(int8_t)byte_of(packed, MCV_PART_W_GROUP_SCALE, row, k / packed->block_group, 1);
    value *= (float)(packed->levels ? packed->levels[code] : code - packed->zero);
    return value - minimum_of(packed, row, k);
}

/* ---- Tests ------------------------------------------------------------------------------------------------------- */

static void check_values(const char *name, const mcv_weight *weight, const mcv_packed *packed) {
    float row[COLUMNS];
    for (size_t n = 0; n < weight->rows; n++) {
        mcv_weight_to_f32(weight, n, 1, row);
        for (size_t k = 0; k < weight->columns; k++) {
            float value = value_of(packed, n, k);
            cr_assert(value == row[k], "%s, row %zu, column %zu: %a, expected %a", name, n, k, (double)value,
                      (double)row[k]);
        }
    }
}

Test(packed, blocks_keep_every_number, .fini = end) {
    mcv_packer packer = begin();
    for (int type = MCV_WEIGHT_Q4_0; type < MCV_WEIGHT_BLOCK_TYPES; type++) {
        Linear linear = {.name = "layer", .weight = random_weight((mcv_weight_type)type, 1)};
        mcv_packed packed;
        cr_assert_eq(mcv_pack_linear(&packer, "layer", &linear, MCV_PRECISION_STORED, &packed), MCV_OK);
        cr_expect_eq(packed.layout, type == MCV_WEIGHT_Q4_0 ? MCV_LAYOUT_INT4 : MCV_LAYOUT_BLOCKS);
        check_values(mcv_weight_type_name((mcv_weight_type)type), &linear.weight, &packed);
        free((void *)(uintptr_t)linear.weight.data);
    }
    cr_expect_eq(packer.widened, 0);
}

/* A layer of tests/fixtures/make_packed_weights.py. */
static Linear open_stored(const char *name, mcv_weights **weights) {
    Linear linear = {.name = "layer"};
    char path[96];
    snprintf(path, sizeof path, "tests/fixtures/quantized/%s", name);
    cr_assert_eq(mcv_weights_open(path, NULL, weights), MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(mcv_weights_find(*weights, "layer.weight", &linear.weight), MCV_OK);
    return linear;
}

/* AWQ and GPTQ; of some rows, as the resampler has them, too. */
Test(packed, groups_keep_every_number, .fini = end) {
    static const char *const STORED[] = {"awq", "gptq-32"};
    mcv_packer packer = begin();
    for (int i = 0; i < 2; i++) {
        mcv_weights *weights;
        Linear linear = open_stored(STORED[i], &weights);
        mcv_packed packed;
        cr_assert_eq(mcv_pack_linear(&packer, "layer", &linear, MCV_PRECISION_STORED, &packed), MCV_OK);
        cr_assert(packed.layout == MCV_LAYOUT_INT4 && packed.group == 32);
        check_values(STORED[i], &linear.weight, &packed);
        linear.weight = mcv_weight_rows(&linear.weight, 5, 18);
        cr_assert_eq(mcv_pack_linear(&packer, "layer", &linear, MCV_PRECISION_STORED, &packed), MCV_OK);
        check_values(STORED[i], &linear.weight, &packed);
        mcv_weights_close(weights);
    }
    cr_expect_eq(packer.widened, 0);
}

/* A layer of ROWS outputs; where its numbers are is the caller's to say. */
static Linear linear_of(mcv_weight_type type, size_t columns) {
    return (Linear){
        .name = "layer",
        .weight = {.type = type, .rank = 2, .shape = {ROWS, (int64_t)columns}, .rows = ROWS, .columns = columns}};
}

/* Random bytes but -128, and a scale a row. */
typedef struct Int8Layer {
    uint8_t bytes[ROWS * COLUMNS];
    float scales[ROWS];
    mcv_int8 int8;
    Linear linear;
} Int8Layer;

static void make_int8(Int8Layer *layer) {
    mcv_random random = mcv_random_begin(8, 0);
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        layer->bytes[i] = (uint8_t)(mcv_random_next(&random) % 255 - 127);
    for (size_t i = 0; i < ROWS; i++)
        layer->scales[i] = (float)mcv_random_uniform(&random);
    layer->int8 = (mcv_int8){layer->bytes, MCV_TENSOR(MCV_F32, layer->scales, ROWS, 1), .in = COLUMNS, .groups = 1};
    layer->linear = linear_of(MCV_WEIGHT_INT8, COLUMNS);
    layer->linear.weight.int8 = &layer->int8;
}

/* Not with -128 among them. */
Test(packed, bytes_keep_every_number, .fini = end) {
    mcv_packer packer = begin();
    Int8Layer layer;
    float row[COLUMNS];
    mcv_packed packed;
    make_int8(&layer);
    cr_assert_eq(mcv_pack_linear(&packer, "layer", &layer.linear, MCV_PRECISION_STORED, &packed), MCV_OK);
    cr_assert_eq(packed.layout, MCV_LAYOUT_INT8);
    for (size_t n = 0; n < ROWS; n++) {
        const int8_t *panel = part_of(&packed, MCV_PART_W, n);
        const float *scale = part_of(&packed, MCV_PART_W_SCALE, n);
        const int32_t *sum = part_of(&packed, MCV_PART_W_SUM, n);
        int32_t expected = 0;
        mcv_weight_to_f32(&layer.linear.weight, n, 1, row);
        for (size_t k = 0; k < COLUMNS; k++) {
            int8_t code = panel[(k / 4 * 16 + n % 16) * 4 + k % 4];
            expected += code;
            cr_assert((float)code * scale[n % 16] == row[k], "row %zu, column %zu", n, k);
        }
        cr_expect_eq(sum[n % 16], expected);
    }
    layer.bytes[ROWS * COLUMNS - 1] = 128;
    cr_assert_eq(mcv_pack_linear(&packer, "layer", &layer.linear, MCV_PRECISION_STORED, &packed), MCV_OK);
    cr_expect(packed.layout == MCV_LAYOUT_F32 && packer.widened == 1);
}

static mcv_ops make_ops(void) {
    mcv_ops ops = {.pool = pool, .scratch = aligned_alloc(64, 2 * MCV_SCRATCH_BYTES)};
    cr_assert(ops.scratch);
    cr_assert_eq(mcv_kernels_select(NULL, &ops.kernels), MCV_OK);
    return ops;
}

/* Nested scales, blocks that rows begin in the middle of. */
enum {
    NF4_COLUMNS = 96,
    NF4_BLOCK = 64,
    NF4_ELEMENTS = ROWS * NF4_COLUMNS,
    NF4_BLOCKS = (NF4_ELEMENTS + NF4_BLOCK - 1) / NF4_BLOCK
};

typedef struct Nf4Layer {
    uint8_t bytes[NF4_ELEMENTS / 2], absmax[NF4_BLOCKS];
    float nested_table[256], nested_absmax[NF4_BLOCKS / 4 + 1];
    mcv_nf4 nf4;
    Linear linear;
} Nf4Layer;

static void make_nf4(Nf4Layer *layer) {
    mcv_random random = mcv_random_begin(10, 0);
    layer->nf4 = (mcv_nf4){.weight = layer->bytes,
                           .elements = NF4_ELEMENTS,
                           .block_size = NF4_BLOCK,
                           .absmax = MCV_TENSOR(MCV_U8, layer->absmax, NF4_BLOCKS),
                           .nested_table = (const uint8_t *)layer->nested_table,
                           .nested_absmax = (const uint8_t *)layer->nested_absmax,
                           .nested_block_size = 4,
                           .nested_offset = 0.25f};
    layer->linear = linear_of(MCV_WEIGHT_NF4, NF4_COLUMNS);
    layer->linear.weight.nf4 = &layer->nf4;
    for (size_t i = 0; i < sizeof layer->bytes; i++)
        layer->bytes[i] = (uint8_t)mcv_random_next(&random);
    for (size_t i = 0; i < sizeof layer->absmax; i++)
        layer->absmax[i] = (uint8_t)mcv_random_next(&random);
    for (size_t i = 0; i < 16; i++)
        layer->nf4.table[i] = (float)(mcv_random_uniform(&random) * 3 - 1);
    for (size_t i = 0; i < 256; i++)
        layer->nested_table[i] = (float)mcv_random_uniform(&random);
    for (size_t i = 0; i < sizeof layer->nested_absmax / sizeof *layer->nested_absmax; i++)
        layer->nested_absmax[i] = (float)mcv_random_uniform(&random);
}

/* Levels are rounded to 16 bits, scales to what they are of that. */
Test(packed, nf4_keeps_its_codes, .fini = end) {
    enum { K = NF4_COLUMNS };
    mcv_packer packer = begin();
    mcv_ops ops = make_ops();
    Nf4Layer layer;
    float row[K], x[TOKENS * K], y[TOKENS * ROWS];
    mcv_random random = mcv_random_begin(11, 0);
    mcv_packed packed;
    make_nf4(&layer);
    for (size_t i = 0; i < TOKENS * K; i++)
        x[i] = (float)(mcv_random_uniform(&random) * 2 - 1);
    cr_assert_eq(mcv_pack_linear(&packer, "layer", &layer.linear, MCV_PRECISION_STORED, &packed), MCV_OK);
    cr_assert(packed.layout == MCV_LAYOUT_NF4 && packed.group == 32 && packer.widened == 0);
    mcv_rows rows = mcv_rows_of(x, TOKENS, K);
    cr_assert_eq(mcv_linear(&ops, &arena, &rows, &packed, y, false), MCV_OK);
    for (size_t n = 0; n < ROWS; n++) {
        const float *scales = part_of(&packed, MCV_PART_W_SCALE, n);
        double bounds[TOKENS] = {0}, exact[TOKENS] = {0};
        mcv_weight_to_f32(&layer.linear.weight, n, 1, row);
        for (size_t k = 0; k < K; k++) {
            double scale = scales[k / 32 * 16 + n % 16], half = scale * (0.5 + MCV_MOST_LEVEL * 0x1p-22);
            double off = fabs(packed.nf4_levels[code_of(&packed, n, k)] * scale - (double)row[k]);
            cr_assert(off <= half, "row %zu, column %zu: off by %g, at most %g expected", n, k, off, half);
            for (size_t m = 0; m < TOKENS; m++) {
                exact[m] += (double)row[k] * (double)x[m * K + k];
                bounds[m] += half + fabs((double)row[k]) / 253; /* activations are below 1 */
            }
        }
        for (size_t m = 0; m < TOKENS; m++)
            cr_assert(fabs((double)y[m * ROWS + n] - exact[m]) <= bounds[m], "row %zu, token %zu", n, m);
    }
    layer.nf4.table[3] = (float)NAN;
    cr_assert_eq(mcv_pack_linear(&packer, "layer", &layer.linear, MCV_PRECISION_STORED, &packed), MCV_OK);
    cr_expect(packed.layout == MCV_LAYOUT_F32 && packer.widened == 1);
    free(ops.scratch);
}

/* Groups of 16, groups that do not lie side by side, NF4 in rows of 70: widened, and counted. */
Test(packed, what_no_kernel_knows_is_widened, .fini = end) {
    static const char *const WIDENED[] = {"gptq", "gptq-v2", "nf4"};
    mcv_packer packer = begin();
    for (int i = 0; i < 3; i++) {
        mcv_weights *weights;
        Linear linear = open_stored(WIDENED[i], &weights);
        mcv_packed packed;
        float row[COLUMNS];
        cr_assert_eq(mcv_pack_linear(&packer, "layer", &linear, MCV_PRECISION_STORED, &packed), MCV_OK);
        cr_assert_eq(packed.layout, MCV_LAYOUT_F32);
        cr_expect_eq(packer.widened, i + 1);
        mcv_weight_to_f32(&linear.weight, 7, 1, row);
        const float *panel = part_of(&packed, MCV_PART_W, 7);
        for (size_t k = 0; k < linear.weight.columns; k++)
            cr_expect(panel[k * 16 + 7] == row[k], "%s, column %zu", WIDENED[i], k);
        mcv_weights_close(weights);
    }
}

/* Every F16 that there is: denormals, infinities and NaN among them, rows of normal numbers, too. Products have the
 * bits of those with floats, and are NaN where those are. */
Test(packed, halves_are_multiplied_as_floats, .fini = end) {
    enum { HALVES = 1 << 16, K = 256, N = HALVES / K - 5 /* the last panel is no whole one */ };
    static uint16_t halves[HALVES];
    static float floats[HALVES], x[TOKENS * K], found[TOKENS * N], expected[TOKENS * N];
    mcv_packer packer = begin();
    mcv_ops ops = make_ops();
    mcv_random random = mcv_random_begin(9, 0);
    for (size_t i = 0; i < HALVES; i++) {
        halves[i] = (uint16_t)i;
        floats[i] = mcv_f32_from_f16(halves[i]);
    }
    for (size_t i = 0; i < TOKENS * K; i++)
        x[i] = (float)(mcv_random_next(&random) >> 40) * 0x1p-23f - 1;
    Linear linear = {.name = "layer", .weight = mcv_weight_matrix(MCV_WEIGHT_F16, halves, N, K)};
    Linear widened = {.name = "layer", .weight = mcv_weight_matrix(MCV_WEIGHT_F32, floats, N, K)};
    static const mcv_precision PRECISIONS[] = {MCV_PRECISION_F32, MCV_PRECISION_STORED};
    for (int i = 0; i < 2; i++) {
        mcv_packed packed, other;
        mcv_rows rows = mcv_rows_of(x, TOKENS, K);
        size_t numbers = 0;
        cr_assert_eq(mcv_pack_linear(&packer, "layer", &linear, PRECISIONS[i], &packed), MCV_OK);
        cr_assert_eq(mcv_pack_linear(&packer, "layer", &widened, PRECISIONS[i], &other), MCV_OK);
        cr_assert(packed.layout == MCV_LAYOUT_F16 && other.layout == MCV_LAYOUT_F32);
        for (size_t n = 0; n < N; n++)
            for (size_t k = 0; k < K; k++)
                cr_assert_eq(((const uint16_t *)part_of(&packed, MCV_PART_W, n))[k * 16 + n % 16], halves[n * K + k]);
        cr_assert_eq(mcv_linear(&ops, &arena, &rows, &packed, found, false), MCV_OK);
        cr_assert_eq(mcv_linear(&ops, &arena, &rows, &other, expected, false), MCV_OK);
        for (size_t at = 0; at < TOKENS * N; at++) {
            numbers += !isnan(expected[at]);
            cr_assert(memcmp(&found[at], &expected[at], sizeof *found) == 0 ||
                          (isnan(found[at]) && isnan(expected[at])),
                      "output %zu: %a, expected %a", at, (double)found[at], (double)expected[at]);
        }
        cr_expect_gt(numbers, TOKENS * N / 2);
    }
    cr_expect_eq(packer.widened, 0);
    free(ops.scratch);
}

/* The most by which a product may be off: half a step of each activation (and what quantizing it rounds), and a
 * rounding for each block and at its ends, of what is added up (mcv_gemm_blocks_args, mcv_gemm_int4_args). */
static double bound_of(const mcv_packed *packed, size_t n, const float *w, const float *x) {
    double bound = 0, u = ldexp(1, -24);
    for (size_t first = 0; first < COLUMNS; first += packed->group) {
        double largest = 0, weights = 0, terms = 0;
        for (size_t k = first; k < first + packed->group; k++) {
            double minimum = fabs((double)minimum_of(packed, n, k));
            largest = fmax(largest, fabs((double)x[k]));
            weights += fabs((double)w[k]);
            terms += fabs((double)x[k]) * (fabs((double)w[k]) + 2 * minimum);
        }
        bound += largest / 254 * (1 + 8 * u) * weights + (COLUMNS / 32 + 4) * u * terms;
    }
    return bound;
}

Test(packed, products_are_off_by_rounded_activations_alone, .fini = end) {
    mcv_packer packer = begin();
    mcv_ops ops = make_ops();
    for (int type = MCV_WEIGHT_Q4_0; type < MCV_WEIGHT_BLOCK_TYPES; type++) {
        Linear linear = {.name = "layer", .weight = random_weight((mcv_weight_type)type, 2)};
        mcv_packed packed;
        float x[TOKENS * COLUMNS], y[TOKENS * ROWS], row[COLUMNS];
        mcv_random random = mcv_random_begin(3, (uint64_t)type);
        for (size_t i = 0; i < TOKENS * COLUMNS; i++)
            x[i] = (float)(mcv_random_next(&random) >> 40) * 0x1p-23f - 1;
        cr_assert_eq(mcv_pack_linear(&packer, "layer", &linear, MCV_PRECISION_STORED, &packed), MCV_OK);
        mcv_rows rows = mcv_rows_of(x, TOKENS, COLUMNS);
        cr_assert_eq(mcv_linear(&ops, &arena, &rows, &packed, y, false), MCV_OK);
        for (size_t n = 0; n < ROWS; n++) {
            mcv_weight_to_f32(&linear.weight, n, 1, row);
            for (size_t m = 0; m < TOKENS; m++) {
                double exact = 0, bound = bound_of(&packed, n, row, x + m * COLUMNS);
                for (size_t k = 0; k < COLUMNS; k++)
                    exact += (double)x[m * COLUMNS + k] * (double)row[k];
                double off = fabs((double)y[m * ROWS + n] - exact);
                cr_assert(off <= bound, "%s: off by %g, at most %g expected",
                          mcv_weight_type_name((mcv_weight_type)type), off, bound);
            }
        }
        free((void *)(uintptr_t)linear.weight.data);
    }
    free(ops.scratch);
}

/* Layers of one input that read it in different forms. */
Test(packed, layers_of_several_types_share_an_input, .fini = end) {
    static const mcv_weight_type TYPES[] = {MCV_WEIGHT_Q4_K, MCV_WEIGHT_Q8_0, MCV_WEIGHT_Q4_0};
    mcv_packer packer = begin();
    mcv_ops ops = make_ops();
    Linear linear[3];
    mcv_packed packed[3];
    float x[TOKENS * COLUMNS], alone[TOKENS * ROWS], together[3][TOKENS * ROWS];
    mcv_random random = mcv_random_begin(4, 0);
    for (size_t i = 0; i < TOKENS * COLUMNS; i++)
        x[i] = (float)(mcv_random_next(&random) >> 40) * 0x1p-23f - 1;
    for (int i = 0; i < 3; i++) {
        linear[i] = (Linear){.name = "layer", .weight = random_weight(TYPES[i], 5)};
        cr_assert_eq(mcv_pack_linear(&packer, "layer", &linear[i], MCV_PRECISION_STORED, &packed[i]), MCV_OK);
    }
    mcv_rows rows = mcv_rows_of(x, TOKENS, COLUMNS);
    const mcv_packed *const layers[] = {&packed[0], &packed[1], &packed[2]};
    cr_assert_eq(mcv_linears(&ops, &arena, &rows, layers, (float *[]){together[0], together[1], together[2]}, 3),
                 MCV_OK);
    cr_expect_eq(rows.num_forms, 2);
    for (int i = 0; i < 3; i++) {
        mcv_rows own = mcv_rows_of(x, TOKENS, COLUMNS);
        cr_assert_eq(mcv_linear(&ops, &arena, &own, &packed[i], alone, false), MCV_OK);
        cr_expect_arr_eq(alone, together[i], sizeof alone, "%s", mcv_weight_type_name(TYPES[i]));
        free((void *)(uintptr_t)linear[i].weight.data);
    }
    free(ops.scratch);
}

/* Packs a layer into a file and opens it. */
static mcv_safetensors *keep(mcv_packer *packer, const Linear *linear, mcv_packed *packed) {
    mcv_safetensors *kept;
    packer->kept = NULL;
    cr_assert_eq(mcv_safetensors_create(temporary_path("kept"), &packer->writer), MCV_OK);
    cr_assert_eq(mcv_pack_linear(packer, "layer", linear, MCV_PRECISION_STORED, packed), MCV_OK);
    cr_assert_eq(mcv_safetensors_commit(packer->writer), MCV_OK);
    cr_assert_eq(mcv_safetensors_open(temporary_path("kept"), &kept), MCV_OK);
    packer->writer = NULL;
    packer->kept = kept;
    return kept;
}

/* What was packed comes back from a file the same, and not for other weights or another precision. */
Test(packed, kept_parts_are_those_of_these_weights, .fini = end) {
    mcv_packer packer = begin();
    Linear linear = {.name = "layer", .weight = random_weight(MCV_WEIGHT_Q5_K, 6)};
    Linear other = {.name = "layer", .weight = random_weight(MCV_WEIGHT_Q5_K, 7)};
    mcv_packed found;
    mcv_safetensors *kept = keep(&packer, &linear, &found);
    cr_expect_eq(mcv_pack_linear(&packer, "layer", &other, MCV_PRECISION_STORED, &found), MCV_DIFFERS);
    cr_expect_eq(mcv_pack_linear(&packer, "layer", &linear, MCV_PRECISION_INT8, &found), MCV_DIFFERS);
    cr_expect_eq(mcv_pack_linear(&packer, "layer", &linear, MCV_PRECISION_F32, &found), MCV_DIFFERS);
    cr_expect_null(packer.kept_data, "memory for what does not fit");
    cr_assert_eq(mcv_pack_linear(&packer, "layer", &linear, MCV_PRECISION_STORED, &found), MCV_OK);
    mcv_kept_copy(&packer);
    check_values("kept", &linear.weight, &found);
    mcv_safetensors_close(kept);
    free((void *)(uintptr_t)linear.weight.data);
    free((void *)(uintptr_t)other.weight.data);
}

/* Whether there is a -128 is not looked for again in what was kept as INT8; what was kept widened is found, too. */
Test(packed, kept_bytes_are_not_read_again, .fini = end) {
    mcv_packer packer = begin();
    Int8Layer layer;
    mcv_packed found;
    make_int8(&layer);
    mcv_safetensors *kept = keep(&packer, &layer.linear, &found);
    layer.bytes[0] = 128;
    cr_assert_eq(mcv_pack_linear(&packer, "layer", &layer.linear, MCV_PRECISION_STORED, &found), MCV_OK);
    cr_expect_eq(found.layout, MCV_LAYOUT_INT8);
    mcv_safetensors_close(kept);
    kept = keep(&packer, &layer.linear, &found);
    cr_assert_eq(mcv_pack_linear(&packer, "layer", &layer.linear, MCV_PRECISION_STORED, &found), MCV_OK);
    cr_expect_eq(found.layout, MCV_LAYOUT_F32);
    mcv_safetensors_close(kept);
}

static void check_kept(const char *name, mcv_packer *packer, const Linear *linear) {
    mcv_packed packed, found;
    mcv_safetensors *kept = keep(packer, linear, &packed);
    cr_assert_eq(mcv_pack_linear(packer, "layer", linear, MCV_PRECISION_STORED, &found), MCV_OK, "%s", name);
    mcv_kept_copy(packer);
    cr_expect_eq(found.layout, packed.layout, "%s", name);
    cr_expect_eq(found.levels, packed.levels, "%s", name);
    cr_expect_arr_eq(found.nf4_levels, packed.nf4_levels, sizeof found.nf4_levels, "%s", name);
    for (int part = 0; part < MCV_PARTS; part++) {
        size_t size = mcv_panels(packed.n) * packed.parts[part].panel_bytes;
        cr_assert_eq(found.parts[part].panel_bytes, packed.parts[part].panel_bytes, "%s, part %d", name, part);
        cr_expect(size == 0 || memcmp(found.parts[part].data, packed.parts[part].data, size) == 0, "%s, part %d", name,
                  part);
    }
    mcv_safetensors_close(kept);
    packer->kept_data = NULL;
}

Test(packed, kept_parts_are_those_that_were_packed, .fini = end) {
    static const mcv_weight_type TYPES[] = {MCV_WEIGHT_F16, MCV_WEIGHT_IQ4_NL, MCV_WEIGHT_IQ4_XS};
    mcv_packer packer = begin();
    Nf4Layer layer;
    for (int i = 0; i < 3; i++) {
        Linear linear = {.name = "layer", .weight = random_weight(TYPES[i], 12)};
        check_kept(mcv_weight_type_name(TYPES[i]), &packer, &linear);
        free((void *)(uintptr_t)linear.weight.data);
    }
    make_nf4(&layer);
    check_kept("NF4", &packer, &layer.linear);
}

/* All that NF4's scales are made of. */
Test(packed, kept_nf4_has_these_scales, .fini = end) {
    mcv_packer packer = begin();
    Nf4Layer layer;
    mcv_packed packed;
    make_nf4(&layer);
    mcv_safetensors *kept = keep(&packer, &layer.linear, &packed);
    for (int i = 0; i < 6; i++) {
        make_nf4(&layer);
        if (i == 0)
            layer.absmax[0]++;
        else if (i == 1)
            layer.nested_absmax[0] += 1;
        else if (i == 2)
            layer.nested_table[0] += 1;
        else if (i == 3)
            layer.nf4.nested_offset += 1;
        else if (i == 4)
            layer.nf4.nested_block_size *= 2;
        else
            layer.nf4.block_size *= 2;
        cr_expect_eq(mcv_pack_linear(&packer, "layer", &layer.linear, MCV_PRECISION_STORED, &packed), MCV_DIFFERS,
                     "change %d", i);
    }
    make_nf4(&layer);
    cr_expect_eq(mcv_pack_linear(&packer, "layer", &layer.linear, MCV_PRECISION_STORED, &packed), MCV_OK);
    mcv_safetensors_close(kept);
}
