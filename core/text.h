/* Questions about text. */
#ifndef MCV_CORE_TEXT_H
#define MCV_CORE_TEXT_H

#include <stdbool.h>
#include <string.h>

static inline bool mcv_ends_with(const char *text, const char *end) {
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

#endif
