/* Checked allocation: sizes are multiplied with overflow checks, failures are statuses. */
#ifndef MCV_CORE_MEMORY_H
#define MCV_CORE_MEMORY_H

#include <stdbool.h>
#include <stdlib.h>

#include "core/status.h"

/* *product = a * b; false on overflow. */
static inline bool mcv_mul_size(size_t a, size_t b, size_t *product) {
    return !__builtin_mul_overflow(a, b, product);
}

static inline bool mcv_add_size(size_t a, size_t b, size_t *sum) {
    return !__builtin_add_overflow(a, b, sum);
}

/* *out = zeroed memory for count elements of `size` bytes, to be released with free(); never NULL on MCV_OK, not for a
 * count of 0 either. Use MCV_NEW. */
mcv_status mcv_calloc(void **out, size_t count, size_t size);

/* Grows *buffer (of *capacity elements) to hold at least `needed` elements, doubling. */
mcv_status mcv_grow(void **buffer, size_t *capacity, size_t needed, size_t size);

/* A copy of a string, to be released with free(). */
mcv_status mcv_strdup(char **out, const char *text);

/* MCV_NEW(&pointer, count): allocates an array of what `pointer` points to. A status. */
#define MCV_NEW(pointer_address, count) mcv_calloc((void **)(pointer_address), (count), sizeof **(pointer_address))

/* MCV_GROW(&pointer, &capacity, needed): a status. */
#define MCV_GROW(pointer_address, capacity_address, needed)                                                            \
    mcv_grow((void **)(pointer_address), (capacity_address), (needed), sizeof **(pointer_address))

#endif
