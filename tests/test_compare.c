#include <criterion/criterion.h>
#include <math.h>

#include "cli/compare.h"
#include "formats/safetensors.h"
#include "tests/temporary.h"

/* A dump in the making: what a test puts into golden.safetensors or exact.safetensors. */
typedef struct named_tensor {
    const char *name;
    mcv_tensor tensor;
} named_tensor;

static mcv_dump *write_dump(const char *name, const named_tensor *tensors, size_t count) {
    const char *path = temporary_path(name);
    mcv_safetensors_writer *writer;
    mcv_dump *file;
    cr_assert_eq(mcv_safetensors_create(path, &writer), MCV_OK);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(mcv_safetensors_add(writer, tensors[i].name, &tensors[i].tensor), MCV_OK);
    cr_assert_eq(mcv_safetensors_commit(writer), MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(mcv_dump_open(path, NULL, &file), MCV_OK, "%s", mcv_error_message());
    return file;
}

/* Starts a comparison by the program's own table, with another limit of the relative distance. */
static mcv_status start(mcv_comparison *comparison, const mcv_dump *golden, const mcv_dump *exact, double limit) {
    static mcv_tolerances *tolerances;
    mcv_tolerances_free(tolerances);
    cr_assert_eq(mcv_tolerances_open(&(mcv_arguments){0}, "ref", &tolerances), MCV_OK, "%s", mcv_error_message());
    mcv_tolerances_set_rel_l2(tolerances, limit);
    mcv_comparison_options options = {.golden = golden, .exact = exact, .tolerances = tolerances};
    return mcv_comparison_start(comparison, &options);
}

/* Compares `ours` with `golden` and `exact` (count 0: none). Returns the number of rows that fail; the first one's
 * problem goes to `problem`, the number of tensors that were really compared to *compared. */
static size_t compare_dumps(const named_tensor *ours, size_t num_ours, const named_tensor *golden, size_t num_golden,
                            const named_tensor *exact, size_t num_exact, char *problem, size_t *compared) {
    mcv_dump *golden_file = write_dump("golden", golden, num_golden);
    mcv_dump *exact_file = num_exact ? write_dump("exact", exact, num_exact) : NULL;
    mcv_comparison comparison;
    cr_assert_eq(start(&comparison, golden_file, exact_file, 2e-6), MCV_OK);
    for (size_t i = 0; i < num_ours; i++)
        cr_assert_eq(mcv_comparison_tensor(&comparison, ours[i].name, &ours[i].tensor), MCV_OK);
    cr_assert_eq(mcv_comparison_finish(&comparison), MCV_OK);
    const mcv_comparison_row *first = mcv_comparison_first_failure(&comparison);
    strcpy(problem, first ? first->problem : "");
    *compared = mcv_comparison_count(&comparison);
    size_t failures = 0;
    for (size_t i = 0; i < comparison.num_rows; i++) {
        failures += !comparison.rows[i].pass;
        cr_expect_eq(comparison.rows[i].pass, comparison.rows[i].problem[0] == 0, "a failure has its reason");
    }
    mcv_comparison_free(&comparison);
    mcv_dump_close(exact_file);
    mcv_dump_close(golden_file);
    return failures;
}

/* One tensor against one. "" where it passes, else the reason. */
static const char *compare_one(const char *name, mcv_tensor ours, mcv_tensor golden) {
    static char problem[256];
    size_t compared;
    named_tensor a = {name, ours}, b = {name, golden};
    compare_dumps(&a, 1, &b, 1, NULL, 0, problem, &compared);
    return problem;
}

static void expect_words(const char *problem, const char *words) {
    cr_expect(strstr(problem, words), "expected \"%s\", found \"%s\"", words, problem);
}

/* ---- Agreement ------------------------------------------------------------------------------------------------- */

Test(compare, the_limit_of_the_relative_distance) {
    float golden[4] = {1, -2, 4, 8}, ours[4];
    double norm = sqrt(1 + 4 + 16 + 64);
    memcpy(ours, golden, sizeof ours);
    cr_expect_str_eq(compare_one("x", MCV_TENSOR(MCV_F32, ours, 4), MCV_TENSOR(MCV_F32, golden, 4)), "");
    ours[3] = (float)(8 + 1.8e-6 * norm);
    cr_expect_str_eq(compare_one("x", MCV_TENSOR(MCV_F32, ours, 4), MCV_TENSOR(MCV_F32, golden, 4)), "");
    ours[3] = (float)(8 + 2.2e-6 * norm);
    expect_words(compare_one("x", MCV_TENSOR(MCV_F32, ours, 4), MCV_TENSOR(MCV_F32, golden, 4)),
                 "at most 2e-06; worst at [3]");
    /* Nothing but zeros: nothing may differ. */
    float zeros[2] = {0, -0.0f}, small[2] = {0, 1e-30f};
    cr_expect_str_eq(compare_one("x", MCV_TENSOR(MCV_F32, zeros, 2), MCV_TENSOR(MCV_F32, zeros, 2)), "");
    expect_words(compare_one("x", MCV_TENSOR(MCV_F32, small, 2), MCV_TENSOR(MCV_F32, zeros, 2)), "rel_l2 inf");
}

Test(compare, every_single_element_counts) {
    enum { COUNT = 2500 }; /* several blocks */
    float golden[COUNT], ours[COUNT];
    for (int i = 0; i < COUNT; i++)
        golden[i] = ours[i] = sinf((float)i);
    const int places[] = {0, 1, 1023, 1024, 1025, 2047, 2048, COUNT - 1};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char place[32];
        snprintf(place, sizeof place, "worst at [%d, %d]", places[i] / 50, places[i] % 50);
        ours[places[i]] += 0.01f;
        expect_words(compare_one("x", MCV_TENSOR(MCV_F32, ours, 50, 50), MCV_TENSOR(MCV_F32, golden, 50, 50)), place);
        ours[places[i]] = golden[places[i]];
    }
}

Test(compare, numbers_of_a_row) {
    float golden[3] = {3, 0, 4}, ours[3] = {3, 1, 4};
    named_tensor a = {"x", MCV_TENSOR(MCV_F32, golden, 3)};
    mcv_dump *file = write_dump("golden", &a, 1);
    mcv_comparison comparison;
    cr_assert_eq(start(&comparison, file, NULL, 1), MCV_OK);
    cr_assert_eq(mcv_comparison_tensor(&comparison, "x", &MCV_TENSOR(MCV_F32, ours, 3)), MCV_OK);
    cr_assert_eq(mcv_comparison_finish(&comparison), MCV_OK);
    cr_assert_eq(comparison.num_rows, 1);
    const mcv_comparison_row *row = &comparison.rows[0];
    cr_expect(row->pass && !row->measures.has_exact && row->measures.compared == 3);
    cr_expect_eq(row->measures.max_abs, 1);
    cr_expect_float_eq(row->measures.rel_l2, 0.2, 1e-15);
    cr_expect_float_eq(row->measures.cosine, 25 / (5 * sqrt(26)), 1e-15);
    mcv_comparison_free(&comparison);
    mcv_dump_close(file);
}

Test(compare, values_that_are_not_finite_fail) {
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        float golden[2] = {1, 2}, ours[2] = {1, bad[i]};
        mcv_tensor a = MCV_TENSOR(MCV_F32, ours, 2), b = MCV_TENSOR(MCV_F32, golden, 2);
        expect_words(compare_one("x", a, b), "not finite at [1]");
        expect_words(compare_one("x", b, a), "not finite at [1]");
        expect_words(compare_one("x", a, a), "not finite at [1]");
    }
}

Test(compare, integers_and_pixels_must_be_equal) {
    int32_t ids[3] = {5, 6, 7}, other_ids[3] = {5, 6, 8};
    float pixels[2] = {0.5f, 1}, other_pixels[2] = {0.5f, nextafterf(1, 2)};
    mcv_tensor a = MCV_TENSOR(MCV_I32, ids, 3), b = MCV_TENSOR(MCV_I32, other_ids, 3);
    cr_expect_str_eq(compare_one("input_ids", a, a), "");
    expect_words(compare_one("input_ids", a, b), "first unequal at [2]: 7, golden 8");
    a = MCV_TENSOR(MCV_F32, pixels, 2);
    b = MCV_TENSOR(MCV_F32, other_pixels, 2);
    cr_expect_str_eq(compare_one("pixel_values.0.0", a, a), "");
    expect_words(compare_one("pixel_values.0.0", a, b), "first unequal at [1]");
    cr_expect_str_eq(compare_one("vpm", a, b), "", "an ulp elsewhere is no failure");
}

Test(compare, shapes_and_types_must_agree) {
    float values[6] = {1, 2, 3, 4, 5, 6};
    int32_t integers[6] = {1, 2, 3, 4, 5, 6};
    int64_t wide[6] = {1, 2, 3, 4, 5, 6};
    uint16_t halves[2] = {0x3f80, 0x4000}; /* 1, 2 as BF16 */
    mcv_tensor flat = MCV_TENSOR(MCV_F32, values, 6), table = MCV_TENSOR(MCV_F32, values, 2, 3);
    expect_words(compare_one("x", flat, table), "shape [6], golden [2, 3]");
    expect_words(compare_one("x", MCV_TENSOR(MCV_F32, values, 3, 2), table), "shape [3, 2], golden [2, 3]");
    expect_words(compare_one("x", MCV_TENSOR(MCV_I32, integers, 6), flat), "type I32, golden F32");
    cr_expect_str_eq(compare_one("x", MCV_TENSOR(MCV_I64, wide, 6), MCV_TENSOR(MCV_I32, integers, 6)), "");
    cr_expect_str_eq(compare_one("x", MCV_TENSOR(MCV_BF16, halves, 2), MCV_TENSOR(MCV_F32, values, 2)), "");
}

/* ---- Sets of tensors ------------------------------------------------------------------------------------------- */

Test(compare, missing_tensors_fail_and_further_ones_do_not) {
    float values[2] = {1, 2};
    named_tensor tensors[2] = {{"a", MCV_TENSOR(MCV_F32, values, 2)}, {"b", MCV_TENSOR(MCV_F32, values, 2)}};
    char problem[256];
    size_t compared;
    cr_expect_eq(compare_dumps(tensors, 1, tensors, 2, NULL, 0, problem, &compared), 1);
    cr_expect_str_eq(problem, "missing");
    cr_expect_eq(compare_dumps(tensors, 2, tensors, 1, NULL, 0, problem, &compared), 0);
    cr_expect_eq(compared, 1);
    cr_expect_eq(compare_dumps(tensors, 0, tensors, 0, NULL, 0, problem, &compared), 0);
    cr_expect_eq(compared, 0, "nothing in common is no comparison");
    tensors[1].name = "a";
    cr_expect_eq(compare_dumps(tensors, 2, tensors, 1, NULL, 0, problem, &compared), 1);
    cr_expect_str_eq(problem, "made twice");
}

Test(compare, tensors_without_elements_are_no_comparison) {
    named_tensor tensor = {"image_bound.0", MCV_TENSOR(MCV_I32, NULL, 0, 2)};
    char problem[256];
    size_t compared;
    cr_expect_eq(compare_dumps(&tensor, 1, &tensor, 1, NULL, 0, problem, &compared), 0);
    cr_expect_eq(compared, 0);
}

Test(compare, rows_come_in_the_order_of_execution) {
    float values[1] = {1};
    mcv_tensor one = MCV_TENSOR(MCV_F32, values, 1);
    named_tensor tensors[] = {{"llm.lm_head", one}, {"resampler", one}, {"vpm", one}, {"vpm.embeddings", one}};
    mcv_dump *file = write_dump("golden", tensors, 4);
    mcv_comparison comparison;
    cr_assert_eq(start(&comparison, file, NULL, 1), MCV_OK);
    cr_assert_eq(mcv_comparison_tensor(&comparison, "llm.lm_head", &one), MCV_OK);
    cr_assert_eq(mcv_comparison_finish(&comparison), MCV_OK);
    const char *expected[] = {"vpm.embeddings", "vpm", "resampler", "llm.lm_head"};
    for (int i = 0; i < 4; i++)
        cr_expect_str_eq(comparison.rows[i].name, expected[i]);
    cr_expect_str_eq(mcv_comparison_first_failure(&comparison)->name, "vpm.embeddings");
    mcv_comparison_free(&comparison);
    mcv_dump_close(file);
}

Test(compare, a_rejected_tensor_fails) {
    float values[1] = {1};
    named_tensor a = {"x", MCV_TENSOR(MCV_F32, values, 1)};
    mcv_dump *file = write_dump("golden", &a, 1);
    mcv_comparison comparison;
    cr_assert_eq(start(&comparison, file, NULL, 1), MCV_OK);
    cr_assert_eq(mcv_comparison_tensor(&comparison, "x", &a.tensor), MCV_OK);
    cr_expect_null(mcv_comparison_first_failure(&comparison));
    cr_assert_eq(mcv_comparison_reject(&comparison, "x", "bits"), MCV_OK);
    cr_expect_str_eq(mcv_comparison_first_failure(&comparison)->problem, "bits");
    cr_assert_eq(mcv_comparison_reject(&comparison, "y", "bits"), MCV_OK);
    cr_expect_eq(comparison.num_rows, 2, "a tensor that golden lacks");
    mcv_comparison_free(&comparison);
    mcv_dump_close(file);
}

Test(compare, texts) {
    mcv_dump *file = write_dump("golden", NULL, 0);
    mcv_comparison comparison;
    json_t *ours = json_pack("[s, s]", "a\xc3\xa4z", "b");
    cr_assert_eq(start(&comparison, file, NULL, 1), MCV_OK);
    cr_assert_eq(mcv_comparison_json(&comparison, "text.a", ours, "[ \"a\\u00e4z\",\"b\"]"), MCV_OK);
    cr_expect_null(mcv_comparison_first_failure(&comparison));
    cr_assert_eq(mcv_comparison_json(&comparison, "text.b", ours, "[\"a\\u00e5z\", \"b\"]"), MCV_OK);
    expect_words(mcv_comparison_first_failure(&comparison)->problem,
                 "unequal from byte 3 on: \xc3\xa4z\",\"b\"], golden \xc3\xa5z\",\"b\"]");
    cr_expect_eq(mcv_comparison_json(&comparison, "text.c", ours, "[\"a"), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "metadata: text.c: "), "%s", mcv_error_message());
    cr_expect_eq(mcv_comparison_count(&comparison), 0, "texts are no tensors");
    json_decref(ours);
    mcv_comparison_free(&comparison);
    mcv_dump_close(file);
}

/* A model may write the byte 0, which is a character like any other. */
Test(compare, texts_with_zero_bytes) {
    mcv_dump *file = write_dump("golden", NULL, 0);
    mcv_comparison comparison;
    cr_assert_eq(start(&comparison, file, NULL, 1), MCV_OK);
    json_t *ours = json_pack("[s%]", "a\0b", (size_t)3);
    cr_assert_eq(mcv_comparison_json(&comparison, "text.a", ours, "[\"a\\u0000b\"]"), MCV_OK, "%s",
                 mcv_error_message());
    cr_expect_null(mcv_comparison_first_failure(&comparison));
    cr_assert_eq(mcv_comparison_json(&comparison, "text.b", ours, "[\"a\\u0000c\"]"), MCV_OK, "%s",
                 mcv_error_message());
    cr_expect_not_null(mcv_comparison_first_failure(&comparison));
    json_decref(ours);
    mcv_comparison_free(&comparison);
    mcv_dump_close(file);
}

/* ---- The exact rule -------------------------------------------------------------------------------------------- */

/* golden is `golden_error` away from an exact 1.0 and ours `our_error`; both in units of 2^-23. */
static size_t judge_exact(double exact_value, double golden_error, double our_error, char *problem) {
    float golden[2] = {(float)(1 + golden_error * 0x1p-23), 1}, ours[2] = {(float)(1 + our_error * 0x1p-23), 1};
    double exact[2] = {exact_value, 1};
    named_tensor a = {"vpm", MCV_TENSOR(MCV_F32, ours, 2)}, b = {"vpm", MCV_TENSOR(MCV_F32, golden, 2)};
    named_tensor c = {"vpm", MCV_TENSOR(MCV_F64, exact, 2)};
    size_t compared;
    return compare_dumps(&a, 1, &b, 1, &c, 1, problem, &compared);
}

Test(compare, half_as_far_from_exact_as_golden) {
    char problem[256];
    cr_expect_eq(judge_exact(1, 4, 2, problem), 0, "half: %s", problem);
    cr_expect_eq(judge_exact(1, 4, -2, problem), 0, "half on the other side: %s", problem);
    cr_expect_eq(judge_exact(1, 4, 3, problem), 1, "more than half");
    expect_words(problem, "worst at [0]");
    cr_expect_eq(judge_exact(1, 0, 1, problem), 1, "golden is exact and ours is not");
    cr_expect_eq(judge_exact(1, 0, 0, problem), 0, "both are exact");
}

Test(compare, or_as_near_as_fp32_can_be) {
    char problem[256];
    double between = 1 + 0.4 * 0x1p-23; /* rounds to 1, which is 0.4 away */
    cr_expect_eq(judge_exact(between, 0, 0, problem), 0, "%s", problem);
    cr_expect_eq(judge_exact(between, 0, 1, problem), 1, "0.6 away");
    cr_expect_eq(judge_exact(NAN, 0, 0, problem), 1, "not finite");
}

Test(compare, a_golden_tensor_that_is_far_off_widens_no_allowance) {
    char problem[256];
    cr_expect_eq(judge_exact(1, 1000, 0, problem), 1);
    expect_words(problem, "rel_l2 8.43e-05, at most 1e-05; worst at [0]");
}

Test(compare, a_tensor_without_exact_has_the_limit) {
    float golden[1] = {1}, ours[1] = {1 + 1e-6f};
    double exact[1] = {1};
    named_tensor a = {"inputs_embeds", MCV_TENSOR(MCV_F32, ours, 1)};
    named_tensor b = {"inputs_embeds", MCV_TENSOR(MCV_F32, golden, 1)}, c = {"vpm", MCV_TENSOR(MCV_F64, exact, 1)};
    char problem[256];
    size_t compared;
    cr_expect_eq(compare_dumps(&a, 1, &b, 1, &c, 1, problem, &compared), 0, "%s", problem);
    c = (named_tensor){"inputs_embeds", MCV_TENSOR(MCV_F64, exact, 1, 1)};
    cr_expect_eq(compare_dumps(&a, 1, &b, 1, &c, 1, problem, &compared), 1);
    expect_words(problem, "exact tensor's shape");
}

/* ---- Padding --------------------------------------------------------------------------------------------------- */

/* Two conversations of 2 and 3 positions; slices of 2 x 1 and 1 x 1 patches in the first, 3 x 1 in the second. */
static uint8_t mask[6] = {0, 1, 1, 1, 0, 1}; /* id 0 within a prompt is masked, but no padding */
static int32_t sizes_0[4] = {2, 1, 1, 1}, sizes_1[2] = {3, 1};

static float ones[64];

/* Compares tensor `name` with itself but for one poisoned element; whether that passes. `batch_size`: slices in the
 * encoder's first batch, for names with "#1" and above. */
static bool passes_with_poison(const char *name, const char *our_name, mcv_tensor golden, size_t place,
                               int batch_size) {
    named_tensor golden_dump[5] = {{"attention_mask", MCV_TENSOR(MCV_U8, mask, 2, 3)},
                                   {"tgt_sizes.0", MCV_TENSOR(MCV_I32, sizes_0, 2, 2)},
                                   {"tgt_sizes.1", MCV_TENSOR(MCV_I32, sizes_1, 1, 2)},
                                   {name, golden},
                                   {"vpm.first#0", MCV_TENSOR(MCV_F32, ones, batch_size, 3, 2)}};
    named_tensor ours[5];
    char problem[256];
    size_t count, compared;
    mcv_tensor_count(&golden, &count);
    float *poisoned = malloc(count * sizeof *poisoned);
    memcpy(poisoned, golden.data, count * sizeof *poisoned);
    poisoned[place] = NAN;
    memcpy(ours, golden_dump, sizeof golden_dump);
    ours[3].name = our_name;
    ours[3].tensor.data = poisoned;
    size_t failures = compare_dumps(ours, 5, golden_dump, 5, NULL, 0, problem, &compared);
    free(poisoned);
    return failures == 0;
}

static void fill_ones(void) {
    for (size_t i = 0; i < sizeof ones / sizeof ones[0]; i++)
        ones[i] = 1;
}

Test(compare, padding_of_prompts_is_passed_over, .init = fill_ones) {
    mcv_tensor layer = MCV_TENSOR(MCV_F32, ones, 2, 3, 2);
    for (size_t i = 0; i < 12; i++) {
        bool padded = i < 2; /* position 0 of conversation 0 */
        cr_expect_eq(passes_with_poison("llm.model.layers.0", "llm.model.layers.0", layer, i, 3), padded, "%zu", i);
        cr_expect_eq(passes_with_poison("inputs_embeds", "inputs_embeds", layer, i, 3), padded, "%zu", i);
    }
    mcv_tensor heads = MCV_TENSOR(MCV_F32, ones, 2, 3, 1, 2);
    cr_expect(
        passes_with_poison("llm.model.layers.0.self_attn.q_norm", "llm.model.layers.0.self_attn.q_norm", heads, 1, 3));
    cr_expect(
        !passes_with_poison("llm.model.layers.0.self_attn.q_norm", "llm.model.layers.0.self_attn.q_norm", heads, 2, 3));
    mcv_tensor last = MCV_TENSOR(MCV_F32, ones, 2, 1, 4); /* of the last position alone */
    for (size_t i = 0; i < 8; i++)
        cr_expect(!passes_with_poison("llm.lm_head", "llm.lm_head", last, i, 3));
}

Test(compare, padding_of_slices_is_passed_over, .init = fill_ones) {
    static const bool PADDED[9] = {0, 0, 1, 0, 1, 1, 0, 0, 0}; /* 2, 1 and 3 of 3 patches */
    static const char *const NAMES[] = {"vpm", "vpm.encoder.layers.0.mlp.fc1", "resampler.kv_proj", "resampler.ln_kv"};
    mcv_tensor tensor = MCV_TENSOR(MCV_F32, ones, 3, 3, 2);
    for (size_t name = 0; name < 4; name++)
        for (size_t i = 0; i < 18; i++)
            cr_expect_eq(passes_with_poison(NAMES[name], NAMES[name], tensor, i, 3), PADDED[i / 2], "%s %zu",
                         NAMES[name], i);
    for (size_t i = 0; i < 18; i++)
        cr_expect(!passes_with_poison("resampler.ln_post", "resampler.ln_post", tensor, i, 3));
}

Test(compare, encoder_batches_go_on_where_the_one_before_ended, .init = fill_ones) {
    static const bool PADDED[9] = {0, 0, 1, 0, 1, 1, 0, 0, 0};
    mcv_tensor one = MCV_TENSOR(MCV_F32, ones, 1, 3, 2), two = MCV_TENSOR(MCV_F32, ones, 2, 3, 2);
    for (size_t i = 0; i < 6; i++) {
        cr_expect_eq(passes_with_poison("vpm.first#1", "vpm.first#1", one, i, 1), PADDED[3 + i / 2], "%zu", i);
        cr_expect_eq(passes_with_poison("vpm.first#2", "vpm.first#2", one, i, 1), PADDED[6 + i / 2], "%zu", i);
        cr_expect_eq(passes_with_poison("vpm.first#1", "vpm.first#1", one, i, 2), PADDED[6 + i / 2], "%zu", i);
    }
    for (size_t i = 0; i < 12; i++) {
        cr_expect_eq(passes_with_poison("vpm#0", "vpm", two, i, 2), PADDED[i / 2], "%zu", i);
        cr_expect_eq(passes_with_poison("vpm", "vpm#0", two, i, 2), PADDED[i / 2], "%zu", i);
    }
}

Test(compare, damaged_sizes_are_bad_input) {
    float wrong[2] = {1, 1};
    int32_t negative[2] = {-1, 4}, huge[2] = {INT32_MAX, INT32_MAX};
    const named_tensor bad[] = {{"attention_mask", MCV_TENSOR(MCV_F32, wrong, 1, 2)},
                                {"tgt_sizes.0", MCV_TENSOR(MCV_I32, negative, 2)},
                                {"tgt_sizes.0", MCV_TENSOR(MCV_I32, negative, 1, 2)},
                                {"tgt_sizes.0", MCV_TENSOR(MCV_I32, huge, 1, 2)}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        named_tensor tensors[2] = {bad[i], {"attention_mask", MCV_TENSOR(MCV_U8, mask, 1, 2)}};
        mcv_dump *file = write_dump("golden", tensors, i == 0 ? 1 : 2);
        mcv_comparison comparison;
        cr_expect_eq(start(&comparison, file, NULL, 1), MCV_BAD_INPUT, "%zu", i);
        mcv_comparison_free(&comparison);
        mcv_dump_close(file);
    }
}
