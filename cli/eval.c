/* minicpmv eval: the share of right answers in a task file; perplexity of a text or of answers, and KL divergence from
 * another run. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/engine_options.h"
#include "cli/eval_items.h"
#include "cli/json_output.h"
#include "cli/model_identity.h"
#include "cli/model_options.h"
#include "cli/outputs.h"
#include "cli/prompt_options.h"
#include "cli/tolerances.h"
#include "core/file.h"
#include "formats/hash.h"

static const size_t INPUT_LIMIT = (size_t)1 << 30;

typedef struct evaluation {
    const mcv_arguments *arguments;
    const char *task, *text; /* one of the two */
    bool likelihood;         /* probabilities, not answers */
    double max_kl;           /* INFINITY: any */
    mcv_buffer input;
    char *folder;
    mcv_eval_items items;
    mcv_eval_results results;
    mcv_tolerances *tolerances;
} evaluation;

/* ---- Right answers ---------------------------------------------------------------------------------------------- */

static json_t *describe_share(size_t items, size_t right) {
    return json_pack("{s:I, s:f}", "items", (json_int_t)items, "accuracy", (double)right / (double)items);
}

static bool is_of(const json_t *result, const char *ability) {
    return !ability || strcmp(json_string_value(json_object_get(result, "ability")), ability) == 0;
}

/* The share of right answers among those that test an ability; NULL: among all. */
static json_t *sum_answers(const json_t *results, const char *ability) {
    size_t items = 0, right = 0;
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *result = json_array_get(results, i);
        items += is_of(result, ability);
        right += is_of(result, ability) && json_is_true(json_object_get(result, "right"));
    }
    return describe_share(items, right);
}

/* {"items", "accuracy", "by_ability": {ABILITY: {"items", "accuracy"}}}, abilities in the order in which they came. */
static json_t *sum_all_answers(const json_t *results) {
    json_t *sum = sum_answers(results, NULL), *by_ability = json_object();
    for (size_t i = 0; i < json_array_size(results); i++) {
        const char *ability = json_string_value(json_object_get(json_array_get(results, i), "ability"));
        if (!json_object_get(by_ability, ability))
            mcv_json_set(&by_ability, ability, sum_answers(results, ability));
    }
    mcv_json_set(&sum, "by_ability", by_ability);
    return sum;
}

static void print_share(const char *name, const json_t *share) {
    printf("%-16s %6lld %8.2f %%\n", name, (long long)json_integer_value(json_object_get(share, "items")),
           100 * json_number_value(json_object_get(share, "accuracy")));
}

static void print_answers(json_t *sum) {
    const char *ability;
    json_t *share;
    printf("%-16s %6s %10s\n", "ability", "items", "right");
    json_object_foreach(json_object_get(sum, "by_ability"), ability, share) {
        print_share(ability, share);
    }
    print_share("all", sum);
}

/* ---- Results ---------------------------------------------------------------------------------------------------- */

static void print_likelihood(json_t *sum) {
    const char *key;
    json_t *value;
    json_object_foreach(sum, key, value) {
        if (json_is_integer(value))
            printf("%-12s %lld\n", key, (long long)json_integer_value(value));
        else
            printf("%-12s %.6g\n", key, json_real_value(value));
    }
}

static mcv_status check_kl(const evaluation *self, double kl) {
    if (kl <= self->max_kl)
        return MCV_OK;
    return MCV_FAIL(MCV_DIFFERS, "KL divergence of %.6g a token, at most %.6g", kl, self->max_kl);
}

static mcv_status print_results(const evaluation *self) {
    json_t *sum = NULL;
    if (self->likelihood)
        MCV_TRY(mcv_likelihood_sum(self->results.items, &sum));
    else
        sum = sum_all_answers(self->results.items);
    double kl = json_number_value(json_object_get(sum, "kl"));
    if (sum && !self->arguments->json) {
        if (self->likelihood)
            print_likelihood(sum);
        else
            print_answers(sum);
        json_decref(sum);
        return check_kl(self, kl);
    }
    MCV_TRY(mcv_json_print(sum));
    return check_kl(self, kl);
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

static mcv_status run_items(const evaluation *self) {
    if (self->text)
        return mcv_eval_text_likelihood(&self->items, &self->input);
    return self->likelihood ? mcv_eval_task_likelihood(&self->items, &self->input)
                            : mcv_eval_answers(&self->items, &self->input);
}

static mcv_status check_options(evaluation *self) {
    const mcv_arguments *arguments = self->arguments;
    static const char *const OF_LIKELIHOOD[] = {"save", "check"};
    self->task = mcv_option_value(arguments, "task");
    self->text = mcv_option_value(arguments, "text");
    self->likelihood = self->text || mcv_option_count(arguments, "likelihood") > 0;
    if (!self->task == !self->text)
        return MCV_FAIL(MCV_USAGE, "expected --task or --text");
    for (int i = 0; i < 2 && !self->likelihood; i++)
        if (mcv_option_count(arguments, OF_LIKELIHOOD[i]) > 0)
            return MCV_FAIL(MCV_USAGE, "--%s goes with --text or --likelihood", OF_LIKELIHOOD[i]);
    if (self->likelihood && mcv_option_count(arguments, "answers") > 0)
        return MCV_FAIL(MCV_USAGE, "--answers goes with --task alone: nothing is answered here");
    if (mcv_option_count(arguments, "resume") > 0 && mcv_option_count(arguments, "save") > 0)
        return MCV_FAIL(MCV_USAGE, "--resume and --save exclude each other: what was scored before is not kept");
    if (mcv_option_count(arguments, "max-kl") > 0 && mcv_option_count(arguments, "check") == 0)
        return MCV_FAIL(MCV_USAGE, "--max-kl goes with --check");
    if (mcv_option_count(arguments, "save") > 0)
        MCV_TRY(mcv_logits_check_output(mcv_option_value(arguments, "save"), 0, false));
    self->max_kl = (double)INFINITY;
    self->items.context = 256;
    MCV_TRY(mcv_option_double(arguments, "max-kl", 0, (double)INFINITY, &self->max_kl));
    MCV_TRY(mcv_option_int(arguments, "context", 2, 1 << 20, &self->items.context));
    return mcv_option_int(arguments, "max-slice-nums", 1, MCV_MOST_SLICES, &self->items.max_slice_nums);
}

static mcv_status open_input(evaluation *self) {
    self->items.file = self->task ? self->task : self->text;
    MCV_TRY(mcv_path_folder(&self->folder, self->items.file));
    self->items.folder = self->folder;
    return mcv_file_read(self->items.file, INPUT_LIMIT, &self->input);
}

/* The engine's choices as they are, not as they were spelled. Targets, threads and chunks change no result. */
static json_t *describe_engine(const mcv_model_options *options) {
    static const char *const PRECISIONS[] = {"f32", "bf16", "int8", "int4", "stored"};
    bool fast = options->engine == MCV_ENGINE_FAST;
    bool int4 = options->llm == MCV_PRECISION_INT4 || options->vpm == MCV_PRECISION_INT4 ||
                options->resampler == MCV_PRECISION_INT4;
    json_t *engine = json_pack("{s:s}", "engine", fast ? "fast" : "ref");
    if (!fast)
        return engine;
    mcv_json_set(&engine, "llm", json_string(PRECISIONS[options->llm]));
    mcv_json_set(&engine, "vision", json_string(PRECISIONS[options->vpm]));
    mcv_json_set(&engine, "resampler", json_string(PRECISIONS[options->resampler]));
    mcv_json_set(&engine, "kv", json_string(PRECISIONS[options->kv]));
    mcv_json_set(&engine, "group", int4 ? json_integer(options->group) : json_null());
    mcv_json_set(&engine, "numerics", json_string(options->numerics == MCV_NUMERICS_FAST ? "fast" : "exact"));
    mcv_json_set(&engine, "blas", options->blas ? json_string(options->blas) : json_null());
    return engine;
}

/* What is asked. The file is known by what is in it. */
static json_t *describe_input(const evaluation *self) {
    const char *kind = self->text ? "text" : self->likelihood ? "likelihood" : "answers";
    mcv_hash input = mcv_hash_bytes(mcv_buffer_text(&self->input), self->input.size);
    json_t *about = json_pack("{s:s, s:s}", "eval", kind, "input", input.xxh3_128);
    if (self->text)
        mcv_json_set(&about, "context", json_integer(self->items.context));
    if (self->items.max_slice_nums)
        mcv_json_set(&about, "max_slice_nums", json_integer(self->items.max_slice_nums));
    return about;
}

/* What results are of: those of anything else are not gone on with. Files are known by what is in them. */
static mcv_status describe_evaluation(const evaluation *self, json_t **about) {
    const char *check = mcv_option_value(self->arguments, "check");
    ModelFiles files = mcv_model_options_read(self->arguments);
    mcv_model_options options;
    mcv_hash model, kept;
    MCV_TRY(mcv_engine_options_read(self->arguments, MCV_ENGINE_FAST, &options));
    MCV_TRY(mcv_model_identity(&files, &model));
    *about = describe_input(self);
    mcv_json_set(about, "model", json_string(model.xxh3_128));
    mcv_json_set(about, "engine", describe_engine(&options));
    if (check && mcv_hash_file(check, &kept) == MCV_OK)
        mcv_json_set(about, "check", json_string(kept.xxh3_128));
    return *about ? MCV_OK : MCV_FAIL_MEMORY(0);
}

static mcv_status open_results(evaluation *self) {
    const char *path = mcv_option_value(self->arguments, "resume");
    json_t *about = NULL;
    mcv_status status = path ? describe_evaluation(self, &about) : MCV_OK;
    if (status == MCV_OK)
        status = mcv_eval_results_open(path, about, &self->results);
    json_decref(about);
    self->items.results = &self->results;
    return status;
}

static mcv_status open_answers(evaluation *self) {
    const char *path = mcv_option_value(self->arguments, "answers");
    self->items.answers = path ? fopen(path, "w") : NULL;
    return path && !self->items.answers ? MCV_FAIL(MCV_BAD_INPUT, "%s: %s", path, strerror(errno)) : MCV_OK;
}

/* Rows are known by their numbers alone, so those of another input would pass for this one's. Files that do not say
 * what they are of (those that `logits` has saved, or programs before this was noted) are taken. */
static mcv_status check_input(const evaluation *self, const char *path) {
    const char *kept = mcv_saved_logits_input(self->items.likelihood.saved);
    if (!kept)
        return MCV_OK;
    json_t *found = json_loads(kept, 0, NULL), *about = describe_input(self);
    mcv_status status = MCV_OK;
    if (!about)
        status = MCV_FAIL_MEMORY(0);
    else if (!json_is_object(found))
        status = MCV_FAIL(MCV_BAD_INPUT, "%s: metadata: input: expected a JSON object, found %.80s", path, kept);
    else if (!json_equal(found, about))
        status = mcv_eval_fail_other(path, found, about);
    json_decref(found);
    json_decref(about);
    return status;
}

static mcv_status open_writer(evaluation *self, const char *path) {
    const mcv_arguments *arguments = self->arguments;
    json_t *about = describe_input(self);
    char *input = about ? json_dumps(about, JSON_COMPACT) : NULL;
    mcv_logits_origin origin = {mcv_option_or(arguments, "engine", "fast"), mcv_dtype_and_numerics(arguments, "fast"),
                                mcv_option_value(arguments, "target"), input};
    mcv_status status =
        input ? mcv_logits_writer_open(path, &origin, &self->items.likelihood.writer) : MCV_FAIL_MEMORY(0);
    free(input);
    json_decref(about);
    return status;
}

/* Files of logits, and the margin of a best token that may turn over. */
static mcv_status open_logits(evaluation *self) {
    const mcv_arguments *arguments = self->arguments;
    const char *save = mcv_option_value(arguments, "save"), *check = mcv_option_value(arguments, "check");
    const mcv_tolerance *limits;
    if (check) {
        MCV_TRY(mcv_tolerances_open(arguments, "fast", &self->tolerances));
        MCV_TRY(mcv_tolerances_find(self->tolerances, "logits", &limits));
        self->items.likelihood.margin = limits->margin;
        MCV_TRY(mcv_saved_logits_open(check, &self->items.likelihood.saved));
        MCV_TRY(check_input(self, check));
    }
    return save ? open_writer(self, save) : MCV_OK;
}

static mcv_status open_model(evaluation *self) {
    ModelFiles files;
    mcv_model_options options;
    MCV_TRY(mcv_engine_options_read(self->arguments, MCV_ENGINE_FAST, &options));
    MCV_TRY(mcv_model_options_require(self->arguments, &files));
    options.mmproj = files.mmproj;
    options.preprocessor_config = files.preprocessor_config;
    return mcv_model_options_open(files.model, &options, &self->items.likelihood.model);
}

static mcv_status evaluate(evaluation *self) {
    MCV_TRY(check_options(self));
    MCV_TRY(open_input(self));
    MCV_TRY(open_model(self));
    MCV_TRY(open_results(self));
    MCV_TRY(open_answers(self));
    MCV_TRY(open_logits(self));
    MCV_TRY(run_items(self));
    return print_results(self);
}

static mcv_status close_evaluation(evaluation *self, mcv_status status) {
    mcv_status written =
        mcv_logits_writer_close(self->items.likelihood.writer, status == MCV_OK || status == MCV_DIFFERS);
    mcv_status kept = mcv_eval_results_close(&self->results);
    if (self->items.answers && fclose(self->items.answers) != 0 && written == MCV_OK)
        written = MCV_FAIL(MCV_BAD_INPUT, "the answers cannot be written: %s", strerror(errno));
    mcv_saved_logits_close(self->items.likelihood.saved);
    mcv_tolerances_free(self->tolerances);
    mcv_model_close(self->items.likelihood.model);
    mcv_buffer_free(&self->input);
    free(self->folder);
    if (status == MCV_OK)
        status = written;
    return status == MCV_OK ? kept : status;
}

static mcv_status run(const mcv_arguments *arguments) {
    evaluation self = {.arguments = arguments};
    return close_evaluation(&self, evaluate(&self));
}

static const mcv_option OPTIONS[] = {
    MCV_MODEL_OPTION,
    MCV_MODEL_FILE_OPTIONS,
    {0, "task", "FILE", "questions, a JSON object a line"},
    {0, "text", "FILE", "a text, whose perplexity is told"},
    {0, "likelihood", NULL, "of a task: how probable each line's own answer is, in place of answering"},
    {0, "context", "N", "ids of the text that are run at a time (default 256)"},
    {0, "max-slice-nums", "N", "for every item; 1: no slices (default: the item's or the model's)"},
    {0, "answers", "FILE", "write the answers, a JSON string a line"},
    {0, "resume", "FILE", "keep results in this file, item by item, and go on where it ends"},
    {0, "save", "FILE", "keep the logits before each token in a safetensors file (4 bytes a number)"},
    {0, "check", "FILE", "KL divergence from logits that --save has kept, and other best tokens"},
    {0, "max-kl", "X", "exit code 1 where that divergence, in nats a token, is larger"},
    MCV_TOLERANCE_OPTION,
    MCV_ENGINE_OPTIONS,
    {0},
};

const mcv_command mcv_eval_command = {
    .name = "eval",
    .summary = "right answers in a task file; perplexity and KL divergence",
    .operands = "",
    .details = "A line of the task holds messages (with image paths relative to the file), answer and ability; where\n"
               "they apply temporal_ids, max_slice_nums, enable_thinking, system_prompt and max_new_tokens (64).\n"
               "Answers are greedy. One is right when what follows its last </think> equals the item's answer.\n"
               "Perplexity is exp of the mean of -log(probability) over the tokens of a text (all but the first of\n"
               "each window) or, with --likelihood, of the answers. --check adds the KL divergence of each token's\n"
               "distribution from the kept one; another best token counts as excused where the kept one's lead is\n"
               "below the `margin` of `logits` in the table of tolerances.\n",
    .takes = MCV_TAKES_ALL,
    .options = OPTIONS,
    .run = run,
};
