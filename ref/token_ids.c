#include "ref/token_ids.h"

mcv_status TokenIds_append(TokenIds *ids, int32_t id) {
    MCV_TRY(MCV_GROW(&ids->data, &ids->capacity, ids->count + 1));
    ids->data[ids->count++] = id;
    return MCV_OK;
}

void TokenIds_free(TokenIds *ids) {
    free(ids->data);
    *ids = (TokenIds){0};
}
