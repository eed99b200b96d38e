/* A language model to test decoding with: a row's logits are a hash of its prompt and of every id that it was given, so
 * that a row that goes on from a wrong parent shows at once. tests/live/lib/toy_model.py is the same in Python. */
#ifndef MCV_TESTS_TOY_MODEL_H
#define MCV_TESTS_TOY_MODEL_H

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "ref/generation.h"

enum { TOY_ROWS = 64, TOY_END_TOKENS = 8 };

typedef struct Toy {
    int vocab_size;
    int bits;         /* logits are multiples of 2^-bits: few make ties */
    int holes;        /* of 16 tokens so many have the logit -inf */
    double scale;     /* of the logits, which are in [-4, 4) before */
    double end_bonus; /* added to those of end tokens */
    int32_t end_tokens[TOY_END_TOKENS];
    int num_end_tokens;
    uint32_t states[TOY_ROWS]; /* hashes of all that each row was given */
    int rows, steps, selections;
    bool selected;   /* since the last step */
    int broken_step; /* from this one on a logit is NaN; 0: from none */
} Toy;

static inline uint32_t toy_mix(uint32_t x) {
    x = (x ^ (x >> 16)) * 0x7feb352d;
    x = (x ^ (x >> 15)) * 0x846ca68b;
    return x ^ (x >> 16);
}

static inline bool toy_is_end(const Toy *toy, int32_t id) {
    for (int i = 0; i < toy->num_end_tokens; i++)
        if (toy->end_tokens[i] == id)
            return true;
    return false;
}

/* The logits of a row in a state, [vocab_size]. */
static inline void toy_logits(const Toy *toy, uint32_t state, float *logits) {
    for (int32_t id = 0; id < toy->vocab_size; id++) {
        uint32_t number = toy_mix(state + 977 * (uint32_t)id) % (1u << 19);
        double value = toy->scale * (ldexp(number >> (16 - toy->bits), -toy->bits) - 4);
        bool hole = id > 0 && toy_mix(state ^ (uint32_t)id * 0x9e3779b9) % 16 < (uint32_t)toy->holes;
        logits[id] = hole ? -INFINITY : (float)(toy_is_end(toy, id) ? value + toy->end_bonus : value);
    }
}

/* The state of a row that was given `count` ids behind its prompt. */
static inline uint32_t toy_state(uint32_t prompt, const int32_t *ids, size_t count) {
    uint32_t state = toy_mix(prompt + 1);
    for (size_t i = 0; i < count; i++)
        state = toy_mix(state * 31 + (uint32_t)ids[i] + 1);
    return state;
}

/* Makes prompts the toy's rows. logits: [count, vocab_size]. */
static inline void toy_begin(Toy *toy, const uint32_t *prompts, int count, float *logits) {
    toy->rows = count;
    for (int i = 0; i < count; i++) {
        toy->states[i] = toy_state(prompts[i], NULL, 0);
        toy_logits(toy, toy->states[i], logits + i * toy->vocab_size);
    }
}

/* Refuses a selection that a caller could have done without. */
static inline mcv_status toy_select_rows(void *context, const int32_t *parents, int rows) {
    Toy *toy = context;
    uint32_t before[TOY_ROWS];
    bool moved = rows != toy->rows;
    if (rows > TOY_ROWS || toy->selected)
        return MCV_FAIL(MCV_BAD_INPUT, "%s", toy->selected ? "rows selected twice" : "more rows than a toy has");
    memcpy(before, toy->states, sizeof before);
    for (int i = 0; i < rows; i++) {
        if (parents[i] < 0 || parents[i] >= toy->rows)
            return MCV_FAIL(MCV_BAD_INPUT, "row %d goes on from row %d of %d", i, parents[i], toy->rows);
        moved = moved || parents[i] != i;
        toy->states[i] = before[parents[i]];
    }
    if (!moved)
        return MCV_FAIL(MCV_BAD_INPUT, "a selection that changes nothing");
    toy->rows = rows;
    toy->selected = true;
    toy->selections++;
    return MCV_OK;
}

static inline mcv_status toy_step(void *context, const int32_t *ids, int rows, float *logits) {
    Toy *toy = context;
    if (rows != toy->rows)
        return MCV_FAIL(MCV_BAD_INPUT, "ids for %d rows of %d", rows, toy->rows);
    toy->steps++;
    toy->selected = false;
    for (int i = 0; i < rows; i++) {
        toy->states[i] = toy_mix(toy->states[i] * 31 + (uint32_t)ids[i] + 1);
        toy_logits(toy, toy->states[i], logits + i * toy->vocab_size);
        if (toy->broken_step && toy->steps >= toy->broken_step)
            logits[i * toy->vocab_size + 3] = NAN;
    }
    return MCV_OK;
}

static inline GenerationModel toy_model(Toy *toy) {
    return (GenerationModel){toy, toy->vocab_size, toy_select_rows, toy_step};
}

/* ---- Settings as the Python side writes them ----------------------------------------------------------------- */

/* A number or a boolean; 0 and a count in *missing where there is none. */
static inline double toy_number(const json_t *setting, const char *key, int *missing) {
    const json_t *value = json_object_get(setting, key);
    *missing += !json_is_number(value) && !json_is_boolean(value);
    return json_is_boolean(value) ? json_is_true(value) : json_number_value(value);
}

/* The toy and the configuration of a setting. False where one is missing. config->eos_token_ids points into *toy. */
static inline bool toy_read(const json_t *setting, Toy *toy, GenerationConfig *config) {
    const json_t *end_tokens = json_object_get(setting, "eos_token_id");
    const json_t *early = json_object_get(setting, "early_stopping");
    int missing = json_array_size(end_tokens) > TOY_END_TOKENS || !early;
    *toy = (Toy){.vocab_size = (int)toy_number(setting, "vocab_size", &missing),
                 .bits = (int)toy_number(setting, "bits", &missing),
                 .holes = (int)toy_number(setting, "holes", &missing),
                 .scale = toy_number(setting, "scale", &missing),
                 .end_bonus = toy_number(setting, "end_bonus", &missing)};
    if (missing)
        return false;
    for (size_t i = 0; i < json_array_size(end_tokens); i++)
        toy->end_tokens[toy->num_end_tokens++] = (int32_t)json_integer_value(json_array_get(end_tokens, i));
    *config = (GenerationConfig){.max_new_tokens = (int)toy_number(setting, "max_new_tokens", &missing),
                                 .min_new_tokens = (int)toy_number(setting, "min_new_tokens", &missing),
                                 .do_sample = toy_number(setting, "do_sample", &missing) != 0,
                                 .num_beams = (int)toy_number(setting, "num_beams", &missing),
                                 .temperature = toy_number(setting, "temperature", &missing),
                                 .top_k = (int)toy_number(setting, "top_k", &missing),
                                 .top_p = toy_number(setting, "top_p", &missing),
                                 .min_p = toy_number(setting, "min_p", &missing),
                                 .repetition_penalty = toy_number(setting, "repetition_penalty", &missing),
                                 .length_penalty = toy_number(setting, "length_penalty", &missing),
                                 .early_stopping = json_is_string(early) ? 2 : json_is_true(early),
                                 .seed = (uint64_t)toy_number(setting, "seed", &missing),
                                 .pad_token_id = (int32_t)toy_number(setting, "pad_token_id", &missing),
                                 .eos_token_ids = toy->end_tokens,
                                 .num_eos_token_ids = toy->num_end_tokens};
    return missing == 0;
}

/* Decodes a setting. sequences: [TOY_ROWS], empty at first; *count are made, release them all. */
static inline mcv_status toy_generate(const json_t *setting, Toy *toy, GenerationStream stream, void *stream_context,
                                      TokenIds *sequences, int *count) {
    const json_t *prompts = json_object_get(setting, "prompts");
    uint32_t numbers[TOY_ROWS];
    GenerationConfig config;
    float *logits;
    *count = (int)json_array_size(prompts);
    if (!toy_read(setting, toy, &config) || json_array_size(prompts) > TOY_ROWS)
        return MCV_FAIL(MCV_BAD_INPUT, "a setting that is not complete");
    for (int i = 0; i < *count; i++)
        numbers[i] = (uint32_t)json_integer_value(json_array_get(prompts, (size_t)i));
    MCV_TRY(MCV_NEW(&logits, (size_t)*count * (size_t)toy->vocab_size));
    toy_begin(toy, numbers, *count, logits);
    GenerationModel model = toy_model(toy);
    mcv_status status = GenerationMixin_generate(&model, logits, *count, &config, stream, stream_context, sequences);
    free(logits);
    return status;
}

#endif
