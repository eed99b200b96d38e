/* What happens to scores before a token is chosen. HF: transformers generation/logits_process.py, in the order of
 * GenerationMixin._get_logits_processor. */
#ifndef MCV_REF_LOGITS_PROCESS_H
#define MCV_REF_LOGITS_PROCESS_H

#include "ref/generation.h"

typedef struct ScoredToken {
    float score;
    int32_t id;
} ScoredToken;

/* Memory for one row's processing. */
typedef struct LogitsScratch {
    float *probs;        /* [vocab_size] */
    int32_t *order;      /* [vocab_size] */
    ScoredToken *sorted; /* [vocab_size] */
    bool *marked;        /* [vocab_size], all false between calls */
} LogitsScratch;

mcv_status LogitsScratch_create(LogitsScratch *scratch, int vocab_size);
void LogitsScratch_free(LogitsScratch *scratch);

/* Processes one row: repetition penalty and smallest length always; temperature, top_k, top_p and min_p where do_sample
 * is set. What is filtered out becomes -inf. scores: [vocab_size], logits or, in beam search, log probabilities.
 * generated: the row's ids so far. MCV_BAD_INPUT: as logits_check, before or after. */
mcv_status LogitsProcessorList_call(const GenerationConfig *config, const int32_t *generated, size_t num_generated,
                                    float *scores, int vocab_size, LogitsScratch *scratch);

/* MCV_BAD_INPUT: a score is NaN or infinite, or all are -inf. */
mcv_status logits_check(const float *scores, int vocab_size);

/* probs = softmax(scores), each rounded once. torch.nn.functional.softmax. */
void logits_softmax(const float *scores, int count, float *probs);
/* scores = log(softmax(scores)), in place, each rounded once. torch.nn.functional.log_softmax. */
void logits_log_softmax(float *scores, int count);

#endif
