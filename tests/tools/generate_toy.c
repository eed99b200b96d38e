/* Decodes with the toy model: a JSON setting a line from standard input, a JSON object a line to standard output.
 *
 *     {"prompts": [7, 8], "num_beams": 3, ...}                   {"sequences": [[5, 1], [2, 2]], "steps": 1}
 *     {"prompts": [7], "history": [5, 1], "num_beams": 3, ...}   {"scores": [-1.5, null, ...]}, null for -inf
 *
 * The second kind gives the processed scores of the token behind a prompt and a history. Where decoding fails the
 * object is {"error": "..."}. tests/live/generation.py compares the results with transformers. */
#include <stdio.h>

#include "ref/logits_process.h"
#include "tests/toy_model.h"

static json_t *ids_to_json(const TokenIds *ids) {
    json_t *list = json_array();
    for (size_t i = 0; i < ids->count; i++)
        json_array_append_new(list, json_integer(ids->data[i]));
    return list;
}

static mcv_status decode(const json_t *setting, json_t *result) {
    TokenIds sequences[TOY_ROWS] = {{0}};
    int count;
    Toy toy;
    mcv_status status = toy_generate(setting, &toy, NULL, NULL, sequences, &count);
    json_t *list = json_array();
    for (int i = 0; i < count && status == MCV_OK; i++)
        json_array_append_new(list, ids_to_json(&sequences[i]));
    json_object_set_new(result, "sequences", list);
    json_object_set_new(result, "steps", json_integer(toy.steps));
    for (int i = 0; i < TOY_ROWS; i++)
        TokenIds_free(&sequences[i]);
    return status;
}

static mcv_status read_history(const json_t *setting, TokenIds *history) {
    const json_t *ids = json_object_get(setting, "history"), *id;
    size_t i;
    json_array_foreach(ids, i, id) {
        MCV_TRY(TokenIds_append(history, (int32_t)json_integer_value(id)));
    }
    return MCV_OK;
}

/* The scores as the decoding loops compute them. */
static mcv_status process_scores(const json_t *setting, const TokenIds *history, float *scores) {
    const json_t *prompt = json_array_get(json_object_get(setting, "prompts"), 0);
    GenerationConfig config;
    LogitsScratch scratch;
    Toy toy;
    if (!toy_read(setting, &toy, &config))
        return MCV_FAIL(MCV_BAD_INPUT, "a setting that is not complete");
    toy_logits(&toy, toy_state((uint32_t)json_integer_value(prompt), history->data, history->count), scores);
    if (config.num_beams > 1)
        logits_log_softmax(scores, toy.vocab_size);
    MCV_TRY(LogitsScratch_create(&scratch, toy.vocab_size));
    mcv_status status =
        LogitsProcessorList_call(&config, history->data, history->count, scores, toy.vocab_size, &scratch);
    LogitsScratch_free(&scratch);
    return status;
}

static mcv_status process(const json_t *setting, json_t *result) {
    size_t vocab_size = (size_t)json_integer_value(json_object_get(setting, "vocab_size"));
    TokenIds history = {0};
    float *scores;
    MCV_TRY(MCV_NEW(&scores, vocab_size));
    mcv_status status = read_history(setting, &history);
    if (status == MCV_OK)
        status = process_scores(setting, &history, scores);
    json_t *list = json_array();
    for (size_t i = 0; i < vocab_size; i++)
        json_array_append_new(list, isinf(scores[i]) ? json_null() : json_real((double)scores[i]));
    json_object_set_new(result, "scores", list);
    TokenIds_free(&history);
    free(scores);
    return status;
}

int main(void) {
    for (;;) {
        json_error_t error;
        json_t *setting = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, &error);
        if (!setting)
            break;
        json_t *result = json_object();
        mcv_status status = (json_object_get(setting, "history") ? process : decode)(setting, result);
        if (status != MCV_OK)
            json_object_set_new(result, "error", json_string(mcv_error_message()));
        json_dumpf(result, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(result);
        json_decref(setting);
    }
    return ferror(stdin) || fflush(stdout) != 0;
}
