/* Decoding against transformers' generate on a toy model whose logits are a hash of all that was written:
 * tests/fixtures/make_generation.py. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "ref/generation.h"
#include "ref/logits_process.h"

enum { VOCAB = 24, MAX_ROWS = 32, MAX_LENGTH = 64 };

static const int32_t END_TOKENS[] = {VOCAB - 1, VOCAB - 2};

static uint32_t mix(uint32_t x) {
    x = (x ^ (x >> 16)) * 0x7feb352d;
    x = (x ^ (x >> 15)) * 0x846ca68b;
    return x ^ (x >> 16);
}

static void toy_logits(uint32_t state, double end_bonus, float *logits) {
    for (uint32_t v = 0; v < VOCAB; v++) {
        double value = (double)(mix(state + 977 * v) % (1u << 19)) / 65536 - 4;
        bool end = v == (uint32_t)END_TOKENS[0] || v == (uint32_t)END_TOKENS[1];
        logits[v] = (float)(end ? value + end_bonus : value);
    }
}

/* The toy's rows: the hash of all that each has been given. */
typedef struct Toy {
    uint32_t states[MAX_ROWS];
    int rows, steps, selections;
    double end_bonus;
    bool broken; /* gives NaN from the second step on */
} Toy;

static mcv_status toy_select_rows(void *context, const int32_t *parents, int rows) {
    Toy *toy = context;
    uint32_t before[MAX_ROWS];
    memcpy(before, toy->states, sizeof before);
    cr_assert(rows <= MAX_ROWS);
    for (int i = 0; i < rows; i++) {
        cr_assert(parents[i] >= 0 && parents[i] < toy->rows);
        toy->states[i] = before[parents[i]];
    }
    toy->rows = rows;
    toy->selections++;
    return MCV_OK;
}

static mcv_status toy_step(void *context, const int32_t *ids, int rows, float *logits) {
    Toy *toy = context;
    cr_assert_eq(rows, toy->rows);
    toy->steps++;
    for (int i = 0; i < rows; i++) {
        cr_assert(ids[i] >= 0 && ids[i] < VOCAB);
        toy->states[i] = mix(toy->states[i] * 31 + (uint32_t)ids[i] + 1);
        toy_logits(toy->states[i], toy->end_bonus, logits + i * VOCAB);
        if (toy->broken && toy->steps > 1)
            logits[i * VOCAB + 3] = NAN;
    }
    return MCV_OK;
}

static GenerationModel toy_model(Toy *toy) {
    return (GenerationModel){toy, VOCAB, toy_select_rows, toy_step};
}

/* Makes the toy's prompts its rows; logits: [count, VOCAB]. */
static void toy_begin(Toy *toy, const uint32_t *prompts, int count, float *logits) {
    toy->rows = count;
    for (int i = 0; i < count; i++) {
        toy->states[i] = mix(prompts[i] + 1);
        toy_logits(toy->states[i], toy->end_bonus, logits + i * VOCAB);
    }
}

static GenerationConfig toy_config(void) {
    GenerationConfig config = GenerationConfig_default();
    config.eos_token_ids = END_TOKENS;
    config.num_eos_token_ids = 2;
    return config;
}

static json_t *fixture(const char *key) {
    static json_t *file;
    if (!file)
        file = json_load_file("tests/fixtures/generation.json", 0, NULL);
    cr_assert(file, "tests/fixtures/generation.json cannot be read");
    return json_object_get(file, key);
}

static double number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    cr_assert(json_is_number(value), "%s", key);
    return json_number_value(value);
}

static GenerationConfig read_config(const json_t *setting) {
    GenerationConfig config = toy_config();
    const json_t *early = json_object_get(setting, "early_stopping");
    config.num_beams = (int)number(setting, "num_beams");
    config.max_new_tokens = (int)number(setting, "max_new_tokens");
    config.min_new_tokens = (int)number(setting, "min_new_tokens");
    config.repetition_penalty = number(setting, "repetition_penalty");
    config.length_penalty = number(setting, "length_penalty");
    config.early_stopping = json_is_string(early) ? 2 : json_is_true(early);
    config.pad_token_id = (int32_t)number(setting, "pad_token_id");
    return config;
}

/* What the stream passed on, row by row. */
typedef struct Streamed {
    int32_t ids[MAX_ROWS][MAX_LENGTH];
    int counts[MAX_ROWS];
} Streamed;

static mcv_status collect(void *context, int row, const int32_t *ids, int count) {
    Streamed *streamed = context;
    for (int i = 0; i < count; i++)
        streamed->ids[row][streamed->counts[row]++] = ids[i];
    return MCV_OK;
}

static void check_decoding(const json_t *setting, size_t index) {
    GenerationConfig config = read_config(setting);
    const json_t *prompts = json_object_get(setting, "prompts"), *expected = json_object_get(setting, "sequences");
    int batch = (int)json_array_size(prompts);
    uint32_t numbers[MAX_ROWS];
    float logits[MAX_ROWS * VOCAB];
    TokenIds sequences[MAX_ROWS] = {{0}};
    Streamed streamed = {0};
    Toy toy = {.end_bonus = number(setting, "end_bonus")};
    GenerationModel model = toy_model(&toy);
    for (int i = 0; i < batch; i++)
        numbers[i] = (uint32_t)json_integer_value(json_array_get(prompts, (size_t)i));
    toy_begin(&toy, numbers, batch, logits);
    cr_assert_eq(GenerationMixin_generate(&model, logits, batch, &config, collect, &streamed, sequences), MCV_OK,
                 "setting %zu: %s", index, mcv_error_message());
    for (int i = 0; i < batch; i++) {
        const json_t *ids = json_array_get(expected, (size_t)i);
        cr_assert_eq(sequences[i].count, json_array_size(ids), "setting %zu, row %d: %zu ids, expected %zu", index, i,
                     sequences[i].count, json_array_size(ids));
        for (size_t t = 0; t < sequences[i].count; t++)
            cr_assert_eq(sequences[i].data[t], json_integer_value(json_array_get(ids, t)),
                         "setting %zu, row %d, id %zu", index, i, t);
        cr_assert((size_t)streamed.counts[i] <= sequences[i].count);
        cr_assert_arr_eq(streamed.ids[i], sequences[i].data, (size_t)streamed.counts[i] * sizeof(int32_t));
        TokenIds_free(&sequences[i]);
    }
}

Test(generation, greedy_and_beam_search_give_the_ids_of_transformers) {
    size_t index;
    json_t *setting;
    cr_assert(json_array_size(fixture("decoding")) > 0);
    json_array_foreach(fixture("decoding"), index, setting) {
        check_decoding(setting, index);
    }
}

Test(generation, warpers_keep_the_tokens_of_transformers) {
    size_t index;
    json_t *setting;
    LogitsScratch scratch;
    cr_assert_eq(LogitsScratch_create(&scratch, VOCAB), MCV_OK);
    cr_assert(json_array_size(fixture("warping")) > 0);
    json_array_foreach(fixture("warping"), index, setting) {
        GenerationConfig config = toy_config();
        float scores[VOCAB];
        config.do_sample = true;
        config.temperature = number(setting, "temperature");
        config.top_k = (int)number(setting, "top_k");
        config.top_p = number(setting, "top_p");
        config.min_p = number(setting, "min_p");
        config.num_beams = (int)number(setting, "num_beams");
        toy_logits(mix((uint32_t)number(setting, "prompt") + 1), 0, scores);
        cr_assert_eq(LogitsProcessorList_call(&config, NULL, 0, scores, VOCAB, &scratch), MCV_OK);
        for (size_t v = 0; v < VOCAB; v++) {
            const json_t *expected = json_array_get(json_object_get(setting, "scores"), v);
            float score = json_is_null(expected) ? -INFINITY : (float)json_real_value(expected);
            cr_assert_eq(scores[v], score, "setting %zu, token %zu: %g, expected %g", index, v, (double)scores[v],
                         (double)score);
        }
    }
    LogitsScratch_free(&scratch);
}

/* Pearson's chi-square over the first token of many seeds; 60 is beyond the 99.99% quantile of 23 degrees of freedom.
 */
Test(generation, sampling_follows_the_probabilities) {
    enum { DRAWS = 20000 };
    int counts[VOCAB] = {0};
    float logits[VOCAB], probs[VOCAB];
    uint32_t prompt = 7;
    GenerationConfig config = toy_config();
    config.do_sample = true;
    config.max_new_tokens = 1;
    config.top_k = 0;
    Toy toy = {0};
    GenerationModel model = toy_model(&toy);
    for (int draw = 0; draw < DRAWS; draw++) {
        TokenIds sequence = {0};
        toy_begin(&toy, &prompt, 1, logits);
        config.seed = (uint64_t)draw;
        cr_assert_eq(GenerationMixin_generate(&model, logits, 1, &config, NULL, NULL, &sequence), MCV_OK);
        counts[sequence.data[0]]++;
        TokenIds_free(&sequence);
    }
    toy_begin(&toy, &prompt, 1, logits);
    logits_softmax(logits, VOCAB, probs);
    double chi_square = 0;
    for (int v = 0; v < VOCAB; v++) {
        double expected = DRAWS * (double)probs[v];
        chi_square += (counts[v] - expected) * (counts[v] - expected) / expected;
    }
    cr_expect(chi_square < 60, "chi-square %g", chi_square);
    cr_expect(chi_square > 3, "chi-square %g: too even to be random", chi_square);
}

static void sample_pair(uint64_t seed, int num_beams, int32_t *out) {
    uint32_t prompts[] = {11, 12};
    float logits[2 * VOCAB];
    TokenIds sequences[2] = {{0}};
    GenerationConfig config = toy_config();
    Toy toy = {.end_bonus = -8};
    GenerationModel model = toy_model(&toy);
    config.do_sample = true;
    config.num_beams = num_beams;
    config.max_new_tokens = 8;
    config.seed = seed;
    toy_begin(&toy, prompts, 2, logits);
    cr_assert_eq(GenerationMixin_generate(&model, logits, 2, &config, NULL, NULL, sequences), MCV_OK);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(sequences[i].count, 8);
        memcpy(out + 8 * i, sequences[i].data, 8 * sizeof *out);
        TokenIds_free(&sequences[i]);
    }
}

Test(generation, a_seed_gives_the_same_ids_again) {
    for (int num_beams = 1; num_beams <= 3; num_beams += 2) {
        int32_t first[16], again[16], other[16];
        sample_pair(5, num_beams, first);
        sample_pair(5, num_beams, again);
        sample_pair(6, num_beams, other);
        cr_expect_arr_eq(first, again, sizeof first);
        cr_expect(memcmp(first, other, sizeof first) != 0);
    }
}

static mcv_status generate_with(const GenerationConfig *config, Toy *toy) {
    uint32_t prompt = 3;
    float logits[VOCAB];
    TokenIds sequence = {0};
    GenerationModel model = toy_model(toy);
    toy_begin(toy, &prompt, 1, logits);
    mcv_status status = GenerationMixin_generate(&model, logits, 1, config, NULL, NULL, &sequence);
    TokenIds_free(&sequence);
    return status;
}

Test(generation, settings_without_meaning_are_refused) {
    Toy toy = {0};
    const GenerationConfig DEFAULT = toy_config();
    GenerationConfig config;
#define REFUSED(assignment)                                                                                            \
    config = DEFAULT;                                                                                                  \
    config.assignment;                                                                                                 \
    cr_expect_eq(generate_with(&config, &toy), MCV_USAGE, "%s", #assignment)
    REFUSED(max_new_tokens = 0);
    REFUSED(min_new_tokens = -1);
    REFUSED(num_beams = 0);
    REFUSED(repetition_penalty = 0);
    REFUSED(repetition_penalty = NAN);
    REFUSED(temperature = 0);
    REFUSED(top_k = -1);
    REFUSED(top_p = 1.5);
    REFUSED(min_p = NAN);
    REFUSED(length_penalty = INFINITY);
#undef REFUSED
}

Test(generation, logits_that_are_no_numbers_end_the_run) {
    for (int num_beams = 1; num_beams <= 2; num_beams++) {
        Toy toy = {.broken = true, .end_bonus = -8};
        GenerationConfig config = toy_config();
        config.num_beams = num_beams;
        cr_expect_eq(generate_with(&config, &toy), MCV_BAD_INPUT);
        cr_expect(strstr(mcv_error_message(), "token 3"), "%s", mcv_error_message());
    }
}

Test(generation, greedy_decoding_never_moves_rows) {
    Toy toy = {.end_bonus = -8};
    GenerationConfig config = toy_config();
    config.max_new_tokens = 6;
    cr_expect_eq(generate_with(&config, &toy), MCV_OK);
    cr_expect_eq(toy.steps, 5, "the last token needs no step");
    cr_expect_eq(toy.selections, 0);
}
