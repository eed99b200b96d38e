/* When a sequence ends. HF: transformers generation/stopping_criteria.py. */
#ifndef MCV_REF_STOPPING_CRITERIA_H
#define MCV_REF_STOPPING_CRITERIA_H

#include "ref/generation.h"

static inline bool MaxLengthCriteria_call(const GenerationConfig *config, size_t length) {
    return length >= (size_t)config->max_new_tokens;
}

static inline bool EosTokenCriteria_call(const GenerationConfig *config, int32_t newest_id) {
    for (int i = 0; i < config->num_eos_token_ids; i++)
        if (config->eos_token_ids[i] == newest_id)
            return true;
    return false;
}

/* Of a sequence of `length` ids, the last of which is newest_id. HF: GenerationMixin._get_stopping_criteria. */
static inline bool stopping_criteria(const GenerationConfig *config, int32_t newest_id, size_t length) {
    return MaxLengthCriteria_call(config, length) || EosTokenCriteria_call(config, newest_id);
}

#endif
