/* What an inspection has found amiss: a JSON list of strings. */
#ifndef MCV_CLI_PROBLEMS_H
#define MCV_CLI_PROBLEMS_H

#include <jansson.h>

#include "core/status.h"

/* MCV_OK without problems, else MCV_BAD_INPUT with their number and the first of them. */
static inline mcv_status mcv_problems_status(const char *path, const json_t *problems) {
    size_t count = json_array_size(problems);
    if (count == 0)
        return MCV_OK;
    return MCV_FAIL(MCV_BAD_INPUT, "%s: %zu problem%s, the first: %s", path, count, count == 1 ? "" : "s",
                    json_string_value(json_array_get(problems, 0)));
}

#endif
