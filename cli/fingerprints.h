/* Fingerprints of a run's tensors, to tell whether another run made the same bits. */
#ifndef MCV_CLI_FINGERPRINTS_H
#define MCV_CLI_FINGERPRINTS_H

#include "core/arena.h"
#include "formats/hash.h"

typedef struct mcv_fingerprint {
    const char *name;
    mcv_hash hash;
} mcv_fingerprint;

typedef struct mcv_fingerprints {
    mcv_fingerprint *list; /* [count], in the order of the run */
    size_t count, capacity;
    mcv_arena names;
} mcv_fingerprints;

mcv_status mcv_fingerprints_add(mcv_fingerprints *fingerprints, const char *name, const mcv_tensor *tensor);
/* Whether a tensor of this name with these bits was added. */
mcv_status mcv_fingerprints_match(const mcv_fingerprints *fingerprints, const char *name, const mcv_tensor *tensor,
                                  bool *match);
void mcv_fingerprints_free(mcv_fingerprints *fingerprints);

#endif
