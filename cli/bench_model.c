#include "cli/bench_model.h"
#include "core/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/engine_options.h"
#include "cli/json_output.h"
#include "cli/model_options.h"
#include "cli/read_limit.h"
#include "core/buffer.h"
#include "core/log.h"
#include "core/random.h"

enum { SIDE = 448, MOST_REPEATS = 100 };

typedef struct bench {
    mcv_model *model;
    int repeats, answer; /* tokens of an answer */
    json_t *results;
    double peak; /* bytes of resident memory, without what read limits are measured with */
    int number;  /* of runs: each begins with it, so that none finds the last one's prompt in the cache */
} bench;

static int ascending(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median_of(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/* Adds a row: the median of some runs, in seconds; `per`: what was done in them, of which the row tells how many a
 * second. */
static mcv_status add_row(bench *self, const char *stage, double *seconds, int count, double per, const char *unit) {
    double median = median_of(seconds, count);
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

/* Reading memory in turn with each token: what others leave of it changes from one second to the next. */
typedef struct Turns {
    const mcv_read_limit *limit;
    const mcv_model *model;
    mcv_times before; /* the last turn's */
    double *reads;    /* [answer + 1]: bytes a second, before the first token and behind each */
    double *shares;   /* [answer]: what decoding read a second, of what reading did before and behind it */
} Turns;

static mcv_status read_between(void *context, size_t index, const float *logits, int vocab_size) {
    Turns *turns = context;
    mcv_times now = mcv_model_times(turns->model);
    (void)logits, (void)vocab_size;
    turns->reads[index] = mcv_read_limit_measure(turns->limit);
    if (index > 0)
        turns->shares[index - 1] = (double)(now.decoding_bytes - turns->before.decoding_bytes) /
                                   (now.decoding - turns->before.decoding) * 2 /
                                   (turns->reads[index - 1] + turns->reads[index]);
    turns->before = now;
    return MCV_OK;
}

static mcv_status run_answer(bench *self, const int32_t *ids, Turns *turns) {
    mcv_part part = {.text = "Tell me more."};
    mcv_message message = {"user", &part, 1};
    mcv_conversation conversation = {.messages = &message, .num_messages = 1};
    mcv_model_reset_times(self->model);
    return mcv_score(self->model, &conversation, NULL, ids, (size_t)self->answer + 1, read_between, turns);
}

/* The answer's row, with the bytes that had to be read, how fast they were, and how fast memory was in the same run. */
static mcv_status add_answer(bench *self, double *seconds, double *reads, double *shares, const mcv_times *times) {
    MCV_TRY(add_row(self, "answer", seconds, self->repeats, (double)times->decoded_tokens, "tokens"));
    json_t *row = json_array_get(self->results, json_array_size(self->results) - 1);
    double bytes = (double)times->decoding_bytes;
    json_t *more = json_pack("{s:f, s:f, s:f, s:f}", "bytes_per_token", bytes / (double)times->decoded_tokens,
                             "bytes_per_second", bytes / median_of(seconds, self->repeats), "read_bytes_per_second",
                             median_of(reads, self->repeats), "of_read", median_of(shares, self->repeats));
    int result = json_object_update(row, more);
    json_decref(more);
    return result == 0 ? MCV_OK : MCV_FAIL_MEMORY(sizeof(json_t));
}

static double peak_resident(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss * 1024;
}

static mcv_status bench_answers(bench *self, const mcv_read_limit *limit, mcv_arena *arena) {
    double seconds[MOST_REPEATS], reads[MOST_REPEATS], shares[MOST_REPEATS];
    int count = self->answer + 1; /* the first token comes from the prompt */
    Turns turns = {.limit = limit, .model = self->model};
    int32_t *ids;
    MCV_TRY(MCV_ARENA_NEW(arena, &turns.reads, count));
    MCV_TRY(MCV_ARENA_NEW(arena, &turns.shares, count));
    MCV_TRY(MCV_ARENA_NEW(arena, &ids, count));
    memset(ids, 0, (size_t)count * sizeof *ids); /* no token takes longer than another */
    for (int i = 0; i < self->repeats; i++) {
        MCV_TRY(run_answer(self, ids, &turns));
        seconds[i] = turns.before.decoding;
        reads[i] = median_of(turns.reads, count);
        shares[i] = median_of(turns.shares, self->answer);
    }
    return add_answer(self, seconds, reads, shares, &turns.before);
}

static mcv_status bench_answer(bench *self, int threads) {
    mcv_arena arena = {0};
    mcv_read_limit limit;
    mcv_pool *pool;
    self->peak = peak_resident();
    MCV_TRY(mcv_pool_create(&pool, threads));
    mcv_status status = mcv_read_limit_make(&limit, pool, &arena);
    if (status == MCV_OK)
        status = bench_answers(self, &limit, &arena);
    mcv_arena_free(&arena);
    mcv_pool_free(pool);
    double peak = peak_resident() - MCV_READ_LIMIT_BYTES;
    self->peak = peak > self->peak ? peak : self->peak;
    return status;
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
    const char *text = mcv_option_or(arguments, "prompts", "64,512");
    char *end;
    *count = 0;
    for (; *count < 8; text = end + 1) {
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
    return bench_answer(self, arguments->threads);
}

static double number_of(const json_t *row, const char *key) {
    return json_number_value(json_object_get(row, key));
}

static void print_row(const json_t *row) {
    printf("%-16s %10.4f %12.2f %s", json_string_value(json_object_get(row, "stage")), number_of(row, "seconds"),
           number_of(row, "per_second"), json_string_value(json_object_get(row, "unit")));
    if (json_object_get(row, "of_read"))
        printf(" of %.3f GB; %.1f GB/s, %.1f %% of read, %.1f GB/s", 1e-9 * number_of(row, "bytes_per_token"),
               1e-9 * number_of(row, "bytes_per_second"), 100 * number_of(row, "of_read"),
               1e-9 * number_of(row, "read_bytes_per_second"));
    putchar('\n');
}

static mcv_status print_results(const bench *self, bool json) {
    if (json)
        return mcv_json_print(json_pack("{s:O, s:f}", "stages", self->results, "peak_resident_bytes", self->peak));
    size_t i;
    json_t *row;
    printf("%-16s %10s %12s\n", "stage", "seconds", "a second");
    json_array_foreach(self->results, i, row) print_row(row);
    printf("peak resident memory: %.2f GB\n", self->peak * 1e-9);
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
