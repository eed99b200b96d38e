#include <criterion/criterion.h>
#include <math.h>

#include "formats/json.h"
#include "formats/quantize_blocks.h"
#include "formats/quantize_mix.h"

enum { ROWS = 64, COLUMNS = 1024, MOST_BYTES = COLUMNS * 4 };

/* The numbers of tests/fixtures/make_quantizer_errors.py. */
static float *make_numbers(bool heavy) {
    float *values = malloc(sizeof *values * ROWS * COLUMNS);
    uint32_t state = 1;
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        int64_t total = -131070;
        for (int j = 0; j < 4; j++) {
            state = state * 1664525u + 1013904223u;
            total += state >> 16;
        }
        int64_t cube = total * total * total;
        int64_t scaled = cube >= 0 ? cube / (1 << 24) : -((-cube + (1 << 24) - 1) / (1 << 24)); /* rounded down */
        values[i] = (float)(heavy ? scaled : total) / (float)(1 << 20);
    }
    return values;
}

/* norm(read back - values) / norm(values), each square times the importance of its column (NULL: 1). */
static double error_of(mcv_weight_type type, const float *values, int rows, const float *importance,
                       const float *measured_by) {
    static uint8_t blocks[MOST_BYTES];
    static float back[COLUMNS];
    double error = 0, total = 0;
    for (int r = 0; r < rows; r++) {
        const float *row = values + r * COLUMNS;
        mcv_quantize_row(type, row, importance, COLUMNS, blocks);
        mcv_dequantize(type, blocks, COLUMNS / mcv_weight_block_size(type), back);
        for (int i = 0; i < COLUMNS; i++) {
            double w = measured_by ? (double)measured_by[i] : 1, difference = (double)back[i] - (double)row[i];
            error += w * difference * difference;
            total += w * (double)row[i] * (double)row[i];
        }
    }
    return total > 0 ? sqrt(error / total) : error;
}

/* ggml's own quantizers have these errors: tests/fixtures/make_quantizer_errors.py. */
Test(quantize, no_worse_than_ggml) {
    mcv_json errors;
    cr_assert_eq(mcv_json_load("tests/fixtures/quantizer_errors.json", &errors), MCV_OK, "%s", mcv_error_message());
    for (int heavy = 0; heavy < 2; heavy++) {
        float *values = make_numbers(heavy);
        for (int type = MCV_WEIGHT_Q4_0; type < MCV_WEIGHT_BLOCK_TYPES; type++) {
            const char *name = mcv_weight_type_name((mcv_weight_type)type);
            mcv_json member = mcv_json_member(&errors, name);
            double theirs = 0, ours = error_of((mcv_weight_type)type, values, ROWS, NULL, NULL);
            cr_assert_eq(mcv_json_get_double(&member, heavy ? "heavy" : "normal", 0, 1, &theirs), MCV_OK);
            cr_assert(theirs > 0, "%s", name);
            cr_expect(ours <= theirs, "%s: %g, ggml %g", name, ours, theirs);
            cr_expect(ours > 0.5 * theirs, "%s: %g is too good to be true", name, ours);
        }
        free(values);
    }
    mcv_json_free(&errors);
}

Test(quantize, plain_types_round_once) {
    float *values = make_numbers(false);
    cr_expect_eq(error_of(MCV_WEIGHT_F32, values, ROWS, NULL, NULL), 0);
    cr_expect(error_of(MCV_WEIGHT_F16, values, ROWS, NULL, NULL) < 0x1p-11);
    cr_expect(error_of(MCV_WEIGHT_BF16, values, ROWS, NULL, NULL) < 0x1p-8);
    free(values);
}

/* Columns that count more come nearer. */
Test(quantize, importance) {
    float *values = make_numbers(false), importance[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        importance[i] = i % 8 == 0 ? 10 : 0.1f;
    for (int type = MCV_WEIGHT_Q4_0; type < MCV_WEIGHT_BLOCK_TYPES; type++) {
        double with = error_of((mcv_weight_type)type, values, ROWS, importance, importance);
        double without = error_of((mcv_weight_type)type, values, ROWS, NULL, importance);
        cr_expect(with < without, "%s: %g with, %g without", mcv_weight_type_name((mcv_weight_type)type), with,
                  without);
    }
    free(values);
}

static void fill(float *row, float value) {
    for (int i = 0; i < COLUMNS; i++)
        row[i] = value;
}

/* Rows that make scales vanish, or lie at the ends of their range. */
Test(quantize, corners) {
    static const float VALUES[] = {0, 1, -1, 0.7f, 1e-7f, -1e-30f, 1e-44f, 60000, -60000};
    float row[COLUMNS];
    for (int type = MCV_WEIGHT_Q4_0; type < MCV_WEIGHT_BLOCK_TYPES; type++) {
        const char *name = mcv_weight_type_name((mcv_weight_type)type);
        for (size_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++) {
            fill(row, VALUES[i]);
            double error = error_of((mcv_weight_type)type, row, 1, NULL, NULL);
            cr_expect(isfinite(error) && error <= 1.0 + 1e-6, "%s of %g: %g", name, (double)VALUES[i], error);
            if (fabsf(VALUES[i]) >= 0.5f)
                cr_expect(error < 0.01, "%s of %g: %g", name, (double)VALUES[i], error);
        }
        fill(row, 0);
        row[300] = 1; /* alone in its block */
        /* IQ4 has no 0 among its levels: the nearest is one 127th of the largest. */
        cr_expect(error_of((mcv_weight_type)type, row, 1, NULL, NULL) < 0.05, "%s: one among zeros", name);
    }
}

/* ---- Mixes ------------------------------------------------------------------------------------------------------ */

static mcv_weight_type choose(const char *mix, const char *name, int64_t columns) {
    const mcv_mix_model model = {.layers = 36, .queries_per_key = 4};
    return mcv_mix_choose(mcv_mix_find(mix), &model, name, 2, (int64_t[]){1024, columns});
}

Test(quantize, mixes) {
    cr_expect_eq(choose("Q4_K_M", "blk.0.attn_v.weight", 4096), MCV_WEIGHT_Q6_K);
    cr_expect_eq(choose("q4_k_m", "blk.5.attn_v.weight", 4096), MCV_WEIGHT_Q4_K);
    cr_expect_eq(choose("Q4_K_M", "blk.6.ffn_down.weight", 4096), MCV_WEIGHT_Q6_K);
    cr_expect_eq(choose("Q4_K_M", "blk.35.ffn_down.weight", 4096), MCV_WEIGHT_Q6_K);
    cr_expect_eq(choose("Q4_K_M", "blk.0.attn_q.weight", 4096), MCV_WEIGHT_Q4_K);
    cr_expect_eq(choose("Q4_K_M", "output.weight", 4096), MCV_WEIGHT_Q6_K);
    cr_expect_eq(choose("Q4_K_M", "token_embd.weight", 4096), MCV_WEIGHT_Q4_K);
    cr_expect_eq(choose("Q4_K_S", "blk.3.attn_v.weight", 4096), MCV_WEIGHT_Q5_K);
    cr_expect_eq(choose("Q4_K_S", "blk.4.ffn_down.weight", 4096), MCV_WEIGHT_Q4_K);
    cr_expect_eq(choose("Q2_K", "blk.9.attn_v.weight", 4096), MCV_WEIGHT_Q4_K);
    cr_expect_eq(choose("Q3_K_M", "blk.1.ffn_down.weight", 4096), MCV_WEIGHT_Q5_K);
    cr_expect_eq(choose("Q3_K_M", "blk.2.ffn_down.weight", 4096), MCV_WEIGHT_Q4_K);
    cr_expect_eq(choose("Q8_0", "output.weight", 4096), MCV_WEIGHT_Q8_0);
    cr_expect_eq(choose("F16", "output.weight", 4096), MCV_WEIGHT_F16);
    /* Rows that no block divides. */
    cr_expect_eq(choose("Q4_K_M", "blk.5.attn_q.weight", 96), MCV_WEIGHT_Q5_0);
    cr_expect_eq(choose("Q4_K_M", "output.weight", 96), MCV_WEIGHT_Q8_0);
    cr_expect_eq(choose("Q4_K_M", "blk.5.attn_q.weight", 40), MCV_WEIGHT_F16);
    const mcv_mix_model tied = {.layers = 36, .queries_per_key = 4, .tied_embeddings = true};
    cr_expect_eq(mcv_mix_choose(mcv_mix_find("Q4_0"), &tied, "token_embd.weight", 2, (int64_t[]){9, 4096}),
                 MCV_WEIGHT_Q6_K);
    cr_expect_eq(mcv_mix_choose(mcv_mix_find("Q4_0"), &tied, "output_norm.weight", 1, (int64_t[]){4096}),
                 MCV_WEIGHT_F32);
    cr_expect_null(mcv_mix_find("Q4_K_X"));
    for (size_t i = 0; mcv_mix_at(i); i++)
        cr_expect_eq(mcv_mix_find(mcv_mix_name(mcv_mix_at(i))), mcv_mix_at(i));
}
