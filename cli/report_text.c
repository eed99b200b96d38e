#include <stdio.h>

#include "cli/report.h"

/* Widths of the columns whose content has no fixed one. */
typedef struct column_widths {
    int name, shape, worst;
    bool exact; /* a row at least has an exact run */
} column_widths;

/* "[0, 3]: 1.5, golden 1.25", the element that is farthest off; "-" where none is. */
static const char *worst_text(const mcv_comparison_row *row, char *text, size_t size) {
    char place[128];
    const mcv_element *worst = &row->measures.worst[0];
    if (row->measures.num_worst == 0)
        snprintf(text, size, "-");
    else
        snprintf(text, size, "%s: %.9g, %s %.9g", mcv_index_text(&row->golden, worst->index, place, sizeof place),
                 worst->ours, row->other, worst->golden);
    return text;
}

static const char *shape_text(const mcv_comparison_row *row, char *text, size_t size) {
    if (!row->is_text)
        return mcv_tensor_shape_text(&row->golden, text, size);
    snprintf(text, size, "text");
    return text;
}

static int wider(int width, const char *text) {
    int length = (int)strlen(text);
    return length > width ? length : width;
}

static column_widths measure_columns(const mcv_comparison *comparison) {
    column_widths widths = {.name = 4, .shape = 5, .worst = 5};
    for (size_t i = 0; i < comparison->num_rows; i++) {
        char text[256];
        const mcv_comparison_row *row = &comparison->rows[i];
        widths.name = wider(widths.name, row->name);
        widths.shape = wider(widths.shape, shape_text(row, text, sizeof text));
        widths.worst = wider(widths.worst, worst_text(row, text, sizeof text));
        widths.exact |= row->measures.has_exact;
    }
    return widths;
}

static void print_head(const char *case_name, const column_widths *widths) {
    printf("%s\n%-*s  %-*s %-5s", case_name, widths->name, "name", widths->shape, "shape", "dtype");
    printf(" %8s %8s %8s %11s %7s %7s %8s", "max_abs", "max_rel", "rel_l2", "cosine", "ulp_p50", "ulp_p99", "ulp_max");
    printf("%s  %-*s  result\n", widths->exact ? "    exact gold/exa" : "", widths->worst, "worst");
}

static void print_numbers(const mcv_measures *m, bool exact) {
    if (m->compared)
        printf(" %8.2e %8.2e %8.2e %11.9f %7llu %7llu %8llu", m->max_abs, m->max_rel, m->rel_l2, m->cosine,
               (unsigned long long)mcv_ulp_quantile(&m->ulps, 0.5),
               (unsigned long long)mcv_ulp_quantile(&m->ulps, 0.99), (unsigned long long)m->ulps.largest);
    else
        printf(" %8s %8s %8s %11s %7s %7s %8s", "-", "-", "-", "-", "-", "-", "-");
    if (m->has_exact)
        printf(" %8.2e %8.2e", m->exact_rel_l2, m->golden_exact_rel_l2);
    else if (exact)
        printf(" %8s %8s", "-", "-");
}

static const char *verdict(const mcv_comparison_row *row) {
    if (row->shown)
        return "shown";
    return row->pass ? "ok" : "FAIL";
}

static void print_row(const mcv_comparison_row *row, const column_widths *widths) {
    char shape[256], worst[256];
    printf("%-*s  %-*s %-5s", widths->name, row->name, widths->shape, shape_text(row, shape, sizeof shape),
           row->is_text ? "" : mcv_dtype_name(row->golden.dtype));
    print_numbers(&row->measures, widths->exact);
    printf("  %-*s  %s%s%s\n", widths->worst, worst_text(row, worst, sizeof worst), verdict(row), row->pass ? "" : ": ",
           row->pass ? "" : row->problem);
}

static mcv_status take_case(void *context, const mcv_case_outcome *outcome) {
    (void)context;
    column_widths widths = measure_columns(outcome->comparison);
    print_head(outcome->name, &widths);
    for (size_t i = 0; i < outcome->comparison->num_rows; i++)
        print_row(&outcome->comparison->rows[i], &widths);
    fflush(stdout); /* the next case may take long */
    return MCV_OK;
}

static const char *plural(size_t count) {
    return count == 1 ? "" : "s";
}

static mcv_status finish(void *context, const mcv_report_summary *summary) {
    (void)context;
    size_t run = summary->cases - summary->not_run, held = summary->rows - summary->shown_rows;
    if (summary->shown_rows > 0)
        printf("only shown, as nothing is demanded of them: %zu comparison%s\n", summary->shown_rows,
               plural(summary->shown_rows));
    if (summary->differs)
        printf("first divergence: %s\n", summary->first_place);
    else if (held > 0)
        printf("all equal: %zu comparison%s in %zu case%s\n", held, plural(held), run, plural(run));
    else if (run > 0)
        printf("nothing held: there is no demand on what was compared\n");
    if (summary->not_run > 0 && run > 0)
        printf("not run: %zu case%s\n", summary->not_run, plural(summary->not_run));
    return MCV_OK;
}

mcv_status mcv_report_text(mcv_report_sink *sink) {
    *sink = (mcv_report_sink){.take_case = take_case, .finish = finish};
    return MCV_OK;
}
