#include "formats/hash.h"

#include <stdio.h>
#include <xxhash.h>

#include "core/file.h"

mcv_hash mcv_hash_bytes(const void *data, size_t size) {
    mcv_hash hash;
    XXH128_hash_t wide = XXH3_128bits(data, size);
    snprintf(hash.xxh3_64, sizeof hash.xxh3_64, "%016llx", (unsigned long long)XXH3_64bits(data, size));
    snprintf(hash.xxh3_128, sizeof hash.xxh3_128, "%016llx%016llx", (unsigned long long)wide.high64,
             (unsigned long long)wide.low64);
    return hash;
}

mcv_status mcv_hash_file(const char *path, mcv_hash *hash) {
    mcv_file_map map;
    MCV_TRY(mcv_file_open_map(path, &map));
    *hash = mcv_hash_bytes(map.data, map.size);
    mcv_file_close_map(&map);
    return MCV_OK;
}

mcv_status mcv_hash_tensor(const mcv_tensor *tensor, mcv_hash *hash) {
    size_t bytes;
    char shape[160];
    if (!mcv_tensor_bytes(tensor, &bytes))
        return MCV_FAIL(MCV_USAGE, "%s %s has no size in whole bytes", mcv_dtype_name(tensor->dtype),
                        mcv_tensor_shape_text(tensor, shape, sizeof shape));
    *hash = mcv_hash_bytes(tensor->data, bytes);
    return MCV_OK;
}
