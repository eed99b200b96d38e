#include "cli/json_lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"

/* Far above any conversation. */
static const size_t FILE_LIMIT = (size_t)1 << 30;

mcv_status mcv_json_read_text(const char *text, size_t size, const char *name, json_t **value) {
    json_error_t error;
    *value = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!*value)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: line %d, column %d: not valid JSON: %s", name, error.line, error.column,
                        error.text);
    return MCV_OK;
}

mcv_status mcv_json_read_file(const char *path, json_t **value) {
    *value = NULL;
    mcv_buffer text = {0};
    mcv_status status = mcv_file_read(path, FILE_LIMIT, &text);
    if (status == MCV_OK)
        status = mcv_json_read_text(mcv_buffer_text(&text), text.size, mcv_file_name(path), value);
    mcv_buffer_free(&text);
    return status;
}

static mcv_status handle_line(const char *line, size_t size, mcv_json_line_handler *handler, void *context) {
    json_error_t error;
    if (strspn(line, " \t\r\n") == size)
        return MCV_FAIL(MCV_BAD_INPUT, "expected JSON, found an empty line");
    json_t *value = json_loadb(line, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!value)
        return MCV_FAIL(MCV_BAD_INPUT, "column %d: not valid JSON: %s", error.column, error.text);
    mcv_status status = handler(context, value);
    json_decref(value);
    fflush(stdout);
    return status;
}

mcv_status mcv_json_read_lines(mcv_json_line_handler *handler, void *context) {
    mcv_status status = MCV_OK;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    for (size_t number = 1; status == MCV_OK && (size = getline(&line, &capacity, stdin)) >= 0; number++) {
        status = handle_line(line, (size_t)size, handler, context);
        if (status != MCV_OK)
            status = mcv_fail_context(status == MCV_USAGE ? MCV_BAD_INPUT : status, "standard input: line %zu", number);
    }
    if (status == MCV_OK && !feof(stdin))
        status = MCV_FAIL(MCV_BAD_INPUT, "standard input: cannot be read: %s", strerror(errno));
    free(line);
    return status;
}
