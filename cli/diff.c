/* minicpmv diff A B: compares two dumps. */
#include <math.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/json_lines.h"
#include "cli/report.h"

/* A string of the metadata, which holds JSON; compared where both dumps have it. */
static mcv_status compare_metadata(mcv_comparison *comparison, const mcv_safetensors *ours, const char *key) {
    const char *our_text = mcv_safetensors_metadata(ours, key);
    const char *golden_text = mcv_safetensors_metadata(comparison->golden, key);
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
static mcv_status compare_texts(mcv_comparison *comparison, const mcv_safetensors *ours) {
    static const char PREFIX[] = "generated_ids.";
    MCV_TRY(compare_metadata(comparison, ours, "prompts"));
    MCV_TRY(compare_metadata(comparison, ours, "temporal_ids"));
    for (size_t i = 0; i < mcv_safetensors_count(comparison->golden); i++) {
        const char *name = mcv_safetensors_name(comparison->golden, i);
        char key[256];
        if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
            continue;
        snprintf(key, sizeof key, "text.%s", name + strlen(PREFIX));
        MCV_TRY(compare_metadata(comparison, ours, key));
    }
    return MCV_OK;
}

static mcv_status compare_all(const mcv_safetensors *ours, const mcv_safetensors *golden, const mcv_safetensors *exact,
                              double limit, mcv_comparison *comparison) {
    MCV_TRY(mcv_comparison_start(comparison, golden, exact, limit));
    for (size_t i = 0; i < mcv_safetensors_count(ours); i++) {
        mcv_tensor tensor = mcv_safetensors_at(ours, i);
        MCV_TRY(mcv_comparison_tensor(comparison, mcv_safetensors_name(ours, i), &tensor));
    }
    MCV_TRY(compare_texts(comparison, ours));
    return mcv_comparison_finish(comparison);
}

static mcv_status run(const mcv_arguments *arguments) {
    mcv_safetensors *ours = NULL, *golden = NULL, *exact = NULL;
    mcv_comparison comparison = {0};
    mcv_report report = {0};
    const char *exact_path = mcv_option_value(arguments, "exact");
    double limit = MCV_REFERENCE_LIMIT;
    mcv_status status;
    MCV_TRY(mcv_option_double(arguments, "limit", 0, (double)INFINITY, &limit));
    MCV_TRY_GOTO(status, done, mcv_report_open(&report, arguments));
    MCV_TRY_GOTO(status, done, mcv_safetensors_open(arguments->operands[0], &ours));
    MCV_TRY_GOTO(status, done, mcv_safetensors_open(arguments->operands[1], &golden));
    if (exact_path)
        MCV_TRY_GOTO(status, done, mcv_safetensors_open(exact_path, &exact));
    MCV_TRY_GOTO(status, done, compare_all(ours, golden, exact, limit, &comparison));
    mcv_case_outcome outcome = {.name = arguments->operands[0], .comparison = &comparison};
    MCV_TRY_GOTO(status, done, mcv_report_case(&report, &outcome));
    status = mcv_report_finish(&report);
done:
    mcv_report_close(&report);
    mcv_comparison_free(&comparison);
    mcv_safetensors_close(exact);
    mcv_safetensors_close(golden);
    mcv_safetensors_close(ours);
    return status;
}

static const mcv_option OPTIONS[] = {
    {0, "limit", "X", "the most that norm(A - B) / norm(B) may be (default 2e-6)"},
    {0, "exact", "FILE", "an FP64 run: A must be nearer to it than B, as in verify"},
    MCV_REPORT_OPTIONS,
    {0},
};

const mcv_command mcv_diff_command = {
    .name = "diff",
    .summary = "compare two dumps tensor by tensor",
    .operands = "A B",
    .min_operands = 2,
    .max_operands = 2,
    .details = "Compares dump A (safetensors) with dump B, which is taken as right: every tensor of B must be in A. "
               "One line a\n"
               "tensor in the order of execution, then the first that diverges. Rows of padding are passed over, "
               "integers and\n"
               "pixel values must be equal. Exit code 0 where all agree, 1 where not.\n",
    .options = OPTIONS,
    .run = run,
};
