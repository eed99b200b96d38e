/* A growing list of token ids. */
#ifndef MCV_REF_TOKEN_IDS_H
#define MCV_REF_TOKEN_IDS_H

#include "core/memory.h"

typedef struct TokenIds {
    int32_t *data;
    size_t count, capacity;
} TokenIds;

mcv_status TokenIds_append(TokenIds *ids, int32_t id);
void TokenIds_free(TokenIds *ids);

#endif
