#include "core/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

mcv_status mcv_buffer_append(mcv_buffer *buffer, const void *bytes, size_t size) {
    size_t needed;
    if (!mcv_add_size(buffer->size, size, &needed) || !mcv_add_size(needed, 1, &needed))
        return MCV_FAIL_MEMORY(size);
    MCV_TRY(MCV_GROW(&buffer->data, &buffer->capacity, needed));
    if (size)
        memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
    buffer->data[buffer->size] = 0;
    return MCV_OK;
}

mcv_status mcv_buffer_append_string(mcv_buffer *buffer, const char *text) {
    return mcv_buffer_append(buffer, text, strlen(text));
}

mcv_status mcv_buffer_printf(mcv_buffer *buffer, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    mcv_status status = MCV_OK;
    if (length < 0)
        status = MCV_FAIL(MCV_USAGE, "text that cannot be formatted: %s", format);
    else
        status = MCV_GROW(&buffer->data, &buffer->capacity, buffer->size + (size_t)length + 1);
    if (status == MCV_OK) {
        vsnprintf(buffer->data + buffer->size, (size_t)length + 1, format, again);
        buffer->size += (size_t)length;
    }
    va_end(again);
    return status;
}

const char *mcv_buffer_text(const mcv_buffer *buffer) {
    return buffer->data ? buffer->data : "";
}

void mcv_buffer_free(mcv_buffer *buffer) {
    free(buffer->data);
    *buffer = (mcv_buffer){0};
}
