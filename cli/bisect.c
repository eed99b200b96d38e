/* minicpmv bisect A B: the first module whose output differs given equal inputs. */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "api/engine_attach.h"
#include "cli/cli.h"
#include "cli/compare.h"
#include "cli/dump_output.h"
#include "cli/engine_options.h"
#include "cli/json_output.h"
#include "cli/model_options.h"
#include "cli/question.h"
#include "cli/run_case.h"
#include "core/buffer.h"
#include "core/file.h"
#include "core/log.h"
#include "core/threads.h"

/* One of the two that are compared: a model, or what some program dumped. */
typedef struct side {
    const char *path;
    MiniCPMV *model;    /* NULL: only its dump is known */
    mcv_engine *engine; /* the fast engine, if it runs the model: no values can be given to that */
    mcv_dump *dump;     /* what it computes when nobody interferes */
} side;

typedef struct bisection {
    side a, b;
    mcv_golden_case question;
    mcv_pool *pool;
    mcv_name_map *names;
    mcv_tolerances *tolerances;
    mcv_comparison as_they_ran; /* A's dump against B's */
    mcv_comparison a_given_b;   /* A, each module on B's input, against B's dump; empty where that cannot be run */
    mcv_comparison b_given_a;   /* and the other way round */
} bisection;

/* ---- What a side computes ---------------------------------------------------------------------------------------- */

static mcv_status pass_over_text(void *context, const char *name, const json_t *value) {
    (void)context, (void)name, (void)value;
    return MCV_OK;
}

static mcv_status write_run(const bisection *self, const MiniCPMV *model, const char *path) {
    mcv_dump_output output;
    MCV_TRY(mcv_dump_to_safetensors(path, &output));
    mcv_run_sink sink = {.tensor = output.tensor, .text = pass_over_text, .context = output.context};
    mcv_status status = mcv_run_case(model, &self->question, &sink);
    mcv_status finished = output.finish(output.context, status == MCV_OK);
    return status == MCV_OK ? finished : status;
}

/* Runs a model as it is. Its tensors go to a file, because there are many; the file has no name once it is mapped. */
static mcv_status run_alone(const bisection *self, side *of) {
    const char *folder = getenv("TMPDIR");
    char made[256], path[288];
    snprintf(made, sizeof made, "%s/minicpmv.XXXXXX", folder ? folder : "/tmp");
    if (!mkdtemp(made))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: a folder for what %s computes cannot be made there", made, of->path);
    snprintf(path, sizeof path, "%s/run.safetensors", made);
    mcv_log_remark("running %s", of->path);
    const mcv_unfinished *before = mcv_unfinished_newest();
    mcv_status status = mcv_unfinished_add(made, NULL);
    if (status == MCV_OK)
        status = mcv_unfinished_add_new(path);
    if (status == MCV_OK)
        status = write_run(self, of->model, path);
    if (status == MCV_OK)
        status = mcv_dump_open(path, NULL, &of->dump);
    mcv_unfinished_settle(before, false);
    return status;
}

static bool is_gguf(const char *path) {
    const char *ending = strrchr(path, '.');
    return ending && strcmp(ending, ".gguf") == 0;
}

/* A model is a folder with config.json or a GGUF file; everything else is a dump. */
static mcv_status is_model(const char *path, bool *model) {
    char *config;
    MCV_TRY(mcv_path_join(&config, path, "config.json"));
    *model = is_gguf(path) || mcv_file_exists(config);
    free(config);
    return MCV_OK;
}

/* others: the files beside a model's own, for whichever side they fit. */
static mcv_status open_side(const bisection *self, const char *path, const ModelFiles *others,
                            const mcv_model_options *options, side *opened) {
    bool model;
    *opened = (side){.path = path};
    MCV_TRY(is_model(path, &model));
    if (!model)
        return mcv_dump_open(path, self->names, &opened->dump);
    ModelFiles files = *others;
    files.model = path;
    files.mmproj = is_gguf(path) ? others->mmproj : NULL;
    MCV_TRY(MiniCPMV_from_files(&opened->model, &files, self->pool));
    MCV_TRY(mcv_engine_attach(opened->model, options, &opened->engine));
    return run_alone(self, opened);
}

/* ---- Equal inputs ------------------------------------------------------------------------------------------------ */

/* A run each of whose modules goes on from the other side's values. */
typedef struct given_run {
    mcv_comparison *comparison; /* with the other side's dump */
    size_t seen;
} given_run;

static mcv_status take_tensor(void *context, const char *name, const mcv_tensor *tensor) {
    given_run *run = context;
    mcv_log_progress("tensors", ++run->seen, 0);
    return mcv_comparison_tensor(run->comparison, name, tensor);
}

static mcv_status give(void *context, const char *name, const mcv_tensor *output, float *values) {
    const given_run *run = context;
    mcv_tensor others;
    size_t count, others_count;
    if (mcv_comparison_golden(run->comparison, name, &others) && mcv_dtype_is_float(others.dtype) &&
        mcv_tensor_count(output, &count) && mcv_tensor_count(&others, &others_count) && count == others_count)
        mcv_tensor_to_f32(&others, 0, count, values);
    return MCV_OK;
}

static mcv_comparison_options compare_with(const bisection *self, const side *right) {
    return (mcv_comparison_options){.golden = right->dump,
                                    .other = right == &self->a ? "A" : "B",
                                    .tolerances = self->tolerances,
                                    .common_only = true,
                                    .loose_shapes = self->names != NULL};
}

static mcv_status run_given(const bisection *self, const side *of, const side *inputs, mcv_comparison *comparison) {
    mcv_comparison_options options = compare_with(self, inputs);
    given_run run = {.comparison = comparison};
    mcv_run_sink sink = {.tensor = take_tensor, .text = pass_over_text, .replace = give, .context = &run};
    if (!of->model || of->engine)
        return MCV_OK;
    mcv_log_remark("running %s, each module on the input that it has in %s", of->path, inputs->path);
    MCV_TRY(mcv_comparison_start(comparison, &options));
    MCV_TRY(mcv_run_case(of->model, &self->question, &sink));
    mcv_log_progress_end();
    mcv_comparison_sort(comparison);
    return MCV_OK;
}

static mcv_status compare_dumps(const bisection *self, mcv_comparison *comparison) {
    mcv_comparison_options options = compare_with(self, &self->b);
    MCV_TRY(mcv_comparison_start(comparison, &options));
    for (size_t i = 0; i < mcv_dump_count(self->a.dump); i++) {
        mcv_tensor tensor = mcv_dump_at(self->a.dump, i);
        MCV_TRY(mcv_comparison_tensor(comparison, mcv_dump_name(self->a.dump, i), &tensor));
    }
    mcv_comparison_sort(comparison);
    return MCV_OK;
}

/* ---- What came out ----------------------------------------------------------------------------------------------- */

/* The three comparisons of one tensor; NULL where a side did not run. */
typedef struct module_result {
    const mcv_comparison_row *as_they_ran, *a_given_b, *b_given_a;
} module_result;

static const mcv_comparison_row *find_row(const mcv_comparison *comparison, const char *name) {
    for (size_t i = 0; i < comparison->num_rows; i++)
        if (strcmp(comparison->rows[i].name, name) == 0)
            return &comparison->rows[i];
    return NULL;
}

static module_result result_at(const bisection *self, size_t index) {
    const mcv_comparison_row *row = &self->as_they_ran.rows[index];
    return (module_result){row, find_row(&self->a_given_b, row->name), find_row(&self->b_given_a, row->name)};
}

/* The row that shows that the module differs given equal inputs; NULL: it does not. */
static const mcv_comparison_row *difference(const module_result *result) {
    if (result->b_given_a && !result->b_given_a->pass)
        return result->b_given_a;
    return result->a_given_b && !result->a_given_b->pass ? result->a_given_b : NULL;
}

static const mcv_comparison_row *first_difference(const bisection *self) {
    const mcv_comparison_row *found = NULL;
    for (size_t i = 0; i < self->as_they_ran.num_rows && !found; i++) {
        module_result result = result_at(self, i);
        found = difference(&result);
    }
    return found;
}

/* ---- Prompts that differ ----------------------------------------------------------------------------------------- */

static const char PROMPT_IDS[] = "input_ids";

/* The prompts' ids as rows. False where the dump has none. */
static bool find_ids(const side *of, mcv_tensor *ids, size_t *rows, size_t *columns) {
    size_t count;
    if (!mcv_dump_find(of->dump, PROMPT_IDS, ids) || ids->rank == 0 || !mcv_tensor_count(ids, &count) || count == 0)
        return false;
    *columns = (size_t)ids->shape[ids->rank - 1];
    *rows = count / *columns;
    return true;
}

/* What differs in the prompts' ids: how many there are, and the first that is another. Nothing where they are the same,
 * or where a dump has none. */
static mcv_status explain_prompts(const bisection *self, mcv_buffer *words) {
    mcv_tensor a, b;
    size_t a_rows, a_columns, b_rows, b_columns;
    if (!find_ids(&self->a, &a, &a_rows, &a_columns) || !find_ids(&self->b, &b, &b_rows, &b_columns))
        return MCV_OK;
    size_t rows = a_rows < b_rows ? a_rows : b_rows, columns = a_columns < b_columns ? a_columns : b_columns, i = 0;
    while (i < rows * columns && mcv_tensor_get(&a, i / columns * a_columns + i % columns) ==
                                     mcv_tensor_get(&b, i / columns * b_columns + i % columns))
        i++;
    bool same_count = a_rows == b_rows && a_columns == b_columns;
    if (same_count && i == rows * columns)
        return MCV_OK;
    MCV_TRY(mcv_buffer_printf(words, "%zu x %zu ids in A, %zu x %zu in B", a_rows, a_columns, b_rows, b_columns));
    if (i == rows * columns)
        return mcv_buffer_printf(words, ", the same as far as both go");
    return mcv_buffer_printf(words, ", the first that differs at [%zu, %zu]: %.0f in A, %.0f in B", i / columns,
                             i % columns, mcv_tensor_get(&a, i / columns * a_columns + i % columns),
                             mcv_tensor_get(&b, i / columns * b_columns + i % columns));
}

/* ---- Showing ----------------------------------------------------------------------------------------------------- */

static void print_number(const mcv_comparison_row *row) {
    if (row && row->measures.compared)
        printf("  %9.2e", row->measures.rel_l2);
    else
        printf("  %9s", "-");
}

static void print_table(const bisection *self) {
    int width = 4;
    for (size_t i = 0; i < self->as_they_ran.num_rows; i++)
        width = (int)fmax(width, (double)strlen(self->as_they_ran.rows[i].name));
    printf("A %s\nB %s\n\n%*s    relative L2 distance\n%-*s  %9s  %9s  %9s\n", self->a.path, self->b.path, width, "",
           width, "name", "B given A", "A given B", "as is");
    for (size_t i = 0; i < self->as_they_ran.num_rows; i++) {
        module_result result = result_at(self, i);
        const mcv_comparison_row *differs = difference(&result);
        printf("%-*s", width, result.as_they_ran->name);
        print_number(result.b_given_a);
        print_number(result.a_given_b);
        print_number(result.as_they_ran);
        printf("  %s%s\n", differs ? "DIFFERS: " : "ok", differs ? differs->problem : "");
    }
}

static json_t *describe_number(const mcv_comparison_row *row) {
    return row && row->measures.compared ? mcv_json_number(row->measures.rel_l2) : json_null();
}

static json_t *describe_results(const bisection *self) {
    json_t *modules = json_array();
    for (size_t i = 0; i < self->as_they_ran.num_rows; i++) {
        module_result result = result_at(self, i);
        const mcv_comparison_row *differs = difference(&result);
        json_t *module = json_pack("{s:s, s:b}", "name", result.as_they_ran->name, "differs", differs != NULL);
        mcv_json_set(&module, "b_given_a", describe_number(result.b_given_a));
        mcv_json_set(&module, "a_given_b", describe_number(result.a_given_b));
        mcv_json_set(&module, "as_is", describe_number(result.as_they_ran));
        if (differs)
            mcv_json_set(&module, "problem", json_string(differs->problem));
        mcv_json_append(&modules, module);
    }
    return modules;
}

static mcv_status print_json(const bisection *self, const mcv_comparison_row *first, const mcv_comparison_row *as_is,
                             const char *prompts) {
    return mcv_json_print(json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:o}", "a", self->a.path, "b", self->b.path, "first",
                                    first ? first->name : NULL, "first_as_is", as_is ? as_is->name : NULL,
                                    "prompts_differ", prompts, "modules", describe_results(self)));
}

static void print_verdict(const bisection *self, const mcv_comparison_row *first, const mcv_comparison_row *as_is,
                          const char *prompts) {
    print_table(self);
    printf("\n");
    if (prompts)
        printf("the prompts differ, so no module behind them has equal inputs: %s\n", prompts);
    else if (first)
        printf("first module that differs given equal inputs: %s\n", first->name);
    else
        printf("no module differs given equal inputs: %zu compared\n", self->as_they_ran.num_rows);
    if (as_is)
        printf("first difference as they are: %s: %s\n", as_is->name, as_is->problem);
}

/* prompts: what differs in them; NULL: nothing. */
static mcv_status report(const bisection *self, bool json, const char *prompts) {
    const mcv_comparison_row *first = first_difference(self), *as_is = mcv_comparison_first_failure(&self->as_they_ran);
    if (self->as_they_ran.num_rows == 0)
        return MCV_FAIL(MCV_DIFFERS, "%s and %s have no tensor in common", self->a.path, self->b.path);
    if (json)
        MCV_TRY(print_json(self, first, as_is, prompts));
    else
        print_verdict(self, first, as_is, prompts);
    if (prompts)
        return MCV_FAIL(MCV_DIFFERS, "the prompts differ: %s", prompts);
    return first ? MCV_FAIL(MCV_DIFFERS, "given equal inputs %s differs: %s", first->name, first->problem) : MCV_OK;
}

static mcv_status explain_and_report(const bisection *self, bool json) {
    mcv_buffer prompts = {0};
    mcv_status status = explain_prompts(self, &prompts);
    if (status == MCV_OK)
        status = report(self, json, prompts.size ? mcv_buffer_text(&prompts) : NULL);
    mcv_buffer_free(&prompts);
    return status;
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

/* Answers are of no use here: given the other's values, a model writes the other's. */
static mcv_status read_question(const mcv_arguments *arguments, mcv_golden_case *question) {
    const char *path = mcv_option_value(arguments, "case");
    *question = (mcv_golden_case){0};
    if (!path)
        return mcv_question_read(arguments, question);
    MCV_TRY(mcv_question_refuse(arguments, "--case"));
    MCV_TRY(mcv_golden_case_load(path, question));
    question->num_decodings = 0;
    return MCV_OK;
}

static mcv_status read_limits(const mcv_arguments *arguments, bisection *self) {
    double limit = (double)NAN;
    MCV_TRY(mcv_option_double(arguments, "limit", 0, (double)INFINITY, &limit));
    MCV_TRY(mcv_tolerances_open(arguments, "ref", &self->tolerances));
    if (!isnan(limit))
        mcv_tolerances_set_rel_l2(self->tolerances, limit);
    return MCV_OK;
}

static mcv_status bisect(const mcv_arguments *arguments, bisection *self) {
    const char *names = mcv_option_value(arguments, "names");
    ModelFiles files = mcv_model_options_read(arguments);
    mcv_model_options reference = mcv_model_options_default(), options;
    reference.engine = MCV_ENGINE_REFERENCE;
    MCV_TRY(mcv_engine_options_read(arguments, MCV_ENGINE_REFERENCE, &options));
    MCV_TRY(read_limits(arguments, self));
    MCV_TRY(read_question(arguments, &self->question));
    if (names)
        MCV_TRY(mcv_name_map_read(names, &self->names));
    MCV_TRY(mcv_pool_create(&self->pool, arguments->threads));
    MCV_TRY(open_side(self, arguments->operands[0], &files, &reference, &self->a));
    MCV_TRY(open_side(self, arguments->operands[1], &files, &options, &self->b));
    if (!self->b.model && options.engine == MCV_ENGINE_FAST)
        return MCV_FAIL(MCV_USAGE, "--engine says what runs B, but %s is a dump", self->b.path);
    if ((!self->a.model || self->a.engine) && (!self->b.model || self->b.engine))
        return MCV_FAIL(MCV_USAGE,
                        "one side at least must be a model that the reference runs; diff compares two dumps");
    MCV_TRY(run_given(self, &self->a, &self->b, &self->a_given_b));
    MCV_TRY(run_given(self, &self->b, &self->a, &self->b_given_a));
    MCV_TRY(compare_dumps(self, &self->as_they_ran));
    return explain_and_report(self, arguments->json);
}

static void close_side(side *closed) {
    mcv_engine_free(closed->engine);
    MiniCPMV_free(closed->model);
    mcv_dump_close(closed->dump);
}

static mcv_status run(const mcv_arguments *arguments) {
    bisection self = {0};
    mcv_status status = bisect(arguments, &self);
    mcv_comparison_free(&self.b_given_a);
    mcv_comparison_free(&self.a_given_b);
    mcv_comparison_free(&self.as_they_ran);
    close_side(&self.b);
    close_side(&self.a);
    mcv_tolerances_free(self.tolerances);
    mcv_name_map_free(self.names);
    mcv_pool_free(self.pool);
    mcv_golden_case_free(&self.question);
    return status;
}

static const mcv_option OPTIONS[] = {
    {0, "case", "CASE", "ask what a golden case asks (its folder or case.json)"},
    MCV_QUESTION_OPTIONS,
    MCV_MODEL_FILE_OPTIONS,
    MCV_ENGINE_OPTIONS,
    {0, "names", "FILE",
     "what a dump calls its tensors: a name map; dimensions of size 1, and how neighbours are joined, do not count "
     "then"},
    MCV_TOLERANCE_OPTION,
    {0, "limit", "X", "the most that norm(A - B) / norm(B) may be, in place of the table's"},
    {0},
};

const mcv_command mcv_bisect_command = {
    .name = "bisect",
    .summary = "the first module that differs given equal inputs",
    .operands = "A B",
    .min_operands = 2,
    .max_operands = 2,
    .details =
        "A and B are two models, or a model and a dump of some other program or engine, of the same question. Each\n"
        "model is run as it is, and once more so that each module gets the input that it has on the other side: what\n"
        "differs then is at fault itself, and not what came before it. One line a module in the order of execution,\n"
        "then the first that differs. Exit code 0 where none does, 1 where one does. Where the two read different\n"
        "prompts, that is what is told: nothing behind them has equal inputs.\n"
        "The reference runs A; --engine, --dtype and --target are for B. The fast engine takes no values from "
        "outside:\n"
        "beside it, the reference's modules get its input.\n",
    .takes = MCV_TAKES_ALL,
    .options = OPTIONS,
    .run = run,
};
