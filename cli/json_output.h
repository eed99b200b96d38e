/* JSON results on standard output. A value that could not be made for lack of memory is NULL, as in jansson, and is
 * passed on until mcv_json_print says so. */
#ifndef MCV_CLI_JSON_OUTPUT_H
#define MCV_CLI_JSON_OUTPUT_H

#include <jansson.h>

#include "core/tensor.h"

/* A tensor's shape, as a list. */
json_t *mcv_json_shape(const mcv_tensor *tensor);

/* A number; null where it is not finite, for JSON has no such numbers. */
json_t *mcv_json_number(double value);

/* Sets a member or appends an item, whose reference it takes. Where the value is NULL or memory is short, the container
 * is released and NULL is in its place. */
void mcv_json_set(json_t **object, const char *key, json_t *value);
void mcv_json_append(json_t **array, json_t *value);

/* Prints a value in a line of its own and releases it. Write errors show in stdout's state. MCV_BAD_INPUT: a text in
 * it is no UTF-8. */
mcv_status mcv_json_print(json_t *value);

#endif
