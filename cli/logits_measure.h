/* Logits: the most probable tokens, and how far two rows of logits are apart as distributions. */
#ifndef MCV_CLI_LOGITS_MEASURE_H
#define MCV_CLI_LOGITS_MEASURE_H

#include "core/memory.h"

enum { MCV_MOST_TOP = 64 };

/* top: [k] token ids, the most probable first; of equal logits the lower id. k is at most size. */
void mcv_logits_top(const float *logits, size_t size, int k, int32_t *top);

/* log of the probability of token `id`. */
double mcv_logits_log_probability(const float *logits, size_t size, int32_t id);

/* KL divergence of distribution `ours` from `reference`, in nats: sum of p_reference * log(p_reference / p_ours).
 * Kullback and Leibler, "On information and sufficiency", 1951. */
double mcv_logits_kl(const float *ours, const float *reference, size_t size);

typedef struct mcv_logits_measures {
    bool equal, finite;   /* all bits the same; all of both finite */
    double max_abs, kl;   /* the largest |ours - reference|; see mcv_logits_kl */
    double top_k_overlap; /* the share of the reference's k best that is among our k best */
    int32_t ours_best, reference_best;
    double margin; /* by how much the reference's best leads its second */
} mcv_logits_measures;

/* size is 2 at least, k at most MCV_MOST_TOP and at most size. */
mcv_logits_measures mcv_logits_measure(const float *ours, const float *reference, size_t size, int k);

#endif
