#include <jansson.h>
#include <stdio.h>

#include "cli/execution_order.h"
#include "cli/json_output.h"
#include "cli/report.h"

/* What is kept until the end, where one object holds all. */
typedef struct json_report {
    json_t *tensors, *texts; /* the rows of all cases */
    json_t *errors;          /* cases that could not be run */
} json_report;

static json_t *describe_index(const mcv_tensor *tensor, size_t index) {
    mcv_tensor place = mcv_index_place(tensor, index);
    return mcv_json_shape(&place);
}

json_t *mcv_report_describe_element(const mcv_comparison_row *row, const mcv_element *element) {
    json_t *object = json_object();
    mcv_json_set(&object, "index", describe_index(&row->golden, element->index));
    mcv_json_set(&object, "ours", mcv_json_number(element->ours));
    mcv_json_set(&object, "golden", mcv_json_number(element->golden));
    if (row->measures.has_exact)
        mcv_json_set(&object, "exact", mcv_json_number(element->exact));
    return object;
}

/* null where no element differs. */
static json_t *describe_worst(const mcv_comparison_row *row) {
    return row->measures.num_worst ? mcv_report_describe_element(row, &row->measures.worst[0]) : json_null();
}

static json_t *describe_ulps(const mcv_ulp_histogram *ulps) {
    return json_pack("{s:I, s:I, s:I, s:I}", "p50", (json_int_t)mcv_ulp_quantile(ulps, 0.5), "p90",
                     (json_int_t)mcv_ulp_quantile(ulps, 0.9), "p99", (json_int_t)mcv_ulp_quantile(ulps, 0.99), "max",
                     (json_int_t)ulps->largest);
}

static void set_measures(json_t **object, const mcv_comparison_row *row) {
    const mcv_measures *m = &row->measures;
    mcv_json_set(object, "dtype", json_string(mcv_dtype_name(row->golden.dtype)));
    mcv_json_set(object, "shape", mcv_json_shape(&row->golden));
    mcv_json_set(object, "compared", json_integer((json_int_t)m->compared));
    mcv_json_set(object, "max_abs", mcv_json_number(m->max_abs));
    mcv_json_set(object, "max_rel", mcv_json_number(m->max_rel));
    mcv_json_set(object, "rel_l2", mcv_json_number(m->rel_l2));
    mcv_json_set(object, "cosine", mcv_json_number(m->cosine));
    mcv_json_set(object, "ulp", m->compared ? describe_ulps(&m->ulps) : json_null());
    mcv_json_set(object, "worst", describe_worst(row));
    if (!m->has_exact)
        return;
    mcv_json_set(object, "exact_rel_l2", mcv_json_number(m->exact_rel_l2));
    mcv_json_set(object, "golden_exact_rel_l2", mcv_json_number(m->golden_exact_rel_l2));
}

json_t *mcv_report_describe_row(const char *case_name, const mcv_comparison_row *row) {
    json_t *object = json_pack("{s:s, s:s, s:s, s:b, s:b}", "case", case_name, "name", row->name, "stage",
                               mcv_stage_of(row->name), "pass", row->pass, "shown", row->shown);
    if (!row->is_text)
        set_measures(&object, row);
    if (!row->pass)
        mcv_json_set(&object, "problem", json_string(row->problem));
    return object;
}

static json_t *describe_error(const char *case_path, const char *why) {
    return json_pack("{s:s, s:s}", "case", case_path, "error", why);
}

static json_t *describe_summary(const mcv_report_summary *summary) {
    return json_pack("{s:I, s:I, s:s?, s:I, s:I, s:I}", "cases", (json_int_t)summary->cases, "failed",
                     (json_int_t)summary->failed, "first_divergence", summary->first_name, "held",
                     (json_int_t)(summary->rows - summary->shown_rows), "shown", (json_int_t)summary->shown_rows,
                     "not_run", (json_int_t)summary->not_run);
}

/* ---- One object -------------------------------------------------------------------------------------------------- */

static mcv_status keep_case(void *context, const mcv_case_outcome *outcome) {
    json_report *self = context;
    for (size_t i = 0; i < outcome->comparison->num_rows; i++) {
        const mcv_comparison_row *row = &outcome->comparison->rows[i];
        mcv_json_append(row->is_text ? &self->texts : &self->tensors, mcv_report_describe_row(outcome->name, row));
    }
    return MCV_OK;
}

static mcv_status keep_error(void *context, const char *case_path, const char *why) {
    json_report *self = context;
    mcv_json_append(&self->errors, describe_error(case_path, why));
    return MCV_OK;
}

static mcv_status print_object(void *context, const mcv_report_summary *summary) {
    json_report *self = context;
    json_t *object = describe_summary(summary);
    mcv_json_set(&object, "tensors", json_incref(self->tensors));
    mcv_json_set(&object, "texts", json_incref(self->texts));
    mcv_json_set(&object, "errors", json_incref(self->errors));
    return mcv_json_print(object);
}

static void free_object(void *context) {
    json_report *self = context;
    json_decref(self->tensors);
    json_decref(self->texts);
    json_decref(self->errors);
    free(self);
}

mcv_status mcv_report_json(mcv_report_sink *sink) {
    json_report *self;
    MCV_TRY(MCV_NEW(&self, 1));
    *self = (json_report){json_array(), json_array(), json_array()};
    *sink = (mcv_report_sink){keep_case, keep_error, print_object, free_object, self};
    return MCV_OK;
}

/* ---- A line each ------------------------------------------------------------------------------------------------- */

static mcv_status print_case(void *context, const mcv_case_outcome *outcome) {
    (void)context;
    for (size_t i = 0; i < outcome->comparison->num_rows; i++)
        MCV_TRY(mcv_json_print(mcv_report_describe_row(outcome->name, &outcome->comparison->rows[i])));
    fflush(stdout); /* the next case may take long */
    return MCV_OK;
}

static mcv_status print_error(void *context, const char *case_path, const char *why) {
    (void)context;
    return mcv_json_print(describe_error(case_path, why));
}

static mcv_status print_summary(void *context, const mcv_report_summary *summary) {
    (void)context;
    return mcv_json_print(describe_summary(summary));
}

mcv_status mcv_report_json_lines(mcv_report_sink *sink) {
    *sink = (mcv_report_sink){.take_case = print_case, .take_error = print_error, .finish = print_summary};
    return MCV_OK;
}
