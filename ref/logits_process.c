#include "ref/logits_process.h"

#include <math.h>
#include <string.h>

#include "ref/nn.h"

mcv_status LogitsScratch_create(LogitsScratch *scratch, int vocab_size) {
    *scratch = (LogitsScratch){0};
    mcv_status status = MCV_NEW(&scratch->probs, (size_t)vocab_size);
    if (status == MCV_OK)
        status = MCV_NEW(&scratch->order, (size_t)vocab_size);
    if (status == MCV_OK)
        status = MCV_NEW(&scratch->seen, (size_t)vocab_size);
    if (status != MCV_OK)
        LogitsScratch_free(scratch);
    return status;
}

void LogitsScratch_free(LogitsScratch *scratch) {
    free(scratch->probs);
    free(scratch->order);
    free(scratch->seen);
    *scratch = (LogitsScratch){0};
}

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

/* Each id counts once, however often it was generated. */
static void RepetitionPenaltyLogitsProcessor(double repetition_penalty, const int32_t *generated, size_t num_generated,
                                             float *scores, bool *seen) {
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

static void MinNewTokensLengthLogitsProcessor(const GenerationConfig *config, size_t num_generated, float *scores,
                                              int vocab_size) {
    if (num_generated >= (size_t)config->min_new_tokens)
        return;
    for (int i = 0; i < config->num_eos_token_ids; i++)
        if (config->eos_token_ids[i] < vocab_size)
            scores[config->eos_token_ids[i]] = -INFINITY;
}

static void TemperatureLogitsWarper(double temperature, float *scores, int vocab_size) {
    for (int i = 0; i < vocab_size; i++)
        scores[i] /= (float)temperature;
}

typedef struct Ranked {
    float score;
    int32_t index;
} Ranked;

/* Descending, equal scores by index. */
static int by_score(const void *a, const void *b) {
    const Ranked *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return x->index < y->index ? -1 : 1;
}

/* order: the indices of scores from the largest down. */
static mcv_status sort_descending(const float *scores, int count, int32_t *order) {
    Ranked *ranked;
    MCV_TRY(MCV_NEW(&ranked, (size_t)count));
    for (int i = 0; i < count; i++)
        ranked[i] = (Ranked){scores[i], i};
    qsort(ranked, (size_t)count, sizeof *ranked, by_score);
    for (int i = 0; i < count; i++)
        order[i] = ranked[i].index;
    free(ranked);
    return MCV_OK;
}

/* Scores equal to the last kept one stay, too. order: see sort_descending. */
static void TopKLogitsWarper(int top_k, float *scores, int vocab_size, const int32_t *order) {
    float last = scores[order[(top_k < vocab_size ? top_k : vocab_size) - 1]];
    for (int i = 0; i < vocab_size; i++)
        if (scores[i] < last)
            scores[i] = -INFINITY;
}

/* From the least likely token up, those are removed whose cumulated probability does not exceed 1 - top_p. Sums are
 * kept in FP64 and compared in FP32, as torch.cumsum does on a CPU. */
static void TopPLogitsWarper(double top_p, int min_tokens_to_keep, float *scores, int vocab_size, const int32_t *order,
                             float *probs) {
    double cumulative = 0;
    logits_softmax(scores, vocab_size, probs);
    for (int rank = vocab_size - 1; rank >= min_tokens_to_keep; rank--) {
        cumulative += (double)probs[order[rank]];
        if ((float)cumulative <= (float)(1 - top_p))
            scores[order[rank]] = -INFINITY;
    }
}

static void MinPLogitsWarper(double min_p, int min_tokens_to_keep, float *scores, int vocab_size, const int32_t *order,
                             float *probs) {
    logits_softmax(scores, vocab_size, probs);
    float threshold = (float)min_p * probs[order[0]];
    for (int rank = min_tokens_to_keep; rank < vocab_size; rank++)
        if (probs[order[rank]] < threshold)
            scores[order[rank]] = -INFINITY;
}

/* The processors that go with sampling. With beams, as many tokens stay as can end a sequence, and one more. */
static mcv_status warp(const GenerationConfig *config, float *scores, int vocab_size, LogitsScratch *scratch) {
    int min_tokens_to_keep = config->num_beams > 1 ? config->num_eos_token_ids + 1 : 1;
    if (config->temperature != 1)
        TemperatureLogitsWarper(config->temperature, scores, vocab_size);
    if (config->top_k == 0 && config->top_p >= 1 && config->min_p == 0)
        return MCV_OK;
    MCV_TRY(sort_descending(scores, vocab_size, scratch->order));
    if (config->top_k != 0)
        TopKLogitsWarper(config->top_k > min_tokens_to_keep ? config->top_k : min_tokens_to_keep, scores, vocab_size,
                         scratch->order);
    if (config->top_p < 1)
        TopPLogitsWarper(config->top_p, min_tokens_to_keep, scores, vocab_size, scratch->order, scratch->probs);
    if (config->min_p > 0)
        MinPLogitsWarper(config->min_p, min_tokens_to_keep, scores, vocab_size, scratch->order, scratch->probs);
    return MCV_OK;
}

mcv_status logits_check(const float *scores, int vocab_size) {
    for (int i = 0; i < vocab_size; i++)
        if (scores[i] != scores[i] || scores[i] == INFINITY)
            return MCV_FAIL(MCV_BAD_INPUT, "the model's score of token %d is %g", i, (double)scores[i]);
    if (largest(scores, vocab_size) == -INFINITY)
        return MCV_FAIL(MCV_BAD_INPUT, "no token is left to choose from");
    return MCV_OK;
}

mcv_status LogitsProcessorList_call(const GenerationConfig *config, const int32_t *generated, size_t num_generated,
                                    float *scores, int vocab_size, LogitsScratch *scratch) {
    MCV_TRY(logits_check(scores, vocab_size));
    if (config->repetition_penalty != 1)
        RepetitionPenaltyLogitsProcessor(config->repetition_penalty, generated, num_generated, scores, scratch->seen);
    MinNewTokensLengthLogitsProcessor(config, num_generated, scores, vocab_size);
    MCV_TRY(logits_check(scores, vocab_size));
    return config->do_sample ? warp(config, scores, vocab_size, scratch) : MCV_OK;
}
