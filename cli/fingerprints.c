#include "cli/fingerprints.h"

mcv_status mcv_fingerprints_add(mcv_fingerprints *fingerprints, const char *name, const mcv_tensor *tensor) {
    size_t size = strlen(name) + 1;
    char *copy;
    MCV_TRY(MCV_ARENA_NEW(&fingerprints->names, &copy, size));
    memcpy(copy, name, size);
    MCV_TRY(MCV_GROW(&fingerprints->list, &fingerprints->capacity, fingerprints->count + 1));
    mcv_fingerprint *added = &fingerprints->list[fingerprints->count];
    added->name = copy;
    MCV_TRY(mcv_hash_tensor(tensor, &added->hash));
    fingerprints->count++;
    return MCV_OK;
}

mcv_status mcv_fingerprints_match(const mcv_fingerprints *fingerprints, const char *name, const mcv_tensor *tensor,
                                  bool *match) {
    mcv_hash hash;
    *match = false;
    MCV_TRY(mcv_hash_tensor(tensor, &hash));
    for (size_t i = 0; i < fingerprints->count; i++)
        if (strcmp(fingerprints->list[i].name, name) == 0)
            *match |= strcmp(fingerprints->list[i].hash.xxh3_128, hash.xxh3_128) == 0;
    return MCV_OK;
}

void mcv_fingerprints_free(mcv_fingerprints *fingerprints) {
    free(fingerprints->list);
    mcv_arena_free(&fingerprints->names);
    *fingerprints = (mcv_fingerprints){0};
}
