#include "cli/report.h"

#include <math.h>
#include <stdio.h>

static const char NOTHING_COMPARED[] = "nothing was compared";

mcv_status mcv_report_start(mcv_report *report, bool json) {
    *report = (mcv_report){.json = json, .tensors = json_array(), .texts = json_array()};
    return report->tensors && report->texts ? MCV_OK : MCV_FAIL_MEMORY(0);
}

void mcv_report_free(mcv_report *report) {
    json_decref(report->tensors);
    json_decref(report->texts);
    mcv_buffer_free(&report->first_name);
    mcv_buffer_free(&report->first_place);
    *report = (mcv_report){0};
}

/* JSON has no NaN and no infinity: null. */
static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *shape_of(const mcv_tensor *tensor) {
    json_t *shape = json_array();
    for (int axis = 0; axis < tensor->rank; axis++)
        json_array_append_new(shape, json_integer(tensor->shape[axis]));
    return shape;
}

static mcv_status add_json_row(mcv_report *report, const char *case_name, const mcv_comparison_row *row) {
    json_t *object = json_pack("{s:s, s:s, s:b}", "case", case_name, "name", row->name, "pass", row->pass);
    if (!row->is_text) {
        json_object_set_new(object, "dtype", json_string(mcv_dtype_name(row->golden.dtype)));
        json_object_set_new(object, "shape", shape_of(&row->golden));
        json_object_set_new(object, "compared", json_integer((json_int_t)row->compared));
        json_object_set_new(object, "max_abs", number(row->max_abs));
        json_object_set_new(object, "rel_l2", number(row->rel_l2));
        json_object_set_new(object, "cosine", number(row->cosine));
    }
    if (row->has_exact) {
        json_object_set_new(object, "exact_rel_l2", number(row->exact_rel_l2));
        json_object_set_new(object, "golden_exact_rel_l2", number(row->golden_exact_rel_l2));
    }
    if (!row->pass)
        json_object_set_new(object, "problem", json_string(row->problem));
    if (json_array_append_new(row->is_text ? report->texts : report->tensors, object) != 0)
        return MCV_FAIL(MCV_NO_MEMORY, "out of memory for the report of %s", row->name);
    return MCV_OK;
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
            MCV_TRY(add_json_row(report, case_name, &comparison->rows[i]));
    }
    if (!report->json)
        print_table(case_name, comparison);
    const mcv_comparison_row *first = mcv_comparison_first_failure(comparison);
    if (first || mcv_comparison_count(comparison) == 0)
        return note_failure(report, case_name, first);
    return MCV_OK;
}

static mcv_status print_json(mcv_report *report) {
    const char *first = report->first_name.size ? mcv_buffer_text(&report->first_name) : NULL;
    json_t *object = json_pack("{s:I, s:I, s:s?, s:O, s:O}", "cases", (json_int_t)report->cases, "failed",
                               (json_int_t)report->failed, "first_divergence", first, "tensors", report->tensors,
                               "texts", report->texts);
    if (!object)
        return MCV_FAIL(MCV_NO_MEMORY, "out of memory for the report");
    json_dumpf(object, stdout, 0); /* a write error shows in stdout's state */
    putchar('\n');
    json_decref(object);
    return MCV_OK;
}

mcv_status mcv_report_finish(mcv_report *report) {
    bool differs = report->failed > 0 || report->cases == 0;
    const char *place = report->first_place.size ? mcv_buffer_text(&report->first_place) : NOTHING_COMPARED;
    if (report->json)
        MCV_TRY(print_json(report));
    else if (differs)
        printf("first divergence: %s\n", place);
    else
        printf("all equal: %zu comparison%s in %zu case%s\n", report->rows, report->rows == 1 ? "" : "s", report->cases,
               report->cases == 1 ? "" : "s");
    if (!differs)
        return MCV_OK;
    return MCV_FAIL(MCV_DIFFERS, "%zu of %zu comparisons differ in %zu of %zu cases, the first: %s",
                    report->failed_rows, report->rows, report->failed, report->cases, place);
}
