#include "cli/report.h"

#include <stdio.h>

#include "core/file.h"

static const char NOTHING_COMPARED[] = "nothing was compared";

/* Keeps a sink that was made. */
static mcv_status add_sink(mcv_report *report, mcv_status made, const mcv_report_sink *sink) {
    if (made == MCV_OK)
        report->sinks[report->num_sinks++] = *sink;
    return made;
}

static mcv_status add_main_sink(mcv_report *report, const char *format) {
    mcv_report_sink sink = {0};
    report->words_only = strcmp(format, "text") == 0;
    if (report->words_only)
        return add_sink(report, mcv_report_text(&sink), &sink);
    if (strcmp(format, "json") == 0)
        return add_sink(report, mcv_report_json(&sink), &sink);
    if (strcmp(format, "jsonl") == 0)
        return add_sink(report, mcv_report_json_lines(&sink), &sink);
    if (strcmp(format, "junit") == 0)
        return add_sink(report, mcv_report_junit("-", &sink), &sink);
    return MCV_FAIL(MCV_USAGE, "--format %s: expected text, json, jsonl or junit", format);
}

static bool is_standard_output(const char *path) {
    return path && strcmp(path, "-") == 0;
}

/* Standard output has what --format says. */
static mcv_status check_files(const char *junit, const char *html) {
    if (is_standard_output(junit))
        return MCV_FAIL(MCV_USAGE, "--junit -: expected a file; --format junit prints it");
    if (is_standard_output(html))
        return MCV_FAIL(MCV_USAGE, "--report -: expected a file");
    return MCV_OK;
}

mcv_status mcv_report_open(mcv_report *report, const mcv_arguments *arguments) {
    const char *format = mcv_option_value(arguments, "format"), *junit = mcv_option_value(arguments, "junit");
    const char *html = mcv_option_value(arguments, "report");
    mcv_report_sink sink = {0};
    *report = (mcv_report){0};
    if (format && arguments->json && strcmp(format, "json") != 0)
        return MCV_FAIL(MCV_USAGE, "--json and --format %s exclude each other", format);
    if (!format)
        format = arguments->json ? "json" : "text";
    MCV_TRY(check_files(junit, html));
    MCV_TRY(add_main_sink(report, format));
    report->words_only = report->words_only && !junit && !html;
    if (junit)
        MCV_TRY(add_sink(report, mcv_report_junit(junit, &sink), &sink));
    return html ? add_sink(report, mcv_report_html(arguments, html, &sink), &sink) : MCV_OK;
}

void mcv_report_close(mcv_report *report) {
    for (int i = 0; i < report->num_sinks; i++)
        if (report->sinks[i].free)
            report->sinks[i].free(report->sinks[i].context);
    mcv_buffer_free(&report->first_name);
    mcv_buffer_free(&report->first_place);
    *report = (mcv_report){0};
}

static mcv_status note_failure(mcv_report *report, const char *case_name, const mcv_comparison_row *row) {
    report->summary.failed++;
    if (report->first_place.size)
        return MCV_OK;
    if (!row)
        return mcv_buffer_printf(&report->first_place, "%s: %s", case_name, NOTHING_COMPARED);
    MCV_TRY(mcv_buffer_append_string(&report->first_name, row->name));
    return mcv_buffer_printf(&report->first_place, "%s: %s: %s", case_name, row->name, row->problem);
}

mcv_status mcv_report_case(mcv_report *report, const mcv_case_outcome *outcome) {
    const mcv_comparison *comparison = outcome->comparison;
    report->summary.cases++;
    for (size_t i = 0; i < comparison->num_rows; i++) {
        report->summary.rows++;
        report->summary.failed_rows += !comparison->rows[i].pass;
        report->summary.shown_rows += comparison->rows[i].shown;
    }
    for (int i = 0; i < report->num_sinks; i++)
        if (report->sinks[i].take_case)
            MCV_TRY(report->sinks[i].take_case(report->sinks[i].context, outcome));
    const mcv_comparison_row *first = mcv_comparison_first_failure(comparison);
    if (first || mcv_comparison_count(comparison) == 0)
        return note_failure(report, outcome->name, first);
    return MCV_OK;
}

mcv_status mcv_report_error(mcv_report *report, const char *case_path, const char *why) {
    report->summary.cases++;
    report->summary.failed++;
    report->summary.not_run++;
    fprintf(stderr, "%s\n", why);
    for (int i = 0; i < report->num_sinks; i++)
        if (report->sinks[i].take_error)
            MCV_TRY(report->sinks[i].take_error(report->sinks[i].context, case_path, why));
    return MCV_OK;
}

mcv_status mcv_report_finish(mcv_report *report) {
    mcv_report_summary *summary = &report->summary;
    summary->differs = summary->failed > summary->not_run || summary->cases == 0;
    summary->first_name = report->first_name.size ? mcv_buffer_text(&report->first_name) : NULL;
    summary->first_place = report->first_place.size ? mcv_buffer_text(&report->first_place) : NOTHING_COMPARED;
    for (int i = 0; i < report->num_sinks; i++)
        if (report->sinks[i].finish)
            MCV_TRY(report->sinks[i].finish(report->sinks[i].context, summary));
    if (!summary->differs)
        return MCV_OK;
    return MCV_FAIL(MCV_DIFFERS, "%zu of %zu comparisons differ in %zu of %zu cases, the first: %s",
                    summary->failed_rows, summary->rows, summary->failed - summary->not_run, summary->cases,
                    summary->first_place);
}
