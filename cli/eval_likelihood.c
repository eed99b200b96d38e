#include "cli/eval_likelihood.h"

#include <math.h>
#include <stdio.h>

#include "cli/json_output.h"
#include "cli/logits_measure.h"

/* One item while it is scored. */
typedef struct scoring {
    const mcv_likelihood_options *options;
    size_t item;
    const int32_t *ids;
    int64_t tokens, flips, excused;
    double nll, kl, max_kl, max_abs;
} scoring;

/* "3.17": token 17 of item 3, as kept logits have it. */
static const char *row_name(const scoring *self, size_t index, char *name, size_t size) {
    snprintf(name, size, "%zu.%zu", self->item, index);
    return name;
}

static mcv_status compare(scoring *self, const char *name, const float *logits, size_t size) {
    mcv_saved_row saved;
    MCV_TRY(mcv_saved_logits_find(self->options->saved, name, 0, size, &saved));
    if (!saved.logits)
        return MCV_FAIL(MCV_USAGE, "a file of hashes has no distributions to compare with");
    mcv_logits_measures m = mcv_logits_measure(logits, saved.logits, size, 1);
    bool flipped = m.ours_best != m.reference_best;
    self->kl += m.kl;
    self->max_kl = fmax(self->max_kl, m.kl);
    self->max_abs = fmax(self->max_abs, m.max_abs);
    self->flips += flipped;
    self->excused += flipped && m.margin < self->options->margin;
    return MCV_OK;
}

static mcv_status see(void *context, size_t index, const float *logits, int vocab_size) {
    scoring *self = context;
    char name[48];
    row_name(self, index, name, sizeof name);
    double log_probability = mcv_logits_log_probability(logits, (size_t)vocab_size, self->ids[index]);
    if (!isfinite(log_probability))
        return MCV_FAIL(MCV_BAD_INPUT, "item %zu, token %zu: the logits are not finite", self->item, index);
    self->nll -= log_probability;
    self->tokens++;
    if (self->options->writer)
        MCV_TRY(mcv_logits_writer_add(self->options->writer, name, &MCV_TENSOR(MCV_F32, logits, 1, vocab_size), NULL));
    return self->options->saved ? compare(self, name, logits, (size_t)vocab_size) : MCV_OK;
}

mcv_status mcv_likelihood(const mcv_likelihood_options *options, size_t item, const mcv_conversation *conversation,
                          const mcv_prompt_options *prompt_options, const int32_t *ids, size_t count, json_t **result) {
    scoring self = {.options = options, .item = item, .ids = ids};
    *result = NULL;
    MCV_TRY(mcv_score(options->model, conversation, prompt_options, ids, count, see, &self));
    *result = json_pack("{s:I, s:f}", "tokens", (json_int_t)self.tokens, "nll", self.nll);
    if (!options->saved)
        return MCV_OK;
    mcv_json_set(result, "kl", json_real(self.kl));
    mcv_json_set(result, "max_kl", json_real(self.max_kl));
    mcv_json_set(result, "max_abs", json_real(self.max_abs));
    mcv_json_set(result, "flips", json_integer(self.flips));
    mcv_json_set(result, "excused", json_integer(self.excused));
    return MCV_OK;
}

static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

mcv_status mcv_likelihood_sum(const json_t *results, json_t **sum) {
    double tokens = 0, nll = 0, kl = 0, max_kl = 0, max_abs = 0, flips = 0, excused = 0;
    bool compared = false;
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *result = json_array_get(results, i);
        tokens += number(result, "tokens");
        nll += number(result, "nll");
        kl += number(result, "kl");
        flips += number(result, "flips");
        excused += number(result, "excused");
        max_kl = fmax(max_kl, number(result, "max_kl"));
        max_abs = fmax(max_abs, number(result, "max_abs"));
        compared |= json_object_get(result, "kl") != NULL;
    }
    *sum = NULL;
    if (tokens == 0)
        return MCV_FAIL(MCV_BAD_INPUT, "there is no token to be predicted");
    *sum = json_pack("{s:I, s:I, s:f, s:f}", "items", (json_int_t)json_array_size(results), "tokens",
                     (json_int_t)tokens, "nll", nll / tokens, "perplexity", exp(nll / tokens));
    if (!compared)
        return MCV_OK;
    mcv_json_set(sum, "kl", json_real(kl / tokens));
    mcv_json_set(sum, "max_kl", json_real(max_kl));
    mcv_json_set(sum, "max_abs", json_real(max_abs));
    mcv_json_set(sum, "top_1", json_real((tokens - flips) / tokens));
    mcv_json_set(sum, "flips", json_integer((json_int_t)flips));
    mcv_json_set(sum, "excused", json_integer((json_int_t)excused));
    return MCV_OK;
}
