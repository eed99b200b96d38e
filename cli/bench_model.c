#include "cli/bench_model.h"
#include "core/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/engine_options.h"
#include "cli/json_output.h"
#include "cli/model_options.h"
#include "core/buffer.h"
#include "core/log.h"
#include "core/random.h"

enum { SIDE = 448, MOST_REPEATS = 100 };

typedef struct bench {
    mcv_model *model;
    int repeats, answer; /* tokens of an answer */
    json_t *results;
    int number; /* of runs: each begins with it, so that none finds the last one's prompt in the cache */
} bench;

static int ascending(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Adds a row: the median of some runs, in seconds; `per`: what was done in them, of which the row tells how many a
 * second. */
static mcv_status add_row(bench *self, const char *stage, double *seconds, int count, double per, const char *unit) {
    qsort(seconds, (size_t)count, sizeof *seconds, ascending);
    double median = (seconds[(count - 1) / 2] + seconds[count / 2]) / 2;
    json_t *row = json_pack("{s:s, s:f, s:f, s:i, s:f, s:s}", "stage", stage, "seconds", median, "fastest", seconds[0],
                            "runs", count, "per_second", median > 0 ? per / median : 0.0, "unit", unit);
    return json_array_append_new(self->results, row) == 0 ? MCV_OK : MCV_FAIL_MEMORY(sizeof(json_t));
}

/* ---- Runs ------------------------------------------------------------------------------------------------------ */

static mcv_status run_prompt(bench *self, const mcv_image *image, const char *text, mcv_times *times) {
    mcv_part parts[] = {{.image = image}, {.text = text}};
    mcv_message message = {"user", image ? parts : parts + 1, image ? 2 : 1};
    mcv_conversation conversation = {.messages = &message, .num_messages = 1};
    float *logits;
    int vocab_size;
    mcv_model_reset_times(self->model);
    MCV_TRY(mcv_logits(self->model, &conversation, 1, NULL, NULL, &logits, &vocab_size));
    mcv_free(logits);
    *times = mcv_model_times(self->model);
    return MCV_OK;
}

/* A picture of noise of one slice. */
static mcv_status bench_image(bench *self) {
    double encoder[MOST_REPEATS], resampler[MOST_REPEATS];
    mcv_image image = {.width = SIDE, .height = SIDE};
    mcv_times times = {0};
    MCV_TRY(MCV_NEW(&image.rgb, (size_t)SIDE * SIDE * 3));
    mcv_status status = MCV_OK;
    for (int i = 0; i < self->repeats && status == MCV_OK; i++) {
        mcv_random random = mcv_random_begin((uint64_t)i, 0);
        for (size_t j = 0; j < (size_t)SIDE * SIDE * 3; j++)
            image.rgb[j] = (uint8_t)(mcv_random_next(&random) >> 56);
        status = run_prompt(self, &image, "?", &times);
        encoder[i] = times.encoder;
        resampler[i] = times.resampler;
    }
    free(image.rgb);
    MCV_TRY(status);
    MCV_TRY(add_row(self, "encoder", encoder, self->repeats, (double)times.slices, "slices"));
    return add_row(self, "resampler", resampler, self->repeats, (double)times.groups, "groups");
}

/* Runs a prompt with so many digits, each of which is a token. */
static mcv_status run_digits(bench *self, int digits, mcv_times *times) {
    mcv_buffer text = {0};
    mcv_status status = MCV_OK;
    for (int i = 0, next = self->number++; i < digits && status == MCV_OK; i++, next = next * 3 + 1)
        status = mcv_buffer_printf(&text, "%d", next %= 10);
    if (status == MCV_OK)
        status = mcv_buffer_append(&text, "", 0);
    if (status == MCV_OK)
        status = run_prompt(self, NULL, mcv_buffer_text(&text), times);
    mcv_buffer_free(&text);
    return status;
}

static mcv_status bench_prompt(bench *self, int tokens) {
    double seconds[MOST_REPEATS];
    char stage[32];
    mcv_times times = {0};
    MCV_TRY(run_digits(self, 1, &times));
    int digits = tokens - (int)times.prompt_tokens + 1;
    for (int i = 0; i < self->repeats; i++) {
        MCV_TRY(run_digits(self, digits < 1 ? 1 : digits, &times));
        seconds[i] = times.prompt;
    }
    snprintf(stage, sizeof stage, "prompt of %lld", (long long)times.prompt_tokens);
    return add_row(self, stage, seconds, self->repeats, (double)times.prompt_tokens, "tokens");
}

static mcv_status bench_answer(bench *self) {
    double seconds[MOST_REPEATS];
    mcv_times times = {0};
    mcv_generation_options options = mcv_generation_options_preset(self->model, 0, 0);
    options.num_beams = 1;
    options.max_new_tokens = options.min_new_tokens = self->answer + 1; /* the first comes from the prompt */
    for (int i = 0; i < self->repeats; i++) {
        mcv_part part = {.text = "Tell me more."};
        mcv_message message = {"user", &part, 1};
        mcv_conversation conversation = {.messages = &message, .num_messages = 1};
        char *answer;
        mcv_model_reset_times(self->model);
        MCV_TRY(mcv_chat(self->model, &conversation, 1, NULL, &options, NULL, &answer));
        mcv_free(answer);
        times = mcv_model_times(self->model);
        seconds[i] = times.decoding;
    }
    return add_row(self, "answer", seconds, self->repeats, (double)times.decoded_tokens, "tokens");
}

/* ---- The command ----------------------------------------------------------------------------------------------- */

static mcv_status open_model(bench *self, const mcv_arguments *arguments) {
    ModelFiles files;
    mcv_model_options options;
    MCV_TRY(mcv_model_options_require(arguments, &files));
    MCV_TRY(mcv_engine_options_read(arguments, MCV_ENGINE_FAST, &options));
    if (options.engine != MCV_ENGINE_FAST)
        return MCV_FAIL(MCV_UNSUPPORTED, "the reference takes no times; bench/bench_reference does");
    options.mmproj = files.mmproj;
    options.preprocessor_config = files.preprocessor_config;
    double begin = mcv_seconds(), seconds;
    MCV_TRY(mcv_model_options_open(files.model, &options, &self->model));
    seconds = mcv_seconds() - begin;
    return add_row(self, "opening", &seconds, 1, 1, "models");
}

static mcv_status read_prompts(const mcv_arguments *arguments, int prompts[8], int *count) {
    const char *text = mcv_option_value(arguments, "prompts");
    char *end;
    *count = 0;
    for (text = text ? text : "64,512"; *count < 8; text = end + 1) {
        long tokens = strtol(text, &end, 10);
        if (end == text || (*end && *end != ',') || tokens < 16 || tokens > 1 << 14)
            break;
        prompts[(*count)++] = (int)tokens;
        if (!*end)
            return MCV_OK;
    }
    return MCV_FAIL(MCV_USAGE, "--prompts %s: expected up to 8 numbers of tokens, 16 to 16384, with commas between",
                    mcv_option_value(arguments, "prompts"));
}

static mcv_status run_all(bench *self, const mcv_arguments *arguments) {
    int prompts[8], num_prompts;
    MCV_TRY(read_prompts(arguments, prompts, &num_prompts));
    MCV_TRY(mcv_option_int(arguments, "repeats", 1, MOST_REPEATS, &self->repeats));
    MCV_TRY(mcv_option_int(arguments, "answer", 1, 1 << 16, &self->answer));
    MCV_TRY(open_model(self, arguments));
    MCV_TRY(bench_image(self));
    for (int i = 0; i < num_prompts; i++)
        MCV_TRY(bench_prompt(self, prompts[i]));
    return bench_answer(self);
}

static mcv_status print_results(const bench *self, bool json) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double peak = (double)usage.ru_maxrss * 1024;
    if (json)
        return mcv_json_print(json_pack("{s:O, s:f}", "stages", self->results, "peak_resident_bytes", peak));
    size_t i;
    json_t *row;
    printf("%-16s %10s %12s\n", "stage", "seconds", "a second");
    json_array_foreach(self->results, i, row)
        printf("%-16s %10.4f %12.2f %s\n", json_string_value(json_object_get(row, "stage")),
               json_number_value(json_object_get(row, "seconds")),
               json_number_value(json_object_get(row, "per_second")), json_string_value(json_object_get(row, "unit")));
    printf("peak resident memory: %.2f GB\n", peak * 1e-9);
    return MCV_OK;
}

mcv_status mcv_bench_model(const mcv_arguments *arguments) {
    bench self = {.repeats = 3, .answer = 16, .results = json_array()};
    mcv_status status = self.results ? run_all(&self, arguments) : MCV_FAIL_MEMORY(sizeof(json_t));
    if (status == MCV_OK)
        status = print_results(&self, arguments->json);
    mcv_model_close(self.model);
    json_decref(self.results);
    return status;
}
