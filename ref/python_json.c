#include "ref/python_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Strings ------------------------------------------------------------------------------------------------- */

/* json.encoder.ESCAPE_DCT */
static const char *escape_of(unsigned char byte) {
    switch (byte) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

static mcv_status append_escaped(unsigned char byte, mcv_buffer *text) {
    const char *escape = escape_of(byte);
    return escape ? mcv_buffer_append_string(text, escape) : mcv_buffer_printf(text, "\\u%04x", byte);
}

mcv_status python_json_dumps_string(const char *string, size_t size, mcv_buffer *text) {
    MCV_TRY(mcv_buffer_append(text, "\"", 1));
    size_t plain_from = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)string[i];
        if (byte >= ' ' && byte != '"' && byte != '\\')
            continue;
        MCV_TRY(mcv_buffer_append(text, string + plain_from, i - plain_from));
        MCV_TRY(append_escaped(byte, text));
        plain_from = i + 1;
    }
    MCV_TRY(mcv_buffer_append(text, string + plain_from, size - plain_from));
    return mcv_buffer_append(text, "\"", 1);
}

/* ---- Numbers ------------------------------------------------------------------------------------------------- */

/* digits * 10^exponent */
typedef struct Decimal {
    int64_t digits;
    int exponent;
} Decimal;

static bool is_value(Decimal decimal, double value) {
    char text[48];
    snprintf(text, sizeof text, "%" PRId64 "e%d", decimal.digits, decimal.exponent);
    return strtod(text, NULL) == value;
}

/* The decimal of `count` digits that is nearest to a positive value. */
static Decimal nearest_decimal(double value, int count) {
    char text[48], *exponent;
    snprintf(text, sizeof text, "%.*e", count - 1, value);
    Decimal decimal = {.digits = text[0] - '0'};
    for (exponent = text + 1; *exponent != 'e'; exponent++)
        if (*exponent >= '0' && *exponent <= '9')
            decimal.digits = 10 * decimal.digits + (*exponent - '0');
    decimal.exponent = atoi(exponent + 1) - (count - 1);
    return decimal;
}

/* The fewest digits that read back as the value. Above a power of two values are twice as far apart as below it, so
 * there the next decimal upwards can read back where the nearest does not. */
static Decimal shortest_decimal(double value) {
    Decimal decimal;
    for (int count = 1; count <= 17; count++) {
        decimal = nearest_decimal(value, count);
        if (is_value(decimal, value))
            break;
        Decimal above = {decimal.digits + 1, decimal.exponent};
        if (is_value(above, value))
            return above;
    }
    return decimal;
}

/* float.__repr__: an exponent below 1e-4 and from 1e16 on. */
static mcv_status append_real(double value, mcv_buffer *text) {
    if (signbit(value))
        MCV_TRY(mcv_buffer_append(text, "-", 1));
    if (value == 0)
        return mcv_buffer_append_string(text, "0.0");
    Decimal decimal = shortest_decimal(fabs(value));
    char digits[32];
    int count = snprintf(digits, sizeof digits, "%" PRId64, decimal.digits);
    int point = count + decimal.exponent; /* digits before the decimal point */
    while (count > 1 && digits[count - 1] == '0')
        count--;
    if (point <= -4 || point > 16)
        return mcv_buffer_printf(text, "%c%s%.*se%+03d", digits[0], count > 1 ? "." : "", count - 1, digits + 1,
                                 point - 1);
    if (point <= 0)
        return mcv_buffer_printf(text, "0.%.*s%.*s", -point, "0000", count, digits);
    if (count <= point)
        return mcv_buffer_printf(text, "%.*s%.*s.0", count, digits, point - count, "0000000000000000");
    return mcv_buffer_printf(text, "%.*s.%.*s", point, digits, count - point, digits + point);
}

/* ---- Values -------------------------------------------------------------------------------------------------- */

static mcv_status append_array(const json_t *array, mcv_buffer *text) {
    MCV_TRY(mcv_buffer_append(text, "[", 1));
    for (size_t i = 0; i < json_array_size(array); i++) {
        MCV_TRY(mcv_buffer_append_string(text, i > 0 ? ", " : ""));
        MCV_TRY(python_json_dumps(json_array_get(array, i), text));
    }
    return mcv_buffer_append(text, "]", 1);
}

static mcv_status append_object(const json_t *object, mcv_buffer *text) {
    const char *key, *separator = "";
    json_t *value;
    MCV_TRY(mcv_buffer_append(text, "{", 1));
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        MCV_TRY(mcv_buffer_append_string(text, separator));
        MCV_TRY(python_json_dumps_string(key, strlen(key), text));
        MCV_TRY(mcv_buffer_append_string(text, ": "));
        MCV_TRY(python_json_dumps(value, text));
        separator = ", ";
    }
    return mcv_buffer_append(text, "}", 1);
}

mcv_status python_json_dumps(const json_t *value, mcv_buffer *text) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return append_object(value, text);
    case JSON_ARRAY:
        return append_array(value, text);
    case JSON_STRING:
        return python_json_dumps_string(json_string_value(value), json_string_length(value), text);
    case JSON_INTEGER:
        return mcv_buffer_printf(text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    case JSON_REAL:
        return append_real(json_real_value(value), text);
    default:
        return mcv_buffer_append_string(text, json_is_null(value) ? "null" : json_is_true(value) ? "true" : "false");
    }
}
