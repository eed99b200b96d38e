/* minicpmv dump: writes every module's output in the golden form. */
#include <math.h>
#include <stdio.h>

#include "api/engine_attach.h"
#include "cli/cli.h"
#include "cli/dump_output.h"
#include "cli/engine_options.h"
#include "cli/json_output.h"
#include "cli/model_options.h"
#include "cli/outputs.h"
#include "cli/question.h"
#include "cli/run_case.h"
#include "cli/selection.h"
#include "core/log.h"
#include "core/threads.h"
#include "ref/python_json.h"

typedef struct dump {
    mcv_dump_output output;
    const mcv_selection *selection;
    size_t tensors; /* that were written */
} dump;

static mcv_status take_tensor(void *context, const char *name, const mcv_tensor *tensor) {
    dump *self = context;
    if (!mcv_selection_takes(self->selection, name))
        return MCV_OK;
    mcv_log_progress("tensors", ++self->tensors, 0);
    return self->output.tensor(self->output.context, name, tensor);
}

static mcv_status take_text(void *context, const char *name, const json_t *value) {
    dump *self = context;
    mcv_buffer text = {0};
    if (!self->output.text || !mcv_selection_takes(self->selection, name))
        return MCV_OK;
    mcv_status status = python_json_dumps(value, &text);
    if (status == MCV_OK)
        status = self->output.text(self->output.context, name, mcv_buffer_text(&text));
    mcv_buffer_free(&text);
    return status;
}

/* ---- What is run ------------------------------------------------------------------------------------------------ */

/* "greedy", where --max-new-tokens asks for it. */
static mcv_status make_decoding(const mcv_arguments *arguments, mcv_golden_case *made) {
    int max_new_tokens = 0;
    MCV_TRY(mcv_option_int(arguments, "max-new-tokens", 1, 1 << 20, &max_new_tokens));
    MCV_TRY(MCV_ARENA_NEW(&made->arena, &made->decodings, 1));
    made->decodings[0] = (mcv_case_decoding){.name = "greedy",
                                             .max_new_tokens = max_new_tokens,
                                             .min_new_tokens = 0,
                                             .num_beams = 1,
                                             .early_stopping = -1,
                                             .repetition_penalty = 1,
                                             .length_penalty = (double)NAN};
    made->num_decodings = max_new_tokens > 0;
    return MCV_OK;
}

static mcv_status get_case(const mcv_arguments *arguments, mcv_golden_case *golden_case) {
    const char *path = mcv_option_value(arguments, "case");
    *golden_case = (mcv_golden_case){0};
    if (!path) {
        MCV_TRY(mcv_question_read(arguments, golden_case));
        return make_decoding(arguments, golden_case);
    }
    if (mcv_option_count(arguments, "max-new-tokens") > 0)
        return MCV_FAIL(MCV_USAGE, "--max-new-tokens and --case exclude each other");
    MCV_TRY(mcv_question_refuse(arguments, "--case"));
    return mcv_golden_case_load(path, golden_case);
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

static mcv_status open_model(const mcv_arguments *arguments, const mcv_golden_case *golden_case, mcv_pool *pool,
                             MiniCPMV **model, mcv_engine **engine) {
    mcv_model_options options;
    ModelFiles files = mcv_model_options_read(arguments);
    const char *output = mcv_option_value(arguments, "output");
    const char *pillow = mcv_option_value(arguments, "pillow");
    if (!files.model)
        files.model = golden_case->model;
    if (files.model && output)
        MCV_TRY(mcv_output_check_model(output, files.model));
    if (!files.model)
        return MCV_FAIL(MCV_USAGE, "--model is needed");
    MCV_TRY(mcv_engine_options_read(arguments, MCV_ENGINE_REFERENCE, &options));
    MCV_TRY(MiniCPMV_from_files(model, &files, pool));
    MCV_TRY(mcv_engine_attach(*model, &options, engine));
    return pillow ? PillowVersion_from_string(pillow, &(*model)->processor.image_processor.pillow) : MCV_OK;
}

static mcv_status open_output(const mcv_arguments *arguments, mcv_dump_output *output) {
    const char *format = mcv_option_value(arguments, "format"), *path;
    if (mcv_option_count(arguments, "stats-only") > 0) {
        if (format || mcv_option_count(arguments, "output") > 0)
            return MCV_FAIL(MCV_USAGE, "--stats-only writes no file: no --format, no --output");
        return mcv_dump_to_stats(arguments->json, output);
    }
    MCV_TRY(mcv_option_required(arguments, "output", &path));
    if (!format || strcmp(format, "safetensors") == 0)
        return mcv_dump_to_safetensors(path, output);
    if (strcmp(format, "npy") == 0)
        return mcv_dump_to_npy(path, output);
    return MCV_FAIL(MCV_USAGE, "--format %s: expected safetensors or npy", format);
}

static mcv_status write_dump(const mcv_arguments *arguments, const mcv_selection *selection, const MiniCPMV *model,
                             const mcv_golden_case *golden_case, size_t *tensors) {
    dump self = {.selection = selection};
    mcv_run_sink sink = {.tensor = take_tensor, .text = take_text, .context = &self};
    MCV_TRY(open_output(arguments, &self.output));
    mcv_status status = mcv_run_case(model, golden_case, &sink);
    mcv_log_progress_end();
    if (status == MCV_OK && self.tensors == 0)
        status = mcv_selection_refuse(selection, "the run");
    mcv_status finished = self.output.finish(self.output.context, status == MCV_OK);
    *tensors = self.tensors;
    return status == MCV_OK ? finished : status;
}

/* Standard output may be where the tensors went. */
static mcv_status print_outcome(const mcv_arguments *arguments, size_t tensors) {
    const char *path = mcv_option_value(arguments, "output");
    if (!path || strcmp(path, "-") == 0)
        return MCV_OK;
    if (arguments->json)
        return mcv_json_print(json_pack("{s:s, s:I}", "file", path, "tensors", (json_int_t)tensors));
    printf("%s: %zu tensors\n", path, tensors);
    return MCV_OK;
}

static mcv_status run(const mcv_arguments *arguments) {
    mcv_golden_case golden_case = {0};
    mcv_selection selection = {0};
    mcv_pool *pool = NULL;
    MiniCPMV *model = NULL;
    mcv_engine *engine = NULL;
    size_t tensors;
    mcv_status status;
    MCV_TRY_GOTO(status, done, mcv_selection_open(&selection, arguments));
    MCV_TRY_GOTO(status, done, get_case(arguments, &golden_case));
    MCV_TRY_GOTO(status, done, mcv_pool_create(&pool, arguments->threads));
    MCV_TRY_GOTO(status, done, open_model(arguments, &golden_case, pool, &model, &engine));
    MCV_TRY_GOTO(status, done, write_dump(arguments, &selection, model, &golden_case, &tensors));
    status = print_outcome(arguments, tensors);
done:
    mcv_engine_free(engine);
    MiniCPMV_free(model);
    mcv_pool_free(pool);
    mcv_golden_case_free(&golden_case);
    mcv_selection_close(&selection);
    return status;
}

static const mcv_option OPTIONS[] = {
    {'m', "model", "MODEL", "the model (default: the case's own)"},
    MCV_MODEL_FILE_OPTIONS,
    {'o', "output", "PATH", "the file or (for npy) new folder to write; - is standard output"},
    {0, "format", "FORMAT", "safetensors (default), or npy: a folder of NAME.npy files"},
    {0, "stats-only", NULL, "write no file: print range, mean, size and hash of each tensor"},
    MCV_STAGE_OPTION,
    MCV_FILTER_OPTION,
    {0, "case", "CASE", "run a golden case (its folder or case.json)"},
    MCV_QUESTION_OPTIONS,
    {0, "max-new-tokens", "N", "decode so many tokens greedily, too, as generated_ids.greedy"},
    {0, "pillow", "VERSION", "the Pillow whose resizing is followed, as 12.1 (default: the newest known)"},
    MCV_ENGINE_OPTIONS,
    {0},
};

const mcv_command mcv_dump_command = {
    .name = "dump",
    .summary = "write every module's output in the golden form",
    .operands = "",
    .details =
        "Runs a golden case, or a question of the command line, and writes the inputs, every module's output on the\n"
        "prompt and the ids that were generated to a file, under the names of golden files. Two such files are\n"
        "compared by diff.\n",
    .takes = MCV_TAKES_ALL,
    .options = OPTIONS,
    .run = run,
};
