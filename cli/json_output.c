#include "cli/json_output.h"

#include <math.h>
#include <stdio.h>

/* Gives up a container that is not complete. */
static void keep_if(bool complete, json_t **container) {
    if (complete)
        return;
    json_decref(*container);
    *container = NULL;
}

void mcv_json_set(json_t **object, const char *key, json_t *value) {
    keep_if(json_object_set_new(*object, key, value) == 0, object);
}

void mcv_json_append(json_t **array, json_t *value) {
    keep_if(json_array_append_new(*array, value) == 0, array);
}

json_t *mcv_json_shape(const mcv_tensor *tensor) {
    json_t *shape = json_array();
    for (int axis = 0; axis < tensor->rank; axis++)
        mcv_json_append(&shape, json_integer(tensor->shape[axis]));
    return shape;
}

json_t *mcv_json_number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

mcv_status mcv_json_print(json_t *value) {
    if (!value)
        return MCV_FAIL(MCV_NO_MEMORY, "out of memory for the JSON output");
    bool dumped = json_dumpf(value, stdout, 0) == 0;
    putchar('\n');
    json_decref(value);
    if (dumped || ferror(stdout))
        return MCV_OK;
    return MCV_FAIL(MCV_BAD_INPUT, "the JSON output is cut short: a text in it is no UTF-8, or memory is short");
}
