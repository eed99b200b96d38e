#include "cli/report.h"

#include <stdio.h>

#include "cli/json_output.h"
#include "cli/junit.h"

static const char NOTHING_COMPARED[] = "nothing was compared";

mcv_status mcv_report_start(mcv_report *report, bool json, const char *junit) {
    *report = (mcv_report){
        .json = json, .junit = junit, .tensors = json_array(), .texts = json_array(), .errors = json_array()};
    return report->tensors && report->texts && report->errors ? MCV_OK : MCV_FAIL_MEMORY(0);
}

void mcv_report_free(mcv_report *report) {
    json_decref(report->tensors);
    json_decref(report->texts);
    json_decref(report->errors);
    mcv_buffer_free(&report->suites);
    mcv_buffer_free(&report->first_name);
    mcv_buffer_free(&report->first_place);
    *report = (mcv_report){0};
}

static json_t *row_to_json(const char *case_name, const mcv_comparison_row *row) {
    json_t *object = json_pack("{s:s, s:s, s:b}", "case", case_name, "name", row->name, "pass", row->pass);
    if (!row->is_text) {
        mcv_json_set(&object, "dtype", json_string(mcv_dtype_name(row->golden.dtype)));
        mcv_json_set(&object, "shape", mcv_json_shape(&row->golden));
        mcv_json_set(&object, "compared", json_integer((json_int_t)row->compared));
        mcv_json_set(&object, "max_abs", mcv_json_number(row->max_abs));
        mcv_json_set(&object, "rel_l2", mcv_json_number(row->rel_l2));
        mcv_json_set(&object, "cosine", mcv_json_number(row->cosine));
    }
    if (row->has_exact) {
        mcv_json_set(&object, "exact_rel_l2", mcv_json_number(row->exact_rel_l2));
        mcv_json_set(&object, "golden_exact_rel_l2", mcv_json_number(row->golden_exact_rel_l2));
    }
    if (!row->pass)
        mcv_json_set(&object, "problem", json_string(row->problem));
    return object;
}

static void print_row(const mcv_comparison_row *row, int name_width, bool has_exact) {
    char shape[128] = "text";
    if (!row->is_text)
        mcv_tensor_shape_text(&row->golden, shape, sizeof shape);
    printf("%-*s  %-18s %-5s", name_width, row->name, shape, row->is_text ? "" : mcv_dtype_name(row->golden.dtype));
    if (row->compared)
        printf(" %9.2e %9.2e %11.9f", row->max_abs, row->rel_l2, row->cosine);
    else
        printf(" %9s %9s %11s", "-", "-", "-");
    if (row->has_exact)
        printf(" %9.2e %9.2e", row->exact_rel_l2, row->golden_exact_rel_l2);
    else if (has_exact)
        printf(" %9s %9s", "-", "-");
    printf("  %s%s%s\n", row->pass ? "ok" : "FAIL", row->pass ? "" : ": ", row->pass ? "" : row->problem);
}

static void print_table(const char *case_name, const mcv_comparison *comparison) {
    int width = 4;
    bool has_exact = false;
    for (size_t i = 0; i < comparison->num_rows; i++) {
        int length = (int)strlen(comparison->rows[i].name);
        width = length > width ? length : width;
        has_exact |= comparison->rows[i].has_exact;
    }
    printf("%s\n%-*s  %-18s %-5s %9s %9s %11s", case_name, width, "name", "shape", "dtype", "max_abs", "rel_l2",
           "cosine");
    printf("%s  result\n", has_exact ? "     exact gold/exac" : "");
    for (size_t i = 0; i < comparison->num_rows; i++)
        print_row(&comparison->rows[i], width, has_exact);
    fflush(stdout); /* the next case may take long */
}

static mcv_status note_failure(mcv_report *report, const char *case_name, const mcv_comparison_row *row) {
    report->failed++;
    if (report->first_place.size)
        return MCV_OK;
    if (!row)
        return mcv_buffer_printf(&report->first_place, "%s: %s", case_name, NOTHING_COMPARED);
    MCV_TRY(mcv_buffer_append_string(&report->first_name, row->name));
    return mcv_buffer_printf(&report->first_place, "%s: %s: %s", case_name, row->name, row->problem);
}

mcv_status mcv_report_case(mcv_report *report, const char *case_name, const mcv_comparison *comparison) {
    report->cases++;
    for (size_t i = 0; i < comparison->num_rows; i++) {
        report->rows++;
        report->failed_rows += !comparison->rows[i].pass;
        if (report->json)
            mcv_json_append(comparison->rows[i].is_text ? &report->texts : &report->tensors,
                            row_to_json(case_name, &comparison->rows[i]));
    }
    if (!report->json)
        print_table(case_name, comparison);
    if (report->junit)
        MCV_TRY(mcv_junit_add_case(&report->suites, case_name, comparison));
    const mcv_comparison_row *first = mcv_comparison_first_failure(comparison);
    if (first || mcv_comparison_count(comparison) == 0)
        return note_failure(report, case_name, first);
    return MCV_OK;
}

mcv_status mcv_report_error(mcv_report *report, const char *case_path, const char *why) {
    report->cases++;
    report->failed++;
    report->not_run++;
    if (report->json)
        mcv_json_append(&report->errors, json_pack("{s:s, s:s}", "case", case_path, "error", why));
    fprintf(stderr, "%s\n", why);
    return report->junit ? mcv_junit_add_error(&report->suites, case_path, why) : MCV_OK;
}

static mcv_status print_json(mcv_report *report) {
    const char *first = report->first_name.size ? mcv_buffer_text(&report->first_name) : NULL;
    return mcv_json_print(json_pack("{s:I, s:I, s:s?, s:O, s:O, s:O}", "cases", (json_int_t)report->cases, "failed",
                                    (json_int_t)report->failed, "first_divergence", first, "tensors", report->tensors,
                                    "texts", report->texts, "errors", report->errors));
}

static void print_last_line(const mcv_report *report, const char *first_place) {
    size_t run = report->cases - report->not_run;
    if (report->failed > report->not_run || report->cases == 0)
        printf("first divergence: %s\n", first_place);
    else if (run > 0)
        printf("all equal: %zu comparison%s in %zu case%s\n", report->rows, report->rows == 1 ? "" : "s", run,
               run == 1 ? "" : "s");
    if (report->not_run > 0 && run > 0)
        printf("not run: %zu case%s\n", report->not_run, report->not_run == 1 ? "" : "s");
}

mcv_status mcv_report_finish(mcv_report *report) {
    bool differs = report->failed > report->not_run || report->cases == 0;
    const char *place = report->first_place.size ? mcv_buffer_text(&report->first_place) : NOTHING_COMPARED;
    if (report->junit)
        MCV_TRY(mcv_junit_write(&report->suites, report->junit));
    if (report->json)
        MCV_TRY(print_json(report));
    else
        print_last_line(report, place);
    if (!differs)
        return MCV_OK;
    return MCV_FAIL(MCV_DIFFERS, "%zu of %zu comparisons differ in %zu of %zu cases, the first: %s",
                    report->failed_rows, report->rows, report->failed - report->not_run, report->cases, place);
}
