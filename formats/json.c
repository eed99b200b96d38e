#include "formats/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"

/* Far above any tokenizer or index; a larger file is not configuration. */
static const size_t FILE_LIMIT = (size_t)256 << 20;

/* The end of the number, or of what looks like one, at the start of the text. */
static size_t number_size(const char *text, size_t size) {
    size_t end = 0;
    while (end < size && text[end] && strchr("+-.0123456789eE", text[end]))
        end++;
    return end;
}

static bool is_big_integer(const char *text, size_t size) {
    char digits[32];
    if (size == 0 || memchr(text, '.', size) || memchr(text, 'e', size) || memchr(text, 'E', size))
        return false;
    if (size >= sizeof digits)
        return true;
    memcpy(digits, text, size);
    digits[size] = 0;
    errno = 0;
    strtoll(digits, NULL, 10);
    return errno == ERANGE;
}

/* Appends the text with ".0" behind the integers that do not fit 64 bits. */
static mcv_status widen_big_integers(const char *text, size_t size, mcv_buffer *widened) {
    bool in_string = false;
    for (size_t at = 0; at < size;) {
        size_t number = in_string ? 0 : number_size(text + at, size - at);
        size_t taken = number ? number : in_string && text[at] == '\\' && at + 1 < size ? 2 : 1;
        if (text[at] == '"')
            in_string = !in_string;
        MCV_TRY(mcv_buffer_append(widened, text + at, taken));
        if (is_big_integer(text + at, number))
            MCV_TRY(mcv_buffer_append_string(widened, ".0"));
        at += taken;
    }
    return MCV_OK;
}

/* Integers beyond 64 bits, such as the model_max_length of 10^30 that transformers writes, are read as reals. */
static mcv_status load_json(const char *text, size_t size, json_t **value, json_error_t *error) {
    static const size_t FLAGS = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
    *value = json_loadb(text, size, FLAGS, error);
    if (*value || json_error_code(error) != json_error_numeric_overflow)
        return MCV_OK;
    mcv_buffer widened = {0};
    mcv_status status = widen_big_integers(text, size, &widened);
    if (status == MCV_OK)
        *value = json_loadb(widened.data, widened.size, FLAGS, error);
    mcv_buffer_free(&widened);
    return status;
}

/* Where a text is one line, the caller's name for it says which. */
static mcv_status fail_syntax(const char *name, bool has_lines, const json_error_t *error) {
    bool has_nul = json_error_code(error) == json_error_null_character;
    const char *words = has_nul ? "expected text, found a byte 0 (\\u0000)" : "not valid JSON: ";
    const char *reason = has_nul ? "" : error->text;
    if (!has_lines)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: column %d: %s%s", name, error->column, words, reason);
    return MCV_FAIL(MCV_BAD_INPUT, "%s: line %d, column %d: %s%s", name, error->line, error->column, words, reason);
}

mcv_status mcv_json_parse(const char *text, size_t size, const char *name, mcv_json *root) {
    *root = (mcv_json){0};
    json_error_t error;
    json_t *value;
    MCV_TRY(load_json(text, size, &value, &error));
    if (!value)
        return fail_syntax(name, size > 0 && memchr(text, '\n', size), &error);
    mcv_status status = mcv_strdup(&root->file, name);
    if (status == MCV_OK)
        root->value = value;
    else
        json_decref(value);
    return status;
}

mcv_status mcv_json_load(const char *path, mcv_json *root) {
    *root = (mcv_json){0};
    mcv_buffer text = {0};
    mcv_status status = mcv_file_read(path, FILE_LIMIT, &text);
    if (status == MCV_OK)
        status = mcv_json_parse(mcv_buffer_text(&text), text.size, path, root);
    mcv_buffer_free(&text);
    if (status == MCV_OK && !json_is_object(root->value)) {
        status = mcv_json_fail(MCV_BAD_INPUT, root, "an object");
        mcv_json_free(root);
    }
    return status;
}

void mcv_json_free(mcv_json *root) {
    json_decref(root->value);
    free(root->file);
    *root = (mcv_json){0};
}

static json_t *null_is_missing(json_t *value) {
    return json_is_null(value) ? NULL : value;
}

mcv_json mcv_json_member(const mcv_json *object, const char *key) {
    json_t *value = null_is_missing(json_object_get(object->value, key));
    return (mcv_json){.value = value, .parent = object, .key = key};
}

mcv_json mcv_json_item(const mcv_json *array, size_t index) {
    json_t *value = null_is_missing(json_array_get(array->value, index));
    return (mcv_json){.value = value, .parent = array, .index = index};
}

size_t mcv_json_count(const mcv_json *array) {
    return json_array_size(array->value);
}

/* Writes "vision_config.layers[3]", or the file's name for the root, whose own place is empty. */
static void append_place(const mcv_json *json, char *text, size_t size) {
    if (!json->parent) {
        snprintf(text, size, "%s", json->file ? json->file : "");
        return;
    }
    append_place(json->parent, text, size);
    size_t used = strlen(text);
    const char *joint = json->parent->parent ? "." : ": ";
    if (json->key)
        snprintf(text + used, size - used, "%s%s", joint, json->key);
    else
        snprintf(text + used, size - used, "%s[%zu]", json->parent->parent ? "" : ": ", json->index);
}

static void describe(const json_t *value, char *text, size_t size) {
    if (!value)
        snprintf(text, size, "nothing");
    else if (json_is_string(value))
        snprintf(text, size, "the string \"%.60s\"", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(text, size, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, size, "%.17g", json_real_value(value));
    else if (json_is_boolean(value))
        snprintf(text, size, "%s", json_is_true(value) ? "true" : "false");
    else
        snprintf(text, size, "%s", json_is_array(value) ? "an array" : json_is_object(value) ? "an object" : "null");
}

mcv_status mcv_json_fail(mcv_status status, const mcv_json *json, const char *expected) {
    char place[512], found[96];
    append_place(json, place, sizeof place);
    describe(json->value, found, sizeof found);
    return MCV_FAIL(status, "%s: expected %s, found %s", place, expected, found);
}

mcv_status mcv_json_require(const mcv_json *object, const char *key) {
    mcv_json member = mcv_json_member(object, key);
    return member.value ? MCV_OK : mcv_json_fail(MCV_BAD_INPUT, &member, "a value");
}

mcv_status mcv_json_get_int(const mcv_json *object, const char *key, int low, int high, int *value) {
    mcv_json member = mcv_json_member(object, key);
    if (!member.value)
        return MCV_OK;
    json_int_t number = json_integer_value(member.value);
    if (!json_is_integer(member.value) || number < low || number > high) {
        char expected[64];
        snprintf(expected, sizeof expected, "an integer from %d to %d", low, high);
        return mcv_json_fail(MCV_BAD_INPUT, &member, expected);
    }
    *value = (int)number;
    return MCV_OK;
}

mcv_status mcv_json_get_double(const mcv_json *object, const char *key, double low, double high, double *value) {
    mcv_json member = mcv_json_member(object, key);
    if (!member.value)
        return MCV_OK;
    double number = json_number_value(member.value);
    if (!json_is_number(member.value) || number < low || number > high) {
        char expected[96];
        snprintf(expected, sizeof expected, "a number from %g to %g", low, high);
        return mcv_json_fail(MCV_BAD_INPUT, &member, expected);
    }
    *value = number;
    return MCV_OK;
}

mcv_status mcv_json_get_bool(const mcv_json *object, const char *key, bool *value) {
    mcv_json member = mcv_json_member(object, key);
    if (!member.value)
        return MCV_OK;
    if (!json_is_boolean(member.value))
        return mcv_json_fail(MCV_BAD_INPUT, &member, "true or false");
    *value = json_is_true(member.value);
    return MCV_OK;
}

mcv_status mcv_json_get_string(const mcv_json *object, const char *key, const char **value) {
    mcv_json member = mcv_json_member(object, key);
    if (!member.value)
        return MCV_OK;
    if (!json_is_string(member.value))
        return mcv_json_fail(MCV_BAD_INPUT, &member, "a string");
    *value = json_string_value(member.value);
    return MCV_OK;
}

mcv_status mcv_json_get_object(const mcv_json *object, const char *key, mcv_json *member) {
    *member = mcv_json_member(object, key);
    if (member->value && !json_is_object(member->value))
        return mcv_json_fail(MCV_BAD_INPUT, member, "an object");
    return MCV_OK;
}

mcv_status mcv_json_get_array(const mcv_json *object, const char *key, mcv_json *member) {
    *member = mcv_json_member(object, key);
    if (member->value && !json_is_array(member->value))
        return mcv_json_fail(MCV_BAD_INPUT, member, "an array");
    return MCV_OK;
}
