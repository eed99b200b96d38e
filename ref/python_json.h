/* JSON as Python writes it. */
#ifndef MCV_REF_PYTHON_JSON_H
#define MCV_REF_PYTHON_JSON_H

#include <jansson.h>

#include "core/buffer.h"

/* Appends what json.dumps(value, ensure_ascii=False) gives: ", " and ": " between values, keys in their order, floats
 * in the fewest digits that tell them apart. */
mcv_status python_json_dumps(const json_t *value, mcv_buffer *text);

/* The same for a string alone. */
mcv_status python_json_dumps_string(const char *string, size_t size, mcv_buffer *text);

#endif
