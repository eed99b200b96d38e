#include "ref/logits_process.h"

#include <math.h>

#include "ref/nn.h"
#include "ref/topk.h"

mcv_status LogitsScratch_create(LogitsScratch *scratch, int vocab_size) {
    *scratch = (LogitsScratch){0};
    mcv_status status = MCV_NEW(&scratch->probs, (size_t)vocab_size);
    if (status == MCV_OK)
        status = MCV_NEW(&scratch->order, (size_t)vocab_size);
    if (status == MCV_OK)
        status = MCV_NEW(&scratch->sorted, (size_t)vocab_size);
    if (status == MCV_OK)
        status = MCV_NEW(&scratch->marked, (size_t)vocab_size);
    if (status != MCV_OK)
        LogitsScratch_free(scratch);
    return status;
}

void LogitsScratch_free(LogitsScratch *scratch) {
    free(scratch->probs);
    free(scratch->order);
    free(scratch->sorted);
    free(scratch->marked);
    *scratch = (LogitsScratch){0};
}

/* ---- Softmax ------------------------------------------------------------------------------------------------ */

static float largest(const float *scores, int count) {
    float result = -INFINITY;
    for (int i = 0; i < count; i++)
        result = scores[i] > result ? scores[i] : result;
    return result;
}

static double sum_of_exponentials(const float *scores, int count, double shift) {
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += nn_exp((double)scores[i] - shift);
    return sum;
}

void logits_softmax(const float *scores, int count, float *probs) {
    double shift = (double)largest(scores, count), sum = sum_of_exponentials(scores, count, shift);
    for (int i = 0; i < count; i++)
        probs[i] = (float)(nn_exp((double)scores[i] - shift) / sum);
}

void logits_log_softmax(float *scores, int count) {
    double shift = (double)largest(scores, count), log_sum = log(sum_of_exponentials(scores, count, shift));
    for (int i = 0; i < count; i++)
        scores[i] = (float)((double)scores[i] - shift - log_sum);
}

/* ---- Processors --------------------------------------------------------------------------------------------- */

static void MinNewTokensLengthLogitsProcessor_call(const GenerationConfig *config, size_t num_generated, float *scores,
                                                   int vocab_size) {
    if (num_generated >= (size_t)config->min_new_tokens)
        return;
    for (int i = 0; i < config->num_eos_token_ids; i++) {
        int32_t id = config->eos_token_ids[i];
        if (id >= 0 && id < vocab_size)
            scores[id] = -INFINITY;
    }
}

static void TemperatureLogitsWarper_call(double temperature, float *scores, int vocab_size) {
    for (int i = 0; i < vocab_size; i++)
        scores[i] /= (float)temperature;
}

/* Each id counts once, however often it was generated. */
static void RepetitionPenaltyLogitsProcessor_call(double repetition_penalty, const int32_t *generated,
                                                  size_t num_generated, float *scores, bool *seen) {
    float penalty = (float)repetition_penalty;
    for (size_t i = 0; i < num_generated; i++) {
        int32_t id = generated[i];
        if (!seen[id])
            scores[id] = scores[id] < 0 ? scores[id] * penalty : scores[id] / penalty;
        seen[id] = true;
    }
    for (size_t i = 0; i < num_generated; i++)
        seen[generated[i]] = false;
}

static int ascending(const void *a, const void *b) {
    const ScoredToken *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

/* Tokens that are not filtered out yet, the least likely first, equal ones by id. */
static int sort_tokens(const float *scores, int vocab_size, ScoredToken *sorted) {
    int count = 0;
    for (int32_t id = 0; id < vocab_size; id++)
        if (scores[id] > -INFINITY)
            sorted[count++] = (ScoredToken){scores[id], id};
    qsort(sorted, (size_t)count, sizeof *sorted, ascending);
    return count;
}

/* From the least likely token up, those are removed whose cumulated probability does not exceed 1 - top_p. Sums are
 * kept in FP64 and compared in FP32, as torch.cumsum does on a CPU. */
static void TopPLogitsWarper_call(double top_p, int min_tokens_to_keep, float *scores, int vocab_size,
                                  LogitsScratch *scratch) {
    int removable = sort_tokens(scores, vocab_size, scratch->sorted) - min_tokens_to_keep;
    double cumulative = 0;
    logits_softmax(scores, vocab_size, scratch->probs);
    for (int rank = 0; rank < removable; rank++) {
        int32_t id = scratch->sorted[rank].id;
        cumulative += (double)scratch->probs[id];
        if ((float)cumulative <= (float)(1 - top_p))
            scores[id] = -INFINITY;
    }
}

/* Scores equal to the last that is kept stay, too. */
static void TopKLogitsWarper_call(int top_k, int min_tokens_to_keep, float *scores, int vocab_size, int32_t *order) {
    int kept = top_k > min_tokens_to_keep ? top_k : min_tokens_to_keep;
    if (kept >= vocab_size)
        return;
    topk(scores, vocab_size, kept, order);
    float last = scores[order[kept - 1]];
    for (int i = 0; i < vocab_size; i++)
        if (scores[i] < last)
            scores[i] = -INFINITY;
}

static void MinPLogitsWarper_call(double min_p, int min_tokens_to_keep, float *scores, int vocab_size,
                                  LogitsScratch *scratch) {
    int kept = min_tokens_to_keep < vocab_size ? min_tokens_to_keep : vocab_size;
    topk(scores, vocab_size, kept, scratch->order);
    for (int i = 0; i < kept; i++)
        scratch->marked[scratch->order[i]] = true;
    logits_softmax(scores, vocab_size, scratch->probs);
    float scaled_min_p = (float)min_p * scratch->probs[scratch->order[0]];
    for (int i = 0; i < vocab_size; i++)
        if (scratch->probs[i] < scaled_min_p && !scratch->marked[i])
            scores[i] = -INFINITY;
    for (int i = 0; i < kept; i++)
        scratch->marked[scratch->order[i]] = false;
}

mcv_status logits_check(const float *scores, int vocab_size) {
    for (int i = 0; i < vocab_size; i++)
        if (scores[i] != scores[i] || scores[i] == INFINITY)
            return MCV_FAIL(MCV_BAD_INPUT, "the score of token %d is %g", i, (double)scores[i]);
    if (largest(scores, vocab_size) == -INFINITY)
        return MCV_FAIL(MCV_BAD_INPUT, "no token is left to choose from");
    return MCV_OK;
}

/* The filters of sampling. With beams, as many tokens stay as can end a sequence, and one more. */
static void filter(const GenerationConfig *config, float *scores, int vocab_size, LogitsScratch *scratch) {
    int end_tokens = config->num_eos_token_ids > 1 ? config->num_eos_token_ids : 1;
    int min_tokens_to_keep = config->num_beams > 1 ? end_tokens + 1 : 1;
    if (config->top_k != 0)
        TopKLogitsWarper_call(config->top_k, min_tokens_to_keep, scores, vocab_size, scratch->order);
    if (config->top_p < 1)
        TopPLogitsWarper_call(config->top_p, min_tokens_to_keep, scores, vocab_size, scratch);
    if (config->min_p > 0)
        MinPLogitsWarper_call(config->min_p, min_tokens_to_keep, scores, vocab_size, scratch);
}

mcv_status LogitsProcessorList_call(const GenerationConfig *config, const int32_t *generated, size_t num_generated,
                                    float *scores, int vocab_size, LogitsScratch *scratch) {
    MCV_TRY(logits_check(scores, vocab_size));
    if (config->repetition_penalty != 1)
        RepetitionPenaltyLogitsProcessor_call(config->repetition_penalty, generated, num_generated, scores,
                                              scratch->marked);
    MinNewTokensLengthLogitsProcessor_call(config, num_generated, scores, vocab_size);
    if (config->do_sample && config->temperature != 1)
        TemperatureLogitsWarper_call(config->temperature, scores, vocab_size);
    MCV_TRY(logits_check(scores, vocab_size));
    if (config->do_sample)
        filter(config, scores, vocab_size, scratch);
    return MCV_OK;
}
