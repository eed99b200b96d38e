/* safetensors files from lines, a tensor each:
 *
 *     NAME DTYPE SIZES TEXT
 *
 * SIZES are numbers with commas between them, "-" for none, "*" for as many as the text has bytes. The tensor's bytes
 * are those of the text, over and over; zeros where there is none. Header, offsets and sizes agree whatever the lines
 * say, so that an input that is changed somewhere is still a file whose tensors are looked at. */
#ifndef MCV_TESTS_FUZZ_TENSOR_LINES_H
#define MCV_TESTS_FUZZ_TENSOR_LINES_H

#include <stdio.h>
#include <string.h>

#include "core/buffer.h"
#include "core/tensor.h"

typedef struct mcv_bytes {
    const uint8_t *data;
    size_t size;
} mcv_bytes;

/* What stands before the next `end`, or all; *rest moves behind it. */
static inline mcv_bytes take_until(mcv_bytes *rest, char end) {
    const uint8_t *found = rest->size ? memchr(rest->data, end, rest->size) : NULL;
    mcv_bytes taken = {rest->data, found ? (size_t)(found - rest->data) : rest->size};
    *rest = found ? (mcv_bytes){found + 1, rest->size - taken.size - 1} : (mcv_bytes){0};
    return taken;
}

static inline mcv_bytes take_line(mcv_bytes *rest) {
    return take_until(rest, '\n');
}

/* Whether this is no safetensors file itself, which begins with a small number of 8 bytes. */
static inline bool are_tensor_lines(mcv_bytes file) {
    return file.size < 8 || file.data[7] != 0;
}

/* The sizes as JSON has them; returns the number of elements, SIZE_MAX where they are too many. */
static inline size_t read_sizes(mcv_bytes sizes, size_t text, char *json, size_t room) {
    enum { MOST = 1 << 14 };
    size_t count = 1;
    json[0] = 0;
    if (sizes.size == 1 && sizes.data[0] == '*') {
        snprintf(json, room, "%zu", text);
        return text;
    }
    while (sizes.size > 0 && sizes.data[0] != '-') {
        mcv_bytes digits = take_until(&sizes, ',');
        size_t size = 0, used = strlen(json);
        for (size_t i = 0; i < digits.size && size < MOST; i++)
            size = size * 10 + digits.data[i] % 16;
        snprintf(json + used, room - used, "%s%zu", used ? "," : "", size);
        count = mcv_mul_size(count, size, &count) && count < MOST ? count : MOST;
    }
    return count < MOST ? count : SIZE_MAX;
}

/* Appends a line's tensor to the header and its bytes to the data. */
static inline void add_tensor_line(mcv_bytes line, mcv_buffer *header, mcv_buffer *data) {
    mcv_bytes name = take_until(&line, ' '), type = take_until(&line, ' '), sizes = take_until(&line, ' ');
    char type_name[32], shape[256];
    mcv_dtype dtype = MCV_U8;
    snprintf(type_name, sizeof type_name, "%.*s", (int)type.size, type.size ? (const char *)type.data : "");
    bool known = mcv_dtype_from_name(type_name, &dtype);
    size_t count = read_sizes(sizes, line.size, shape, sizeof shape), begin = data->size;
    if (!known || count == SIZE_MAX)
        return;
    size_t bytes = (count * mcv_dtype_bits(dtype) + 7) / 8;
    mcv_status status = MCV_GROW(&data->data, &data->capacity, begin + bytes + 1);
    for (size_t i = 0; i < bytes && status == MCV_OK; i++)
        data->data[begin + i] = line.size ? (char)line.data[i % line.size] : 0;
    data->size += bytes;
    if (status == MCV_OK)
        status = mcv_buffer_printf(header, "%s\"%.*s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                                   header->size > 1 ? "," : "", (int)name.size,
                                   name.size ? (const char *)name.data : "", type_name, shape, begin, data->size);
    if (status != MCV_OK)
        abort();
}

/* The bytes of the file; to be released with mcv_buffer_free. */
static inline mcv_buffer tensors_of_lines(mcv_bytes lines) {
    mcv_buffer header = {0}, data = {0}, file = {0};
    if (mcv_buffer_append(&header, "{", 1) != MCV_OK)
        abort();
    while (lines.size > 0) {
        mcv_bytes line = take_line(&lines);
        if (line.size > 0)
            add_tensor_line(line, &header, &data);
    }
    uint64_t length = header.size + 1;
    mcv_status status = mcv_buffer_append(&file, &length, sizeof length);
    if (status == MCV_OK)
        status = mcv_buffer_append(&file, header.data, header.size);
    if (status == MCV_OK)
        status = mcv_buffer_append(&file, "}", 1);
    if (status == MCV_OK && data.size > 0)
        status = mcv_buffer_append(&file, data.data, data.size);
    if (status != MCV_OK)
        abort();
    mcv_buffer_free(&header);
    mcv_buffer_free(&data);
    return file;
}

#endif
