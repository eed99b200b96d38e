/* minicpmv logits: the logits behind prompts, kept and held to those of another run. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/engine_options.h"
#include "cli/json_output.h"
#include "cli/logits_measure.h"
#include "cli/model_options.h"
#include "cli/question.h"
#include "cli/saved_logits.h"
#include "cli/tolerances.h"
#include "core/log.h"
#include "formats/golden_case.h"
#include "formats/hash.h"

typedef struct logits_run {
    const mcv_arguments *arguments;
    int top_k;
    bool exact;       /* --expect-bitwise */
    mcv_model *model; /* the one that is open */
    char *model_path; /* its path */
    mcv_tolerances *tolerances;
    mcv_logits_writer *writer;               /* NULL without --save */
    mcv_saved_logits *saved;                 /* NULL without --check */
    json_t *rows;                            /* for --json */
    size_t num_rows, failed, flips, excused; /* rows; other best tokens; those of them that are excused */
    mcv_buffer first;                        /* the first that failed, in words */
} logits_run;

/* One row: a conversation of a case. */
typedef struct logits_row {
    const char *case_name;
    int conversation;
    const float *logits; /* [size] */
    size_t size;
    mcv_hash hash;
    int32_t top[MCV_MOST_TOP];
    int k; /* of `top` */

    bool has_measures; /* of a run that was kept with its numbers */
    mcv_logits_measures measures;
    bool checked, equal, flipped, excused;
    char problem[256]; /* "": it passes */
} logits_row;

/* ---- Checking ---------------------------------------------------------------------------------------------------- */

/* Limits of distances to numbers that were kept. */
static void judge_measures(logits_row *row, const mcv_tolerance *limits) {
    const mcv_logits_measures *m = &row->measures;
    row->flipped = m->ours_best != m->reference_best;
    row->excused = row->flipped && m->margin < limits->margin;
    if (!m->finite)
        snprintf(row->problem, sizeof row->problem, "not finite");
    else if (!(m->max_abs <= limits->max_abs))
        snprintf(row->problem, sizeof row->problem, "max_abs %.3g, at most %.3g", m->max_abs, limits->max_abs);
    else if (!(m->kl <= limits->kl))
        snprintf(row->problem, sizeof row->problem, "kl %.3g, at most %.3g", m->kl, limits->kl);
    else if (!(m->top_k_overlap >= limits->top_k))
        snprintf(row->problem, sizeof row->problem, "top_k %.3g, at least %.3g", m->top_k_overlap, limits->top_k);
    else if (row->flipped && !row->excused)
        snprintf(row->problem, sizeof row->problem, "best token %d, expected %d, which leads by %.3g, not below %.3g",
                 (int)m->ours_best, (int)m->reference_best, m->margin, limits->margin);
}

static mcv_status check_row(logits_run *self, logits_row *row) {
    mcv_saved_row saved;
    const mcv_tolerance *limits;
    mcv_status status = mcv_saved_logits_find(self->saved, row->case_name, row->conversation, row->size, &saved);
    if (status == MCV_DIFFERS) {
        snprintf(row->problem, sizeof row->problem, "%s", mcv_error_message());
        return MCV_OK;
    }
    MCV_TRY(status);
    row->checked = true;
    row->equal = strcmp(saved.hash, row->hash.xxh3_128) == 0;
    row->flipped = saved.best != row->top[0];
    if (saved.logits) {
        MCV_TRY(mcv_tolerances_find(self->tolerances, "logits", &limits));
        row->has_measures = true;
        row->measures = mcv_logits_measure(row->logits, saved.logits, row->size, row->k);
        judge_measures(row, limits);
    }
    bool must_be_equal = self->exact || !saved.logits;
    if (must_be_equal && !row->equal && !row->problem[0])
        snprintf(row->problem, sizeof row->problem, "hash %s, expected %s; best token %d, expected %d",
                 row->hash.xxh3_128, saved.hash, (int)row->top[0], (int)saved.best);
    return MCV_OK;
}

/* ---- Showing ----------------------------------------------------------------------------------------------------- */

static json_t *describe_token(const logits_run *self, const logits_row *row, int32_t id) {
    char *text = NULL;
    json_t *token = json_object();
    mcv_json_set(&token, "id", json_integer(id));
    mcv_json_set(&token, "logit", json_real((double)row->logits[id]));
    if (mcv_detokenize(self->model, &id, 1, &text) == MCV_OK)
        mcv_json_set(&token, "text", json_string(text));
    mcv_free(text);
    return token;
}

/* What is kept of a row, too. */
static json_t *describe_row(const logits_run *self, const logits_row *row) {
    json_t *top = json_array();
    for (int i = 0; i < row->k; i++)
        mcv_json_append(&top, describe_token(self, row, row->top[i]));
    return json_pack("{s:s, s:i, s:s, s:o}", "case", row->case_name, "conversation", row->conversation, "xxh3_128",
                     row->hash.xxh3_128, "top", top);
}

static json_t *describe_checked_row(const logits_run *self, const logits_row *row) {
    const mcv_logits_measures *m = &row->measures;
    json_t *object = describe_row(self, row);
    if (!self->saved)
        return object;
    mcv_json_set(&object, "pass", json_boolean(!row->problem[0]));
    mcv_json_set(&object, "equal_bits", json_boolean(row->equal));
    mcv_json_set(&object, "top_1", json_boolean(row->checked && !row->flipped));
    if (row->has_measures) {
        mcv_json_set(&object, "excused", json_boolean(row->excused));
        mcv_json_set(&object, "margin", mcv_json_number(m->margin));
        mcv_json_set(&object, "max_abs", mcv_json_number(m->max_abs));
        mcv_json_set(&object, "kl", mcv_json_number(m->kl));
        mcv_json_set(&object, "top_k", mcv_json_number(m->top_k_overlap));
    }
    if (row->problem[0])
        mcv_json_set(&object, "problem", json_string(row->problem));
    return object;
}

/* A token's text in quotes, as JSON writes it. */
static void print_token(const logits_run *self, const logits_row *row, int32_t id) {
    json_t *token = describe_token(self, row, id);
    char *text = json_dumps(json_object_get(token, "text"), JSON_ENCODE_ANY);
    printf("%d %s %.4f", (int)id, text ? text : "-", (double)row->logits[id]);
    free(text);
    json_decref(token);
}

static void print_row(const logits_run *self, const logits_row *row) {
    printf("%s[%d]  %s  ", row->case_name, row->conversation, row->hash.xxh3_128);
    for (int i = 0; i < row->k && !self->saved; i++) {
        printf("%s", i ? ", " : "");
        print_token(self, row, row->top[i]);
    }
    if (self->saved && row->has_measures)
        printf("max_abs %.2e  kl %.2e  top_k %.2f  %s  ", row->measures.max_abs, row->measures.kl,
               row->measures.top_k_overlap, row->equal ? "same bits" : "other bits");
    if (self->saved)
        printf("%s%s%s", row->problem[0] ? "FAIL: " : "ok", row->problem, row->excused ? " (best token excused)" : "");
    printf("\n");
}

static mcv_status print_summary(const logits_run *self) {
    const char *first = self->first.size ? mcv_buffer_text(&self->first) : NULL;
    if (self->arguments->json) {
        json_t *object = json_pack("{s:I, s:O}", "count", (json_int_t)self->num_rows, "rows", self->rows);
        if (self->saved) {
            mcv_json_set(&object, "failed", json_integer((json_int_t)self->failed));
            mcv_json_set(&object, "flips", json_integer((json_int_t)self->flips));
            mcv_json_set(&object, "excused", json_integer((json_int_t)self->excused));
            mcv_json_set(&object, "first_divergence", first ? json_string(first) : json_null());
        }
        return mcv_json_print(object);
    }
    if (!self->saved)
        return MCV_OK;
    printf("%s%s\n", first ? "first divergence: " : "all equal: ", first ? first : "within what is demanded");
    printf("%zu rows, %zu with another best token, %zu of them excused\n", self->num_rows, self->flips, self->excused);
    return MCV_OK;
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */

static mcv_status count_row(logits_run *self, const logits_row *row) {
    self->num_rows++;
    self->flips += row->flipped;
    self->excused += row->excused;
    if (!row->problem[0])
        return MCV_OK;
    if (self->failed++ > 0)
        return MCV_OK;
    return mcv_buffer_printf(&self->first, "%s[%d]: %s", row->case_name, row->conversation, row->problem);
}

/* `kept`: what the rows are described as where they are kept. */
static mcv_status take_row(logits_run *self, const char *case_name, int conversation, const float *logits, size_t size,
                           json_t **kept) {
    logits_row row = {.case_name = case_name, .conversation = conversation, .logits = logits, .size = size};
    row.k = size < (size_t)self->top_k ? (int)size : self->top_k;
    row.hash = mcv_hash_bytes(logits, size * sizeof *logits);
    mcv_logits_top(logits, size, row.k, row.top);
    if (self->saved)
        MCV_TRY(check_row(self, &row));
    mcv_json_append(kept, describe_row(self, &row));
    if (self->arguments->json)
        mcv_json_append(&self->rows, describe_checked_row(self, &row));
    else
        print_row(self, &row);
    return count_row(self, &row);
}

static mcv_status take_rows(logits_run *self, const mcv_golden_case *golden_case, const float *logits, int size) {
    json_t *kept = json_array();
    mcv_status status = MCV_OK;
    for (int i = 0; i < golden_case->num_conversations && status == MCV_OK; i++)
        status = take_row(self, golden_case->name, i, logits + (size_t)i * (size_t)size, (size_t)size, &kept);
    if (status == MCV_OK && self->writer)
        status = mcv_logits_writer_add(self->writer, golden_case->name,
                                       &MCV_TENSOR(MCV_F32, logits, golden_case->num_conversations, size), kept);
    json_decref(kept);
    return status;
}

/* Opens the model of the command line, else the case's own, unless it is open. */
static mcv_status open_model(logits_run *self, const mcv_golden_case *golden_case) {
    mcv_model_options options;
    ModelFiles files = mcv_model_options_read(self->arguments);
    const char *path = files.model ? files.model : golden_case->model;
    if (!path)
        return MCV_FAIL(MCV_USAGE, "--model is needed");
    if (self->model_path && strcmp(self->model_path, path) == 0)
        return MCV_OK;
    mcv_model_close(self->model);
    self->model = NULL;
    free(self->model_path);
    self->model_path = NULL;
    MCV_TRY(mcv_engine_options_read(self->arguments, MCV_ENGINE_REFERENCE, &options));
    options.mmproj = files.mmproj;
    options.preprocessor_config = files.preprocessor_config;
    options.pillow_version = mcv_option_value(self->arguments, "pillow");
    MCV_TRY(mcv_model_options_open(path, &options, &self->model));
    return mcv_strdup(&self->model_path, path);
}

static mcv_status run_case(logits_run *self, const mcv_golden_case *golden_case) {
    float *logits = NULL;
    int size;
    MCV_TRY(open_model(self, golden_case));
    mcv_status status = mcv_logits(self->model, golden_case->conversations, golden_case->num_conversations,
                                   &golden_case->prompt_options, NULL, &logits, &size);
    if (status == MCV_USAGE)
        status = mcv_fail_context(MCV_BAD_INPUT, "case %s", golden_case->name);
    if (status == MCV_OK)
        status = take_rows(self, golden_case, logits, size);
    mcv_free(logits);
    return status;
}

static mcv_status run_question(logits_run *self) {
    mcv_golden_case question;
    mcv_status status = mcv_question_read(self->arguments, &question);
    if (status == MCV_OK) {
        question.name = "question";
        status = run_case(self, &question);
    }
    mcv_golden_case_free(&question);
    return status;
}

static mcv_status run_all(logits_run *self) {
    if (self->arguments->num_operands == 0)
        return run_question(self);
    MCV_TRY(mcv_question_refuse(self->arguments, "cases"));
    for (int i = 0; i < self->arguments->num_operands; i++) {
        mcv_golden_case golden_case;
        mcv_log_progress("cases", (uint64_t)i, (uint64_t)self->arguments->num_operands);
        mcv_status status = mcv_golden_case_load(self->arguments->operands[i], &golden_case);
        mcv_log_progress_end();
        if (status == MCV_OK)
            status = run_case(self, &golden_case);
        mcv_golden_case_free(&golden_case);
        MCV_TRY(status);
    }
    return MCV_OK;
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

static mcv_status open_files(logits_run *self) {
    const mcv_arguments *arguments = self->arguments;
    const char *save = mcv_option_value(arguments, "save"), *check = mcv_option_value(arguments, "check");
    mcv_logits_origin origin = {.engine = mcv_option_or(arguments, "engine", "ref"),
                                .dtype = mcv_dtype_and_numerics(arguments, "ref"),
                                .target = mcv_option_value(arguments, "target")};
    self->top_k = 5;
    self->exact = mcv_option_count(arguments, "expect-bitwise") > 0;
    if (self->exact && !check)
        return MCV_FAIL(MCV_USAGE, "--expect-bitwise goes with --check");
    MCV_TRY(mcv_option_int(arguments, "top-k", 2, MCV_MOST_TOP, &self->top_k));
    MCV_TRY(mcv_tolerances_open(arguments, "ref", &self->tolerances));
    self->rows = json_array();
    if (save)
        MCV_TRY(mcv_logits_check_output(save, arguments->num_operands, true));
    if (check)
        MCV_TRY(mcv_saved_logits_open(check, &self->saved));
    return save ? mcv_logits_writer_open(save, &origin, &self->writer) : MCV_OK;
}

static mcv_status run_and_judge(logits_run *self) {
    MCV_TRY(open_files(self));
    MCV_TRY(run_all(self));
    MCV_TRY(print_summary(self));
    if (self->failed == 0)
        return MCV_OK;
    return MCV_FAIL(MCV_DIFFERS, "%zu of %zu rows differ, the first: %s", self->failed, self->num_rows,
                    mcv_buffer_text(&self->first));
}

static mcv_status run(const mcv_arguments *arguments) {
    logits_run self = {.arguments = arguments};
    mcv_status status = run_and_judge(&self);
    mcv_status written = mcv_logits_writer_close(self.writer, status == MCV_OK || status == MCV_DIFFERS);
    mcv_saved_logits_close(self.saved);
    mcv_tolerances_free(self.tolerances);
    mcv_model_close(self.model);
    free(self.model_path);
    json_decref(self.rows);
    mcv_buffer_free(&self.first);
    return status == MCV_OK ? written : status;
}

static const mcv_option OPTIONS[] = {
    {'m', "model", "MODEL", "the model (default: the case's own)"},
    MCV_MODEL_FILE_OPTIONS,
    MCV_QUESTION_OPTIONS,
    {0, "save", "FILE", "keep the logits (safetensors; of one case FILE.npy) or their hashes (FILE.json)"},
    {0, "check", "FILE", "hold them to a file that --save has written; a .json file demands equal bits"},
    {0, "expect-bitwise", NULL, "demand equal bits of any file"},
    {0, "top-k", "K", "how many of the best tokens are shown and compared (default 5)"},
    MCV_TOLERANCE_OPTION,
    {0, "pillow", "VERSION", "the Pillow whose resizing is followed, as 12.1 (default: the newest known)"},
    MCV_ENGINE_OPTIONS,
    {0},
};

const mcv_command mcv_logits_command = {
    .name = "logits",
    .summary = "logits behind a prompt: hashes, best tokens, distances to a saved run",
    .operands = "[CASE...]",
    .max_operands = MCV_ANY_NUMBER,
    .details =
        "Runs the prompts of golden cases, or a question of the command line, and shows the logits behind each: XXH3 "
        "of\n"
        "128 bits, the best tokens. With --check, against a saved run: largest distance, KL divergence, overlap of "
        "the\n"
        "best K, equal bits. What is demanded says the line `logits` of the table of tolerances; another best token "
        "is\n"
        "excused only where the saved run's own lead is below its `margin`, and is counted. Exit code 0 where all\n"
        "agree, 1 where not.\n",
    .takes = MCV_TAKES_ALL,
    .options = OPTIONS,
    .run = run,
};
