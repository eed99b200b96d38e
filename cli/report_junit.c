#include "cli/report.h"
#include "core/file.h"

typedef struct junit_report {
    const char *path; /* "-": standard output */
    mcv_buffer suites;
} junit_report;

/* Appends `before`, the text as the value of an XML attribute, and `after`. */
static mcv_status append_attribute(mcv_buffer *xml, const char *before, const char *text, const char *after) {
    MCV_TRY(mcv_buffer_append_string(xml, before));
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (strchr("&<>\"", byte))
            MCV_TRY(mcv_buffer_printf(xml, "&#%d;", byte));
        else if (byte < ' ') /* XML has no other control characters than tab, line feed and carriage return */
            MCV_TRY(mcv_buffer_append_string(xml, strchr("\t\n\r", byte) ? " " : "?"));
        else
            MCV_TRY(mcv_buffer_append(xml, text, 1));
    }
    return mcv_buffer_append_string(xml, after);
}

static mcv_status append_name(mcv_buffer *xml, const char *case_name, const char *name) {
    MCV_TRY(append_attribute(xml, "<testcase classname=\"", case_name, "\""));
    return append_attribute(xml, " name=\"", name, "\"");
}

static mcv_status append_failure(mcv_buffer *xml, const char *case_name, const char *name, const char *problem) {
    MCV_TRY(append_name(xml, case_name, name));
    return append_attribute(xml, "><failure message=\"", problem, "\"/></testcase>\n");
}

/* What is only shown was looked at and not tested. */
static mcv_status append_test(mcv_buffer *xml, const char *case_name, const mcv_comparison_row *row) {
    if (!row->pass)
        return append_failure(xml, case_name, row->name, row->problem);
    MCV_TRY(append_name(xml, case_name, row->name));
    return mcv_buffer_append_string(
        xml, row->shown ? "><skipped message=\"only shown: nothing is demanded of it\"/></testcase>\n" : "/>\n");
}

/* The suite of a case. One in which nothing was compared gets a failing test that says so. */
static mcv_status take_case(void *context, const mcv_case_outcome *outcome) {
    mcv_buffer *suites = &((junit_report *)context)->suites;
    const mcv_comparison *comparison = outcome->comparison;
    bool empty = mcv_comparison_count(comparison) == 0;
    size_t failures = empty, skipped = 0;
    for (size_t i = 0; i < comparison->num_rows; i++) {
        failures += !comparison->rows[i].pass;
        skipped += comparison->rows[i].shown;
    }
    MCV_TRY(append_attribute(suites, "<testsuite name=\"", outcome->name, "\""));
    MCV_TRY(mcv_buffer_printf(suites, " tests=\"%zu\" failures=\"%zu\"", comparison->num_rows + empty, failures));
    if (skipped)
        MCV_TRY(mcv_buffer_printf(suites, " skipped=\"%zu\"", skipped));
    MCV_TRY(mcv_buffer_append_string(suites, ">\n"));
    for (size_t i = 0; i < comparison->num_rows; i++)
        MCV_TRY(append_test(suites, outcome->name, &comparison->rows[i]));
    if (empty)
        MCV_TRY(append_failure(suites, outcome->name, "comparisons", "nothing was compared"));
    return mcv_buffer_append_string(suites, "</testsuite>\n");
}

static mcv_status take_error(void *context, const char *case_path, const char *why) {
    mcv_buffer *suites = &((junit_report *)context)->suites;
    MCV_TRY(append_attribute(suites, "<testsuite name=\"", case_path, "\" tests=\"1\" failures=\"1\">\n"));
    MCV_TRY(append_failure(suites, case_path, "run", why));
    return mcv_buffer_append_string(suites, "</testsuite>\n");
}

static const char HEAD[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", TAIL[] = "</testsuites>\n";

static mcv_status write_all(mcv_file_writer *writer, const mcv_buffer *suites) {
    MCV_TRY(mcv_writer_write(writer, HEAD, strlen(HEAD)));
    MCV_TRY(mcv_writer_write(writer, mcv_buffer_text(suites), suites->size));
    return mcv_writer_write(writer, TAIL, strlen(TAIL));
}

static mcv_status finish(void *context, const mcv_report_summary *summary) {
    (void)summary;
    junit_report *self = context;
    mcv_file_writer writer;
    MCV_TRY(mcv_writer_open(&writer, self->path));
    mcv_status status = write_all(&writer, &self->suites);
    if (status == MCV_OK)
        return mcv_writer_commit(&writer);
    mcv_writer_abandon(&writer);
    return status;
}

static void free_report(void *context) {
    junit_report *self = context;
    mcv_buffer_free(&self->suites);
    free(self);
}

mcv_status mcv_report_junit(const char *path, mcv_report_sink *sink) {
    junit_report *self;
    MCV_TRY(MCV_NEW(&self, 1));
    self->path = path;
    *sink = (mcv_report_sink){take_case, take_error, finish, free_report, self};
    return MCV_OK;
}
