/* Decoding against transformers' generate on a toy model (tests/fixtures/make_generation.py), sampling against its
 * probabilities, and what must be refused. */
#include <criterion/criterion.h>
#include <limits.h>

#include "ref/logits_process.h"
#include "ref/topk.h"
#include "tests/toy_model.h"

enum { VOCAB = 24, MAX_LENGTH = 32 };

static const Toy TOY = {.vocab_size = VOCAB, .bits = 16, .scale = 1, .end_tokens = {23, 22}, .num_end_tokens = 2};
static const int32_t END_TOKENS[] = {23, 22};

static GenerationConfig toy_config(void) {
    GenerationConfig config = GenerationConfig_default();
    config.eos_token_ids = END_TOKENS;
    config.num_eos_token_ids = 2;
    return config;
}

/* ---- The ids of transformers -------------------------------------------------------------------------------- */

static json_t *fixture(const char *key) {
    static json_t *file;
    if (!file)
        file = json_load_file("tests/fixtures/generation.json", 0, NULL);
    cr_assert(file, "tests/fixtures/generation.json cannot be read");
    json_t *list = json_object_get(file, key);
    cr_assert(json_array_size(list) > 0);
    return list;
}

/* What the stream passed on, row by row. */
typedef struct Streamed {
    int32_t ids[TOY_ROWS][MAX_LENGTH];
    size_t counts[TOY_ROWS];
} Streamed;

static mcv_status collect(void *context, int row, const int32_t *ids, int count) {
    Streamed *streamed = context;
    for (int i = 0; i < count; i++)
        streamed->ids[row][streamed->counts[row]++] = ids[i];
    return MCV_OK;
}

static void check_row(const json_t *expected, const TokenIds *found, size_t setting, int row) {
    cr_assert_eq(found->count, json_array_size(expected), "setting %zu, row %d: %zu ids, expected %zu", setting, row,
                 found->count, json_array_size(expected));
    for (size_t t = 0; t < found->count; t++)
        cr_assert_eq(found->data[t], json_integer_value(json_array_get(expected, t)), "setting %zu, row %d, id %zu",
                     setting, row, t);
}

static void check_stream(const Streamed *streamed, const TokenIds *sequence, int row, int32_t pad_token_id) {
    cr_assert(streamed->counts[row] > 0 && streamed->counts[row] <= sequence->count);
    cr_assert_arr_eq(streamed->ids[row], sequence->data, streamed->counts[row] * sizeof(int32_t));
    for (size_t t = streamed->counts[row]; t < sequence->count; t++)
        cr_assert_eq(sequence->data[t], pad_token_id, "a new id that was not passed on");
}

Test(generation, ids_are_those_of_transformers_and_rows_move_no_more_than_they_must) {
    size_t index;
    json_t *setting;
    int steps = 0, selections = 0;
    json_array_foreach(fixture("decoding"), index, setting) {
        TokenIds sequences[TOY_ROWS] = {{0}};
        Streamed streamed = {0};
        int count;
        Toy toy;
        cr_assert_eq(toy_generate(setting, &toy, collect, &streamed, sequences, &count), MCV_OK, "setting %zu: %s",
                     index, mcv_error_message());
        for (int row = 0; row < count; row++) {
            check_row(json_array_get(json_object_get(setting, "sequences"), (size_t)row), &sequences[row], index, row);
            check_stream(&streamed, &sequences[row], row,
                         (int32_t)json_integer_value(json_object_get(setting, "pad_token_id")));
            TokenIds_free(&sequences[row]);
        }
        if (json_integer_value(json_object_get(setting, "num_beams")) == 1)
            cr_assert_eq(toy.selections, 0);
        cr_assert_eq(toy.steps, json_integer_value(json_object_get(setting, "steps")), "setting %zu: %d steps", index,
                     toy.steps);
        steps += toy.steps;
        selections += toy.selections;
    }
    cr_assert(selections > 0 && selections < steps);
}

Test(generation, processed_scores_are_those_of_transformers) {
    size_t index;
    json_t *setting;
    json_array_foreach(fixture("processing"), index, setting) {
        const json_t *ids = json_object_get(setting, "history");
        int32_t history[MAX_LENGTH];
        float scores[VOCAB];
        size_t count = json_array_size(ids);
        GenerationConfig config;
        LogitsScratch scratch;
        Toy toy;
        cr_assert(toy_read(setting, &toy, &config));
        cr_assert_eq(LogitsScratch_create(&scratch, toy.vocab_size), MCV_OK);
        for (size_t i = 0; i < count; i++)
            history[i] = (int32_t)json_integer_value(json_array_get(ids, i));
        uint32_t prompt = (uint32_t)json_integer_value(json_array_get(json_object_get(setting, "prompts"), 0));
        toy_logits(&toy, toy_state(prompt, history, count), scores);
        if (config.num_beams > 1)
            logits_log_softmax(scores, toy.vocab_size);
        cr_assert_eq(LogitsProcessorList_call(&config, history, count, scores, toy.vocab_size, &scratch), MCV_OK);
        for (int id = 0; id < toy.vocab_size; id++) {
            const json_t *value = json_array_get(json_object_get(setting, "scores"), (size_t)id);
            double expected = json_is_null(value) ? -INFINITY : json_number_value(value);
            /* torch's log_softmax has errors of its own. */
            double tolerance = config.num_beams > 1 && isfinite(expected) ? 1e-6 * fmax(fabs(expected), 1) : 0;
            cr_assert((double)scores[id] == expected || fabs((double)scores[id] - expected) <= tolerance,
                      "setting %zu, token %d: %.9g, expected %.9g", index, id, (double)scores[id], expected);
        }
        LogitsScratch_free(&scratch);
    }
}

Test(generation, topk_is_a_sort_cut_short) {
    enum { COUNT = 200 };
    float keys[COUNT];
    int32_t all[COUNT], few[COUNT];
    for (int i = 0; i < COUNT; i++)
        keys[i] = (float)(toy_mix((uint32_t)i + 9) % 40) - 20;
    keys[17] = keys[170] = -INFINITY;
    topk(keys, COUNT, COUNT, all);
    for (int i = 1; i < COUNT; i++)
        cr_assert(keys[all[i - 1]] > keys[all[i]] || (keys[all[i - 1]] == keys[all[i]] && all[i - 1] < all[i]));
    for (int k = 1; k < COUNT; k++) {
        topk(keys, COUNT, k, few);
        cr_assert_arr_eq(few, all, (size_t)k * sizeof *few);
    }
}

/* ---- Sampling ----------------------------------------------------------------------------------------------- */

static double chi_square_of(const int *counts, const double *probs, int draws) {
    double sum = 0;
    for (int id = 0; id < VOCAB; id++) {
        double expected = draws * probs[id];
        if (expected > 0)
            sum += (counts[id] - expected) * (counts[id] - expected) / expected;
    }
    return sum;
}

/* Counts the first ids of `draws` seeds. */
static void draw_first_ids(int num_beams, int draws, int *counts) {
    uint32_t prompt = 7;
    float logits[VOCAB];
    GenerationConfig config = toy_config();
    config.do_sample = true;
    config.num_beams = num_beams;
    config.max_new_tokens = 1;
    config.top_k = 0;
    for (int draw = 0; draw < draws; draw++) {
        TokenIds sequence = {0};
        Toy toy = TOY;
        GenerationModel model = toy_model(&toy);
        toy_begin(&toy, &prompt, 1, logits);
        config.seed = (uint64_t)draw;
        cr_assert_eq(GenerationMixin_generate(&model, logits, 1, &config, NULL, NULL, &sequence), MCV_OK);
        cr_assert_eq(sequence.count, 1);
        counts[sequence.data[0]]++;
        TokenIds_free(&sequence);
    }
}

static void first_probabilities(float *probs) {
    float logits[VOCAB];
    toy_logits(&TOY, toy_state(7, NULL, 0), logits);
    logits_softmax(logits, VOCAB, probs);
}

/* Of 23 degrees of freedom 1 in 10000 chi-squares is above 56, 1 in a million below 4. */
static void check_chi_square(const int *counts, const double *probs, int draws) {
    double chi_square = chi_square_of(counts, probs, draws);
    cr_expect(chi_square < 56, "chi-square %g", chi_square);
    cr_expect(chi_square > 4, "chi-square %g: too even to be random", chi_square);
}

Test(generation, sampling_follows_the_probabilities) {
    enum { DRAWS = 20000 };
    int counts[VOCAB] = {0};
    float probs[VOCAB];
    double expected[VOCAB];
    draw_first_ids(1, DRAWS, counts);
    first_probabilities(probs);
    for (int id = 0; id < VOCAB; id++)
        expected[id] = (double)probs[id];
    check_chi_square(counts, expected, DRAWS);
}

/* Two beams draw two tokens without replacement, i before j with probability p_i p_j / (1 - p_i), and the likelier of
 * them is the answer of length 1. */
Test(generation, sampling_with_beams_draws_without_replacement) {
    enum { DRAWS = 20000 };
    int counts[VOCAB] = {0};
    float probs[VOCAB];
    double expected[VOCAB] = {0};
    draw_first_ids(2, DRAWS, counts);
    first_probabilities(probs);
    for (int i = 0; i < VOCAB; i++)
        for (int j = 0; j < VOCAB; j++)
            if (j != i)
                expected[probs[i] > probs[j] ? i : j] += (double)probs[i] * (double)probs[j] / (1 - (double)probs[i]);
    check_chi_square(counts, expected, DRAWS);
}

enum { SAMPLED = 8 };

/* out: [count, SAMPLED] */
static void sample_rows(uint64_t seed, int num_beams, const uint32_t *prompts, int count, int32_t *out) {
    float logits[2 * VOCAB];
    TokenIds sequences[2] = {{0}};
    GenerationConfig config = toy_config();
    Toy toy = TOY;
    toy.end_bonus = -8;
    GenerationModel model = toy_model(&toy);
    config.do_sample = true;
    config.num_beams = num_beams;
    config.max_new_tokens = SAMPLED;
    config.seed = seed;
    toy_begin(&toy, prompts, count, logits);
    cr_assert_eq(GenerationMixin_generate(&model, logits, count, &config, NULL, NULL, sequences), MCV_OK);
    for (int i = 0; i < count; i++) {
        cr_assert_eq(sequences[i].count, SAMPLED);
        memcpy(out + SAMPLED * i, sequences[i].data, SAMPLED * sizeof *out);
        TokenIds_free(&sequences[i]);
    }
}

Test(generation, a_seed_gives_the_same_ids_again) {
    const uint32_t PROMPTS[] = {11, 12};
    for (int num_beams = 1; num_beams <= 3; num_beams += 2) {
        int32_t first[2 * SAMPLED], again[2 * SAMPLED], other[2 * SAMPLED];
        sample_rows(5, num_beams, PROMPTS, 2, first);
        sample_rows(5, num_beams, PROMPTS, 2, again);
        sample_rows(6, num_beams, PROMPTS, 2, other);
        cr_expect_arr_eq(first, again, sizeof first);
        cr_expect(memcmp(first, other, sizeof first) != 0);
    }
}

Test(generation, what_is_sampled_does_not_depend_on_other_rows) {
    const uint32_t PROMPTS[] = {11, 12}, OTHERS[] = {11, 99}, TWINS[] = {11, 11};
    int32_t alone[SAMPLED], batch[2 * SAMPLED];
    sample_rows(5, 1, PROMPTS, 1, alone);
    sample_rows(5, 1, PROMPTS, 2, batch);
    cr_expect_arr_eq(alone, batch, sizeof alone);
    sample_rows(5, 1, OTHERS, 2, batch);
    cr_expect_arr_eq(alone, batch, sizeof alone);
    sample_rows(5, 1, TWINS, 2, batch);
    cr_expect(memcmp(batch, batch + SAMPLED, sizeof alone) != 0, "rows share their random numbers");
}

/* ---- What goes wrong ---------------------------------------------------------------------------------------- */

static mcv_status generate_with(const GenerationConfig *config, Toy *toy, GenerationStream stream, void *context) {
    uint32_t prompt = 3;
    float logits[VOCAB];
    TokenIds sequence = {0};
    GenerationModel model = toy_model(toy);
    toy_begin(toy, &prompt, 1, logits);
    mcv_status status = GenerationMixin_generate(&model, logits, 1, config, stream, context, &sequence);
    TokenIds_free(&sequence);
    return status;
}

Test(generation, settings_without_meaning_are_refused) {
    const GenerationConfig DEFAULT = toy_config();
    GenerationConfig config;
    Toy toy = TOY;
#define REFUSED(assignment)                                                                                            \
    config = DEFAULT;                                                                                                  \
    config.assignment;                                                                                                 \
    cr_expect_eq(generate_with(&config, &toy, NULL, NULL), MCV_USAGE, "%s", #assignment)
    REFUSED(max_new_tokens = 0);
    REFUSED(min_new_tokens = -1);
    REFUSED(num_beams = 0);
    REFUSED(num_beams = INT_MAX);
    REFUSED(repetition_penalty = 0);
    REFUSED(repetition_penalty = NAN);
    REFUSED(temperature = 0);
    REFUSED(top_k = -1);
    REFUSED(top_p = 1.5);
    REFUSED(min_p = NAN);
    REFUSED(length_penalty = INFINITY);
#undef REFUSED
}

Test(generation, beams_need_a_vocabulary_to_choose_from) {
    Toy toy = {.vocab_size = 2, .bits = 16, .scale = 1};
    GenerationConfig config = toy_config();
    config.num_beams = 2;
    cr_expect_eq(generate_with(&config, &toy, NULL, NULL), MCV_USAGE);
    cr_expect(strstr(mcv_error_message(), "6 candidates"), "%s", mcv_error_message());
}

Test(generation, logits_that_are_no_numbers_end_the_run) {
    for (int num_beams = 1; num_beams <= 2; num_beams++) {
        GenerationConfig config = toy_config();
        config.num_beams = num_beams;
        Toy toy = TOY;
        toy.end_bonus = -8;
        toy.broken_step = 2;
        cr_expect_eq(generate_with(&config, &toy, NULL, NULL), MCV_BAD_INPUT);
        cr_expect(strstr(mcv_error_message(), "token 3"), "%s", mcv_error_message());
        cr_expect_eq(toy.steps, 2);
    }
}

static mcv_status generate_from(float *logits, int num_beams, bool do_sample) {
    GenerationConfig config = toy_config();
    config.num_beams = num_beams;
    config.do_sample = do_sample;
    config.min_new_tokens = 1;
    TokenIds sequence = {0};
    Toy toy = TOY;
    GenerationModel model = toy_model(&toy);
    toy.rows = 1;
    mcv_status status = GenerationMixin_generate(&model, logits, 1, &config, NULL, NULL, &sequence);
    TokenIds_free(&sequence);
    return status;
}

Test(generation, a_prompt_whose_logits_leave_no_choice_is_refused) {
    for (int mode = 0; mode < 4; mode++) {
        int num_beams = 1 + mode / 2;
        bool do_sample = mode % 2;
        float none[VOCAB], infinite[VOCAB] = {0}, ends_alone[VOCAB];
        for (int id = 0; id < VOCAB; id++)
            none[id] = ends_alone[id] = -INFINITY;
        ends_alone[END_TOKENS[0]] = ends_alone[END_TOKENS[1]] = 1;
        infinite[5] = INFINITY;
        cr_expect_eq(generate_from(none, num_beams, do_sample), MCV_BAD_INPUT);
        cr_expect(strstr(mcv_error_message(), "no token is left"), "%s", mcv_error_message());
        cr_expect_eq(generate_from(infinite, num_beams, do_sample), MCV_BAD_INPUT);
        cr_expect(strstr(mcv_error_message(), "token 5"), "%s", mcv_error_message());
        cr_expect_eq(generate_from(ends_alone, num_beams, do_sample), MCV_BAD_INPUT, "min_new_tokens is 1");
        cr_expect(strstr(mcv_error_message(), "no token is left"), "%s", mcv_error_message());
    }
}

Test(generation, a_temperature_too_small_for_fp32_is_an_error) {
    Toy toy = TOY;
    GenerationConfig config = toy_config();
    config.do_sample = true;
    config.temperature = 1e-60;
    cr_expect_eq(generate_with(&config, &toy, NULL, NULL), MCV_BAD_INPUT);
}

static mcv_status stop_after(void *context, int row, const int32_t *ids, int count) {
    int *left = context;
    (void)row, (void)ids;
    *left -= count;
    return *left > 0 ? MCV_OK : MCV_UNSUPPORTED;
}

Test(generation, a_stream_ends_the_run) {
    Toy toy = TOY;
    toy.end_bonus = -8;
    GenerationConfig config = toy_config();
    int left = 3;
    cr_expect_eq(generate_with(&config, &toy, stop_after, &left), MCV_UNSUPPORTED);
    cr_expect_eq(toy.steps, 2);
    config.num_beams = left = 2;
    cr_expect_eq(generate_with(&config, &toy, stop_after, &left), MCV_UNSUPPORTED);
}

Test(generation, the_last_token_needs_no_step) {
    for (int num_beams = 1; num_beams <= 3; num_beams++) {
        Toy toy = TOY;
        toy.end_bonus = -8;
        GenerationConfig config = toy_config();
        config.max_new_tokens = 6;
        config.num_beams = num_beams;
        cr_expect_eq(generate_with(&config, &toy, NULL, NULL), MCV_OK);
        cr_expect_eq(toy.steps, 5);
    }
}
