/* Reading JSON configuration files: jansson underneath, errors that name the file, the key, what was expected and what
 * was found.
 *
 *     mcv_json config, vision;
 *     MCV_TRY(mcv_json_load(path, &config));
 *     int layers = 27;
 *     status = mcv_json_get_object(&config, "vision_config", &vision);
 *     if (status == MCV_OK)
 *         status = mcv_json_get_int(&vision, "num_hidden_layers", 1, 1000, &layers);
 *     mcv_json_free(&config);
 *
 * A getter leaves the default that it finds in *value where the key is missing, its value is null, or the object itself
 * is missing. */
#ifndef MCV_FORMATS_JSON_H
#define MCV_FORMATS_JSON_H

#include <jansson.h>

#include "core/memory.h"

/* A value and its place in a file. Members and items point to what they were taken from, which must outlive them. */
typedef struct mcv_json {
    json_t *value; /* NULL where it is missing or null; owned by the root */
    const struct mcv_json *parent;
    const char *key; /* in an object */
    size_t index;    /* in an array, where key is NULL */
    char *file;      /* of the root */
} mcv_json;

/* Reads a file whose root is an object. "-" is standard input. Duplicate keys are an error; integers that do not fit 64
 * bits are read as real numbers. */
mcv_status mcv_json_load(const char *path, mcv_json *root);
/* The same for any text and any kind of value; `name` stands for the file in messages. */
mcv_status mcv_json_parse(const char *text, size_t size, const char *name, mcv_json *root);
/* Of a root alone. */
void mcv_json_free(mcv_json *root);

/* MCV_BAD_INPUT where the key is missing or null. */
mcv_status mcv_json_require(const mcv_json *object, const char *key);

mcv_status mcv_json_get_int(const mcv_json *object, const char *key, int low, int high, int *value);
/* Integers are taken too. */
mcv_status mcv_json_get_double(const mcv_json *object, const char *key, double low, double high, double *value);
mcv_status mcv_json_get_bool(const mcv_json *object, const char *key, bool *value);
/* *value belongs to the root. */
mcv_status mcv_json_get_string(const mcv_json *object, const char *key, const char **value);
/* member->value is NULL where the key is missing or null. */
mcv_status mcv_json_get_object(const mcv_json *object, const char *key, mcv_json *member);
mcv_status mcv_json_get_array(const mcv_json *object, const char *key, mcv_json *member);

/* Member `key` of an object and item `index` of an array, of whatever kind. */
mcv_json mcv_json_member(const mcv_json *object, const char *key);
mcv_json mcv_json_item(const mcv_json *array, size_t index);
/* 0 where the array is missing. */
size_t mcv_json_count(const mcv_json *array);

/* Records "FILE: PLACE: expected EXPECTED, found FOUND" and returns `status`. */
mcv_status mcv_json_fail(mcv_status status, const mcv_json *json, const char *expected);

#endif
