/* How probable a model finds given ids, and how far its distributions are from those of another run. */
#ifndef MCV_CLI_EVAL_LIKELIHOOD_H
#define MCV_CLI_EVAL_LIKELIHOOD_H

#include <jansson.h>

#include "cli/saved_logits.h"
#include "core/memory.h"

/* What an evaluation of probabilities goes by. */
typedef struct mcv_likelihood_options {
    mcv_model *model;
    mcv_logits_writer *writer; /* keeps the logits; NULL: nobody does */
    mcv_saved_logits *saved;   /* of another run; NULL: none */
    double margin;             /* another best token than that run's is excused where its lead is smaller */
} mcv_likelihood_options;

/* Scores ids behind a conversation (NULL: alone, from the second on). `item` numbers them for kept logits.
 * *result: {"tokens": how many, "nll": sum of -log(probability)} and, against another run, "kl" (sum, in nats),
 * "max_kl", "max_abs", "flips" and "excused". MCV_DIFFERS: that run lacks a row. */
mcv_status mcv_likelihood(const mcv_likelihood_options *options, size_t item, const mcv_conversation *conversation,
                          const mcv_prompt_options *prompt_options, const int32_t *ids, size_t count, json_t **result);

/* Sums up results: {"items", "tokens", "nll": a token, "perplexity"} and "kl" (a token), "max_kl", "max_abs", "top_1"
 * (the share of equal best tokens), "flips", "excused". MCV_BAD_INPUT: no tokens. */
mcv_status mcv_likelihood_sum(const json_t *results, json_t **sum);

#endif
