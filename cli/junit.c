#include "cli/junit.h"

#include "core/file.h"

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

static mcv_status append_test(mcv_buffer *xml, const char *case_name, const char *name, const char *problem) {
    MCV_TRY(append_attribute(xml, "<testcase classname=\"", case_name, "\""));
    MCV_TRY(append_attribute(xml, " name=\"", name, "\""));
    if (!problem)
        return mcv_buffer_append_string(xml, "/>\n");
    return append_attribute(xml, "><failure message=\"", problem, "\"/></testcase>\n");
}

mcv_status mcv_junit_add_case(mcv_buffer *suites, const char *case_name, const mcv_comparison *comparison) {
    bool empty = mcv_comparison_count(comparison) == 0;
    size_t failures = empty;
    for (size_t i = 0; i < comparison->num_rows; i++)
        failures += !comparison->rows[i].pass;
    MCV_TRY(append_attribute(suites, "<testsuite name=\"", case_name, "\""));
    MCV_TRY(mcv_buffer_printf(suites, " tests=\"%zu\" failures=\"%zu\">\n", comparison->num_rows + empty, failures));
    for (size_t i = 0; i < comparison->num_rows; i++) {
        const mcv_comparison_row *row = &comparison->rows[i];
        MCV_TRY(append_test(suites, case_name, row->name, row->pass ? NULL : row->problem));
    }
    if (empty)
        MCV_TRY(append_test(suites, case_name, "comparisons", "nothing was compared"));
    return mcv_buffer_append_string(suites, "</testsuite>\n");
}

mcv_status mcv_junit_add_error(mcv_buffer *suites, const char *case_name, const char *why) {
    MCV_TRY(append_attribute(suites, "<testsuite name=\"", case_name, "\" tests=\"1\" failures=\"1\">\n"));
    MCV_TRY(append_test(suites, case_name, "run", why));
    return mcv_buffer_append_string(suites, "</testsuite>\n");
}

static mcv_status write_all(mcv_file_writer *writer, const mcv_buffer *suites) {
    static const char HEAD[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", TAIL[] = "</testsuites>\n";
    MCV_TRY(mcv_writer_write(writer, HEAD, strlen(HEAD)));
    MCV_TRY(mcv_writer_write(writer, mcv_buffer_text(suites), suites->size));
    return mcv_writer_write(writer, TAIL, strlen(TAIL));
}

mcv_status mcv_junit_write(const mcv_buffer *suites, const char *path) {
    mcv_file_writer writer;
    MCV_TRY(mcv_writer_open(&writer, path));
    mcv_status status = write_all(&writer, suites);
    if (status == MCV_OK)
        return mcv_writer_commit(&writer);
    mcv_writer_abandon(&writer);
    return status;
}
