#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_SIZE = 1024 };

static _Thread_local char message[MESSAGE_SIZE];
static _Thread_local char source[128];

const char *mcv_error_message(void) {
    return message[0] ? message : "no error";
}

const char *mcv_error_source(void) {
    return source;
}

mcv_status mcv_fail(mcv_status status, const char *source_file, int source_line, const char *format, ...) {
    char words[MESSAGE_SIZE]; /* apart from `message`, which may be among the arguments */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    memcpy(message, words, sizeof message);
    snprintf(source, sizeof source, "%s:%d", source_file, source_line);
    return status;
}

mcv_status mcv_fail_context(mcv_status status, const char *format, ...) {
    char words[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    if (length > 0 && length < MESSAGE_SIZE)
        snprintf(words + length, sizeof words - (size_t)length, ": %s", message);
    memcpy(message, words, sizeof message);
    return status;
}

int mcv_exit_code(mcv_status status) {
    return status == MCV_NO_MEMORY ? MCV_UNSUPPORTED : (int)status;
}
