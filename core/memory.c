#include "core/memory.h"

#include <string.h>

mcv_status mcv_calloc(void **out, size_t count, size_t size) {
    *out = calloc(count ? count : 1, size);
    return *out ? MCV_OK : MCV_FAIL(MCV_NO_MEMORY, "out of memory (%zu x %zu bytes asked for)", count, size);
}

mcv_status mcv_grow(void **buffer, size_t *capacity, size_t needed, size_t size) {
    if (needed <= *capacity)
        return MCV_OK;
    size_t grown = *capacity ? *capacity : 16, bytes;
    while (grown < needed)
        if (!mcv_mul_size(grown, 2, &grown))
            return MCV_FAIL_MEMORY(needed);
    if (!mcv_mul_size(grown, size, &bytes))
        return MCV_FAIL_MEMORY(needed);
    void *moved = realloc(*buffer, bytes);
    if (!moved)
        return MCV_FAIL_MEMORY(bytes);
    *buffer = moved;
    *capacity = grown;
    return MCV_OK;
}

mcv_status mcv_strdup(char **out, const char *text) {
    size_t size = strlen(text) + 1;
    MCV_TRY(mcv_calloc((void **)out, size, 1));
    memcpy(*out, text, size);
    return MCV_OK;
}
