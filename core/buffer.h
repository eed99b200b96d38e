/* A growing run of bytes, always followed by a 0 byte so that it can be read as a string. */
#ifndef MCV_CORE_BUFFER_H
#define MCV_CORE_BUFFER_H

#include "core/memory.h"

typedef struct mcv_buffer {
    char *data; /* NULL while nothing was appended */
    size_t size, capacity;
} mcv_buffer;

mcv_status mcv_buffer_append(mcv_buffer *buffer, const void *bytes, size_t size);
mcv_status mcv_buffer_append_string(mcv_buffer *buffer, const char *text);
mcv_status mcv_buffer_printf(mcv_buffer *buffer, const char *format, ...) MCV_PRINTF(2, 3);

/* The text so far; "" where nothing was appended. Valid until the next append. */
const char *mcv_buffer_text(const mcv_buffer *buffer);

void mcv_buffer_free(mcv_buffer *buffer);

#endif
