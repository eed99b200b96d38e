/* minicpmv verify CASE...: runs golden cases and compares every tensor. */
#include <stdio.h>

#include "api/engine_attach.h"
#include "cli/cli.h"
#include "cli/engine_options.h"
#include "cli/fingerprints.h"
#include "cli/manifest.h"
#include "cli/model_options.h"
#include "cli/report.h"
#include "cli/run_case.h"
#include "core/log.h"
#include "core/threads.h"
#include "formats/dump_reader.h"

enum { MOST_RUNS = 64, MOST_THREADS = 1024 };

typedef struct verify_options {
    ModelFiles files;       /* files.model NULL: the case's own */
    const char *pillow;     /* NULL: the version that the golden file was made with */
    int threads[MOST_RUNS]; /* [num_runs]: one run each; 0: one per processor */
    int num_runs;
    bool expect_bitwise, fail_fast;
    bool inject;      /* each module goes on from golden values */
    bool show_images; /* record what the runs show of their images */
    mcv_model_options model_options;
    mcv_tolerances *tolerances;
    mcv_selection selection;
} verify_options;

/* One case, its files and its model. */
typedef struct verify_case {
    mcv_golden_case golden_case;
    mcv_dump *golden, *exact;
    MiniCPMV *model;
    mcv_engine *engine;            /* NULL: the reference */
    mcv_fingerprints fingerprints; /* of the first run; empty without --expect-bitwise */
    mcv_vision_record vision;      /* of the first run; empty without --report */
} verify_case;

/* One run of a case. */
typedef struct verify_run {
    const verify_options *options;
    verify_case *of;
    bool first;
    int threads; /* 0: one per processor */
    mcv_comparison comparison;
    size_t tensors_seen;
    bool stopped; /* before its end, because no more is wanted of it */
} verify_run;

/* "1,2,3". */
static mcv_status read_threads(const char *text, verify_options *options) {
    const char *rest = text;
    do {
        char *end;
        long threads = strtol(rest, &end, 10);
        if (end == rest || (*end && *end != ',') || threads < 1 || threads > MOST_THREADS)
            return MCV_FAIL(MCV_USAGE, "--threads %s: expected whole numbers from 1 to %d with commas between", text,
                            MOST_THREADS);
        if (options->num_runs == MOST_RUNS)
            return MCV_FAIL(MCV_USAGE, "--threads %s: more than %d runs", text, MOST_RUNS);
        options->threads[options->num_runs++] = (int)threads;
        rest = *end ? end + 1 : NULL;
    } while (rest);
    return MCV_OK;
}

static mcv_status read_options(const mcv_arguments *arguments, verify_options *options) {
    const char *threads = mcv_option_value(arguments, "threads");
    *options = (verify_options){.files = mcv_model_options_read(arguments),
                                .pillow = mcv_option_value(arguments, "pillow"),
                                .expect_bitwise = mcv_option_count(arguments, "expect-bitwise") > 0,
                                .fail_fast = mcv_option_count(arguments, "fail-fast") > 0,
                                .inject = mcv_option_count(arguments, "inject") > 0,
                                .show_images = mcv_option_count(arguments, "report") > 0};
    MCV_TRY(mcv_engine_options_read(arguments, MCV_ENGINE_REFERENCE, &options->model_options));
    MCV_TRY(mcv_selection_open(&options->selection, arguments));
    MCV_TRY(mcv_tolerances_open(arguments, "ref", &options->tolerances));
    if (threads)
        MCV_TRY(read_threads(threads, options));
    else
        options->num_runs = 1;
    if (options->expect_bitwise && options->num_runs < 2)
        return MCV_FAIL(MCV_USAGE, "--expect-bitwise needs several runs to compare, as in --threads 1,2,3");
    return MCV_OK;
}

/* ---- What a run makes ------------------------------------------------------------------------------------------ */

/* Holds a tensor's bits to those of the first run. */
static mcv_status check_bits(verify_run *run, const char *name, const mcv_tensor *tensor) {
    if (run->first)
        return mcv_fingerprints_add(&run->of->fingerprints, name, tensor);
    bool match;
    MCV_TRY(mcv_fingerprints_match(&run->of->fingerprints, name, tensor, &match));
    return match ? MCV_OK : mcv_comparison_reject(&run->comparison, name, "bits differ from the first run's");
}

static mcv_status stop_if(verify_run *run, bool enough) {
    run->stopped = enough;
    return enough ? MCV_FAIL(MCV_DIFFERS, "stopped") : MCV_OK;
}

static bool has_failed_fast(const verify_run *run) {
    return run->options->fail_fast && mcv_comparison_first_failure(&run->comparison);
}

/* Whether nothing that the run could still make would be looked at. */
static bool has_seen_all(const verify_run *run) {
    return run->of->golden_case.num_decodings == 0 && !run->options->expect_bitwise &&
           mcv_comparison_is_complete(&run->comparison);
}

static mcv_status take_tensor(void *context, const char *name, const mcv_tensor *tensor) {
    verify_run *run = context;
    mcv_log_progress(run->of->golden_case.name, run->tensors_seen++, mcv_dump_count(run->of->golden));
    MCV_TRY(mcv_comparison_tensor(&run->comparison, name, tensor));
    if (run->options->show_images && run->first)
        MCV_TRY(mcv_vision_record_tensor(&run->of->vision, name, tensor));
    if (run->options->expect_bitwise && mcv_selection_takes(&run->options->selection, name))
        MCV_TRY(check_bits(run, name, tensor));
    return stop_if(run, has_failed_fast(run) || has_seen_all(run));
}

static mcv_status take_text(void *context, const char *name, const json_t *value) {
    verify_run *run = context;
    const char *golden = mcv_dump_metadata(run->of->golden, name);
    if (golden)
        MCV_TRY(mcv_comparison_json(&run->comparison, name, value, golden));
    if (run->options->show_images && run->first)
        MCV_TRY(mcv_vision_record_text(&run->of->vision, name, value));
    return stop_if(run, has_failed_fast(run));
}

/* --inject: puts the golden values into an output that has been compared, so that what follows starts from them. */
static mcv_status give_golden(void *context, const char *name, const mcv_tensor *output, float *values) {
    const verify_run *run = context;
    mcv_tensor golden;
    size_t count;
    bool known = mcv_comparison_golden(&run->comparison, name, &golden);
    if (known && mcv_dtype_is_float(golden.dtype) && mcv_tensor_same_shape(output, &golden) &&
        mcv_tensor_count(&golden, &count))
        mcv_tensor_to_f32(&golden, 0, count, values);
    return MCV_OK;
}

/* Ends a run. What one that was stopped lacks is not missing. */
static mcv_status finish_comparison(verify_run *run, mcv_status status) {
    if (!run->stopped && status == MCV_OK)
        return mcv_comparison_finish(&run->comparison);
    if (!run->stopped)
        return status;
    mcv_comparison_sort(&run->comparison);
    return MCV_OK;
}

static mcv_status run_and_compare(verify_run *run) {
    mcv_run_sink sink = {.tensor = take_tensor,
                         .text = take_text,
                         .replace = run->options->inject ? give_golden : NULL,
                         .context = run,
                         .attention = run->options->show_images && run->first && !run->of->engine};
    mcv_pool *pool;
    MCV_TRY(mcv_pool_create(&pool, run->threads));
    run->of->model->pool = pool;
    mcv_status status = mcv_run_case(run->of->model, &run->of->golden_case, &sink);
    run->of->model->pool = NULL;
    mcv_pool_free(pool);
    mcv_log_progress_end();
    return finish_comparison(run, status);
}

/* ---- Cases ----------------------------------------------------------------------------------------------------- */

/* Adds what failed in a later run to the comparison of the first. */
static mcv_status merge_failures(mcv_comparison *first, const verify_run *run) {
    for (size_t i = 0; i < run->comparison.num_rows; i++) {
        const mcv_comparison_row *row = &run->comparison.rows[i];
        char problem[sizeof row->problem];
        if (row->pass)
            continue;
        snprintf(problem, sizeof problem, "threads %d: %s", run->threads, row->problem);
        MCV_TRY(mcv_comparison_reject(first, row->name, problem));
    }
    return MCV_OK;
}

static mcv_status run_one(const verify_options *options, verify_case *verified, int index, mcv_comparison *first) {
    verify_run run = {.options = options, .of = verified, .first = index == 0, .threads = options->threads[index]};
    mcv_comparison_options comparison = {.golden = verified->golden,
                                         .exact = options->inject ? NULL : verified->exact,
                                         .tolerances = options->tolerances,
                                         .selection = &options->selection};
    mcv_status status = mcv_comparison_start(&run.comparison, &comparison);
    if (status == MCV_OK)
        status = run_and_compare(&run);
    if (status == MCV_OK && index == 0) {
        *first = run.comparison;
        return MCV_OK;
    }
    if (status == MCV_OK)
        status = merge_failures(first, &run);
    mcv_comparison_free(&run.comparison);
    return status;
}

/* Resizes images as the Pillow did that the golden file was made with. */
static mcv_status choose_pillow(const verify_options *options, verify_case *verified) {
    const char *version = options->pillow ? options->pillow : mcv_dump_metadata(verified->golden, "pillow");
    if (!version)
        return MCV_OK;
    mcv_status status = PillowVersion_from_string(version, &verified->model->processor.image_processor.pillow);
    if (status != MCV_OK && !options->pillow)
        return mcv_fail_context(MCV_BAD_INPUT, "%s: metadata pillow", verified->golden_case.golden_path);
    return status;
}

/* The model's path; NULL where neither the command line nor the case names one. */
static const char *model_of(const verify_options *options, const mcv_golden_case *golden_case) {
    return options->files.model ? options->files.model : golden_case->model;
}

/* Leaves out answers that nobody looks at. */
static void keep_selected_decodings(const verify_options *options, mcv_golden_case *golden_case) {
    int kept = 0;
    for (int i = 0; i < golden_case->num_decodings; i++) {
        char ids[256], text[256];
        snprintf(ids, sizeof ids, "generated_ids.%s", golden_case->decodings[i].name);
        snprintf(text, sizeof text, "text.%s", golden_case->decodings[i].name);
        if (mcv_selection_takes(&options->selection, ids) || mcv_selection_takes(&options->selection, text))
            golden_case->decodings[kept++] = golden_case->decodings[i];
    }
    golden_case->num_decodings = kept;
}

static mcv_status open_case(const verify_options *options, const char *path, verify_case *verified) {
    mcv_golden_case *golden_case = &verified->golden_case;
    MCV_TRY(mcv_golden_case_load(path, golden_case));
    if (!model_of(options, golden_case))
        return MCV_FAIL(MCV_USAGE, "%s names no model: --model is needed", path);
    MCV_TRY(mcv_dump_open(golden_case->golden_path, NULL, &verified->golden));
    if (golden_case->exact_path)
        MCV_TRY(mcv_dump_open(golden_case->exact_path, NULL, &verified->exact));
    keep_selected_decodings(options, golden_case);
    return MCV_OK;
}

static mcv_status open_model(const verify_options *options, verify_case *verified) {
    ModelFiles files = options->files;
    files.model = model_of(options, &verified->golden_case);
    MCV_TRY(MiniCPMV_from_files(&verified->model, &files, NULL));
    MCV_TRY(mcv_engine_attach(verified->model, &options->model_options, &verified->engine));
    return choose_pillow(options, verified);
}

/* Whether the case has anything of what is selected. */
static bool has_selected(const verify_options *options, const verify_case *verified) {
    const mcv_selection *selection = &options->selection;
    bool found = verified->golden_case.num_decodings > 0 || mcv_selection_takes(selection, "prompts") ||
                 mcv_selection_takes(selection, "temporal_ids");
    for (size_t i = 0; i < mcv_dump_count(verified->golden) && !found; i++)
        found = mcv_selection_takes(selection, mcv_dump_name(verified->golden, i));
    return found;
}

static void close_case(verify_case *verified) {
    mcv_engine_free(verified->engine);
    MiniCPMV_free(verified->model);
    mcv_dump_close(verified->exact);
    mcv_dump_close(verified->golden);
    mcv_fingerprints_free(&verified->fingerprints);
    mcv_vision_record_free(&verified->vision);
    mcv_golden_case_free(&verified->golden_case);
}

static mcv_status run_all(const verify_options *options, verify_case *verified, mcv_report *report) {
    mcv_comparison comparison = {0};
    mcv_case_outcome outcome = {.name = verified->golden_case.name,
                                .comparison = &comparison,
                                .golden_case = &verified->golden_case,
                                .model = model_of(options, &verified->golden_case),
                                .golden = verified->golden_case.golden_path,
                                .exact = verified->golden_case.exact_path,
                                .vision = options->show_images ? &verified->vision : NULL};
    mcv_status status = MCV_OK;
    mcv_vision_record_start(&verified->vision, &verified->model->processor.image_processor);
    for (int i = 0; i < options->num_runs && status == MCV_OK; i++)
        status = run_one(options, verified, i, &comparison);
    if (status == MCV_OK)
        status = mcv_report_case(report, &outcome);
    mcv_comparison_free(&comparison);
    return status;
}

static mcv_status verify_one(const verify_options *options, const char *path, mcv_report *report) {
    verify_case verified = {0};
    mcv_status status = open_case(options, path, &verified);
    if (status == MCV_OK && !has_selected(options, &verified))
        mcv_log_remark("%s: has nothing of what is selected", path);
    else if (status == MCV_OK)
        status = open_model(options, &verified);
    if (status == MCV_OK && verified.model)
        status = run_all(options, &verified, report);
    close_case(&verified);
    return status;
}

/* A case that cannot be run does not keep the others from being run and reported. *worst: the first such failure. One
 * that comes alone is the program's own error. */
static mcv_status verify_cases(const verify_options *options, const mcv_arguments *arguments, mcv_report *report,
                               mcv_status *worst) {
    for (int i = 0; i < arguments->num_operands; i++) {
        mcv_status status = verify_one(options, arguments->operands[i], report);
        if (status == MCV_NO_MEMORY || (status != MCV_OK && arguments->num_operands == 1 && report->words_only))
            return status;
        if (status != MCV_OK)
            MCV_TRY(mcv_report_error(report, arguments->operands[i], mcv_error_message()));
        *worst = *worst == MCV_OK ? status : *worst;
        if (options->fail_fast && report->summary.failed > 0)
            return MCV_OK;
    }
    bool all_looked_up = *worst == MCV_OK && !mcv_selection_is_partial(&options->selection);
    return all_looked_up ? mcv_tolerances_check_names(options->tolerances) : MCV_OK;
}

/* In the end, a case that could not be run outweighs a difference. */
static mcv_status verify_all(const verify_options *options, const mcv_arguments *arguments, mcv_report *report) {
    mcv_status worst = MCV_OK;
    MCV_TRY(verify_cases(options, arguments, report, &worst));
    if (report->summary.cases == 0) /* none was left out for another reason */
        return mcv_selection_refuse(&options->selection, "these cases");
    mcv_status status = mcv_report_finish(report);
    if (worst == MCV_OK || (status != MCV_OK && status != MCV_DIFFERS))
        return status;
    return MCV_FAIL(worst, "%zu of %zu cases could not be run", report->summary.not_run, report->summary.cases);
}

/* --manifest: files are looked at, nothing is run. */
static mcv_status verify_manifest(const mcv_arguments *arguments, const char *manifest) {
    if (arguments->num_operands > 0)
        return MCV_FAIL(MCV_USAGE, "--manifest takes no cases, found %s", arguments->operands[0]);
    return mcv_manifest_verify(manifest, arguments->json);
}

static mcv_status run(const mcv_arguments *arguments) {
    const char *manifest = mcv_option_value(arguments, "manifest");
    verify_options options;
    mcv_report report = {0};
    if (manifest)
        return verify_manifest(arguments, manifest);
    if (arguments->num_operands == 0)
        return MCV_FAIL(MCV_USAGE, "expected CASE..., found 0 operands");
    mcv_status status = read_options(arguments, &options);
    if (status == MCV_OK)
        status = mcv_report_open(&report, arguments);
    if (status == MCV_OK)
        status = verify_all(&options, arguments, &report);
    mcv_report_close(&report);
    mcv_tolerances_free(options.tolerances);
    mcv_selection_close(&options.selection);
    return status;
}

static const mcv_option OPTIONS[] = {
    {'m', "model", "MODEL", "another model than the case names: a folder, or a GGUF file"},
    MCV_MODEL_FILE_OPTIONS,
    {0, "threads", "N[,N...]", "threads; several numbers: a run with each (default: one per processor)"},
    {0, "expect-bitwise", NULL, "demand equal bits of all runs"},
    MCV_ENGINE_OPTIONS,
    MCV_STAGE_OPTION,
    MCV_FILTER_OPTION,
    MCV_TOLERANCE_OPTION,
    {0, "inject", NULL, "each module gets golden input, so that an error shows where it arises alone"},
    {0, "fail-fast", NULL, "stop at the first difference"},
    {0, "manifest", "FILE", "run nothing: hold the files beside a manifest to its hashes"},
    {0, "pillow", "VERSION",
     "whose resizing is followed, as 12.1 (default: what made the case, else the newest known)"},
    MCV_REPORT_OPTIONS,
    {0},
};

const mcv_command mcv_verify_command = {
    .name = "verify",
    .summary = "run golden cases and compare every tensor",
    .operands = "CASE...",
    .max_operands = MCV_ANY_NUMBER,
    .details =
        "Runs each golden case (its folder or case.json) and compares every tensor of its golden.safetensors: one\n"
        "line a tensor in the order of execution, then the first that diverges. Where the case has exact.safetensors,\n"
        "an FP64 run, a tensor must be twice as near to it as golden is, or as near as FP32 can be, and within 1e-5 "
        "of\n"
        "golden (relative L2), so that a spoilt file is seen; else within 2e-6 of golden. Ids, bounds, sizes, pixel\n"
        "values, prompts and texts must be equal. --tol demands something else.\n"
        "With --inject the golden values take the place of each output once it is compared; the distance to an FP64 "
        "run\n"
        "is not judged then.\n"
        "Exit code 0 where all agree, 1 where not; 2 where --stage and --filter leave nothing of any case.\n",
    .takes = MCV_TAKES_ALL,
    .options = OPTIONS,
    .run = run,
};
