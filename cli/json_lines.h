/* JSON from the outside, read as Python reads it: "\u0000" is a character, of equal keys the last counts. */
#ifndef MCV_CLI_JSON_LINES_H
#define MCV_CLI_JSON_LINES_H

#include <jansson.h>

#include "core/status.h"

/* *value is to be released with json_decref. `name` stands for the file in messages. MCV_BAD_INPUT: not JSON. */
mcv_status mcv_json_read_text(const char *text, size_t size, const char *name, json_t **value);
/* "-" is standard input. */
mcv_status mcv_json_read_file(const char *path, json_t **value);

/* Takes the value of one line. */
typedef mcv_status mcv_json_line_handler(void *context, json_t *value);

/* Calls the handler with the value of each line of standard input, and flushes standard output behind each, for a
 * caller that waits for it. Errors name the line; what the handler calls wrong use is the line's fault, MCV_BAD_INPUT.
 */
mcv_status mcv_json_read_lines(mcv_json_line_handler *handler, void *context);

#endif
