#include "ref/generation.h"

#include <math.h>
#include <string.h>

#include "core/random.h"
#include "ref/beam_search.h"
#include "ref/logits_process.h"
#include "ref/stopping_criteria.h"

GenerationConfig GenerationConfig_default(void) {
    return (GenerationConfig){.max_new_tokens = 20,
                              .num_beams = 1,
                              .temperature = 1,
                              .top_k = 50,
                              .top_p = 1,
                              .repetition_penalty = 1,
                              .length_penalty = 1};
}

/* HF: GenerationConfig.validate, and what the logits processors demand. */
static mcv_status validate(const GenerationConfig *config) {
    if (config->max_new_tokens < 1)
        return MCV_FAIL(MCV_USAGE, "max_new_tokens is %d; at least 1 expected", config->max_new_tokens);
    if (config->min_new_tokens < 0)
        return MCV_FAIL(MCV_USAGE, "min_new_tokens is %d; at least 0 expected", config->min_new_tokens);
    if (config->num_beams < 1)
        return MCV_FAIL(MCV_USAGE, "num_beams is %d; at least 1 expected", config->num_beams);
    if (!(config->repetition_penalty > 0) || isinf(config->repetition_penalty))
        return MCV_FAIL(MCV_USAGE, "repetition_penalty is %g; a number above 0 expected", config->repetition_penalty);
    if (!(config->temperature > 0) || isinf(config->temperature))
        return MCV_FAIL(MCV_USAGE, "temperature is %g; a number above 0 expected", config->temperature);
    if (config->top_k < 0)
        return MCV_FAIL(MCV_USAGE, "top_k is %d; at least 0 expected", config->top_k);
    if (!(config->top_p >= 0 && config->top_p <= 1))
        return MCV_FAIL(MCV_USAGE, "top_p is %g; a number in [0, 1] expected", config->top_p);
    if (!(config->min_p >= 0 && config->min_p <= 1))
        return MCV_FAIL(MCV_USAGE, "min_p is %g; a number in [0, 1] expected", config->min_p);
    if (!isfinite(config->length_penalty))
        return MCV_FAIL(MCV_USAGE, "length_penalty is %g; a finite number expected", config->length_penalty);
    return MCV_OK;
}

static int32_t argmax(const float *scores, int count) {
    int32_t best = 0;
    for (int32_t i = 1; i < count; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}

/* The first index at which the cumulated probabilities exceed a uniform number. torch.multinomial draws from the same
 * distribution with another generator. */
static int32_t multinomial(const float *probs, int count, mcv_random *random) {
    double total = 0, cumulative = 0;
    for (int i = 0; i < count; i++)
        total += (double)probs[i];
    double target = mcv_random_uniform(random) * total;
    int32_t last = 0;
    for (int32_t i = 0; i < count; i++) {
        cumulative += (double)probs[i];
        if (probs[i] > 0)
            last = i;
        if (cumulative > target)
            return i;
    }
    return last;
}

/* Greedy decoding and sampling. HF: GenerationMixin._sample. */
typedef struct Sample {
    const GenerationModel *model;
    const GenerationConfig *config;
    int batch_size;
    float *logits;      /* [batch_size, vocab_size] */
    int32_t *ids;       /* [batch_size]: the newest */
    bool *finished;     /* [batch_size] */
    mcv_random *random; /* [batch_size]: each row draws from a sequence of its own */
    LogitsScratch scratch;
    GenerationStream stream;
    void *stream_context;
    TokenIds *sequences;
} Sample;

static mcv_status choose(Sample *self, int row) {
    int vocab = self->model->vocab_size;
    float *scores = self->logits + (size_t)row * (size_t)vocab;
    TokenIds *sequence = &self->sequences[row];
    MCV_TRY(LogitsProcessorList_call(self->config, sequence->data, sequence->count, scores, vocab, &self->scratch));
    if (self->config->do_sample) {
        logits_softmax(scores, vocab, self->scratch.probs);
        self->ids[row] = multinomial(self->scratch.probs, vocab, &self->random[row]);
    } else {
        self->ids[row] = argmax(scores, vocab);
    }
    MCV_TRY(TokenIds_append(sequence, self->ids[row]));
    self->finished[row] = stopping_criteria(self->config, self->ids[row], sequence->count);
    return self->stream ? self->stream(self->stream_context, row, &self->ids[row], 1) : MCV_OK;
}

static mcv_status sample_loop(Sample *self) {
    for (;;) {
        bool open = false;
        for (int row = 0; row < self->batch_size; row++) {
            if (self->finished[row]) {
                self->ids[row] = self->config->pad_token_id;
                MCV_TRY(TokenIds_append(&self->sequences[row], self->ids[row]));
                continue;
            }
            MCV_TRY(choose(self, row));
            open = open || !self->finished[row];
        }
        if (!open)
            return MCV_OK;
        MCV_TRY(self->model->step(self->model->context, self->ids, self->batch_size, self->logits));
    }
}

static mcv_status sample_create(Sample *self, const float *prompt_logits) {
    size_t batch = (size_t)self->batch_size, count = batch * (size_t)self->model->vocab_size;
    MCV_TRY(LogitsScratch_create(&self->scratch, self->model->vocab_size));
    MCV_TRY(MCV_NEW(&self->logits, count));
    MCV_TRY(MCV_NEW(&self->ids, batch));
    MCV_TRY(MCV_NEW(&self->finished, batch));
    MCV_TRY(MCV_NEW(&self->random, batch));
    memcpy(self->logits, prompt_logits, count * sizeof *self->logits);
    for (size_t row = 0; row < batch; row++)
        self->random[row] = mcv_random_begin(self->config->seed, row);
    return MCV_OK;
}

static mcv_status sample(Sample *self, const float *prompt_logits) {
    mcv_status status = sample_create(self, prompt_logits);
    if (status == MCV_OK)
        status = sample_loop(self);
    LogitsScratch_free(&self->scratch);
    free(self->logits);
    free(self->ids);
    free(self->finished);
    free(self->random);
    return status;
}

mcv_status GenerationMixin_generate(const GenerationModel *model, const float *prompt_logits, int batch_size,
                                    const GenerationConfig *config, GenerationStream stream, void *stream_context,
                                    TokenIds *sequences) {
    MCV_TRY(validate(config));
    if (config->num_beams == 1) {
        Sample self = {.model = model,
                       .config = config,
                       .batch_size = batch_size,
                       .stream = stream,
                       .stream_context = stream_context,
                       .sequences = sequences};
        return sample(&self, prompt_logits);
    }
    MCV_TRY(beam_search(model, prompt_logits, batch_size, config, sequences));
    for (int row = 0; stream && row < batch_size; row++)
        MCV_TRY(stream(stream_context, row, sequences[row].data, (int)sequences[row].count));
    return MCV_OK;
}
