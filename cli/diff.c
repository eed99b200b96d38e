/* minicpmv diff A B: compares two dumps. */
#include <math.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/json_lines.h"
#include "cli/report.h"
#include "core/log.h"

/* A string of the metadata, which holds JSON; compared where both dumps have it. */
static mcv_status compare_metadata(mcv_comparison *comparison, const mcv_dump *ours, const char *key) {
    const char *our_text = mcv_dump_metadata(ours, key);
    const char *golden_text = mcv_dump_metadata(comparison->of.golden, key);
    if (!our_text || !golden_text)
        return MCV_OK;
    json_t *our_value;
    mcv_status status = mcv_json_read_text(our_text, strlen(our_text), key, &our_value);
    if (status != MCV_OK)
        return mcv_fail_context(status, "metadata");
    status = mcv_comparison_json(comparison, key, our_value, golden_text);
    json_decref(our_value);
    return status;
}

/* "prompts", "temporal_ids", and "text.NAME" for each generated_ids.NAME. */
static mcv_status compare_texts(mcv_comparison *comparison, const mcv_dump *ours) {
    static const char PREFIX[] = "generated_ids.";
    MCV_TRY(compare_metadata(comparison, ours, "prompts"));
    MCV_TRY(compare_metadata(comparison, ours, "temporal_ids"));
    for (size_t i = 0; i < mcv_dump_count(comparison->of.golden); i++) {
        const char *name = mcv_dump_name(comparison->of.golden, i);
        char key[256];
        if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
            continue;
        snprintf(key, sizeof key, "text.%s", name + strlen(PREFIX));
        MCV_TRY(compare_metadata(comparison, ours, key));
    }
    return MCV_OK;
}

/* The files, what is demanded, and what came out. */
typedef struct comparison_of_dumps {
    mcv_name_map *names;
    mcv_dump *ours, *golden, *exact;
    mcv_tolerances *tolerances;
    mcv_selection selection;
    mcv_comparison comparison;
    mcv_report report;
} comparison_of_dumps;

static mcv_status compare_all(comparison_of_dumps *self, const mcv_comparison_options *options) {
    MCV_TRY(mcv_comparison_start(&self->comparison, options));
    for (size_t i = 0; i < mcv_dump_count(self->ours); i++) {
        mcv_tensor tensor = mcv_dump_at(self->ours, i);
        mcv_log_progress("tensors", i, mcv_dump_count(self->ours));
        MCV_TRY(mcv_comparison_tensor(&self->comparison, mcv_dump_name(self->ours, i), &tensor));
    }
    mcv_log_progress_end();
    MCV_TRY(compare_texts(&self->comparison, self->ours));
    return mcv_comparison_finish(&self->comparison);
}

/* Texts are selected by the same names as tensors. */
static bool has_selected(const comparison_of_dumps *self) {
    bool found = self->comparison.num_rows > 0 || !mcv_selection_is_partial(&self->selection);
    for (size_t i = 0; i < mcv_dump_count(self->golden) && !found; i++)
        found = mcv_selection_takes(&self->selection, mcv_dump_name(self->golden, i));
    return found;
}

/* Opens what the command line names. */
static mcv_status open_all(const mcv_arguments *arguments, comparison_of_dumps *self) {
    const char *names = mcv_option_value(arguments, "names"), *exact = mcv_option_value(arguments, "exact");
    double limit = (double)NAN;
    MCV_TRY(mcv_option_double(arguments, "limit", 0, (double)INFINITY, &limit));
    MCV_TRY(mcv_report_open(&self->report, arguments));
    MCV_TRY(mcv_selection_open(&self->selection, arguments));
    MCV_TRY(mcv_tolerances_open(arguments, "ref", &self->tolerances));
    if (!isnan(limit))
        mcv_tolerances_set_rel_l2(self->tolerances, limit);
    if (names)
        MCV_TRY(mcv_name_map_read(names, &self->names));
    MCV_TRY(mcv_dump_open(arguments->operands[0], self->names, &self->ours));
    MCV_TRY(mcv_dump_open(arguments->operands[1], NULL, &self->golden));
    return exact ? mcv_dump_open(exact, NULL, &self->exact) : MCV_OK;
}

static mcv_status compare(const mcv_arguments *arguments, comparison_of_dumps *self) {
    MCV_TRY(open_all(arguments, self));
    mcv_comparison_options options = {.golden = self->golden,
                                      .other = "B",
                                      .exact = self->exact,
                                      .tolerances = self->tolerances,
                                      .selection = &self->selection,
                                      .common_only = mcv_option_count(arguments, "common") > 0,
                                      .loose_shapes = self->names != NULL,
                                      .ours_is_mapped = true};
    mcv_case_outcome outcome = {.name = arguments->operands[0],
                                .comparison = &self->comparison,
                                .ours = arguments->operands[0],
                                .golden = arguments->operands[1],
                                .exact = mcv_option_value(arguments, "exact")};
    MCV_TRY(compare_all(self, &options));
    if (!has_selected(self))
        return mcv_selection_refuse(&self->selection, arguments->operands[1]);
    MCV_TRY(mcv_tolerances_check_names(self->tolerances));
    MCV_TRY(mcv_report_case(&self->report, &outcome));
    return mcv_report_finish(&self->report);
}

static mcv_status run(const mcv_arguments *arguments) {
    comparison_of_dumps self = {0};
    mcv_status status = compare(arguments, &self);
    mcv_report_close(&self.report);
    mcv_comparison_free(&self.comparison);
    mcv_selection_close(&self.selection);
    mcv_tolerances_free(self.tolerances);
    mcv_dump_close(self.exact);
    mcv_dump_close(self.golden);
    mcv_dump_close(self.ours);
    mcv_name_map_free(self.names);
    return status;
}

static const mcv_option OPTIONS[] = {
    {0, "names", "FILE",
     "what A calls its tensors: a name map; dimensions of size 1, and how neighbours are joined, do not count then"},
    {0, "exact", "FILE", "an FP64 run: A must be nearer to it than B, as in verify"},
    {0, "common", NULL, "pass over tensors that only B has"},
    MCV_STAGE_OPTION,
    MCV_FILTER_OPTION,
    MCV_TOLERANCE_OPTION,
    {0, "limit", "X", "the most that norm(A - B) / norm(B) may be, in place of the table's"},
    MCV_REPORT_OPTIONS,
    {0},
};

const mcv_command mcv_diff_command = {
    .name = "diff",
    .summary = "compare two dumps tensor by tensor",
    .operands = "A B",
    .min_operands = 2,
    .max_operands = 2,
    .details =
        "Compares dump A with dump B, which is taken as right: every tensor of B must be in A. A dump is a "
        "safetensors\n"
        "file, a folder of them, or a folder of NAME.npy files. One line a tensor in the order of execution, then the\n"
        "first that diverges. Rows of padding are passed over, integers and pixel values must be equal. Exit code 0\n"
        "where all agree, 1 where not; 2 where --stage and --filter leave nothing of B.\n",
    .takes = MCV_TAKES_ENGINE | MCV_TAKES_DTYPE,
    .options = OPTIONS,
    .run = run,
};
