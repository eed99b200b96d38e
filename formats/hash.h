/* Fingerprints: XXH3 of 64 and 128 bits, as hexadecimal text, the same that `xxhsum -H3`, `xxhsum -H2` and Python's
 * xxhash print. For recognizing data, not for security.
 * Specification: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md */
#ifndef MCV_FORMATS_HASH_H
#define MCV_FORMATS_HASH_H

#include "core/tensor.h"

typedef struct mcv_hash {
    char xxh3_64[17], xxh3_128[33]; /* 16 and 32 hexadecimal digits */
} mcv_hash;

mcv_hash mcv_hash_bytes(const void *data, size_t size);

/* Of a file's whole content. */
mcv_status mcv_hash_file(const char *path, mcv_hash *hash);

/* Of a tensor's data as it lies in memory, without type and shape. MCV_USAGE where it has no size in bytes. */
mcv_status mcv_hash_tensor(const mcv_tensor *tensor, mcv_hash *hash);

#endif
