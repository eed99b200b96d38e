#include "cli/logits_measure.h"

#include <math.h>
#include <string.h>

void mcv_logits_top(const float *logits, size_t size, int k, int32_t *top) {
    int found = 0;
    for (size_t id = 0; id < size; id++) {
        if (found == k && !(logits[id] > logits[top[k - 1]]))
            continue;
        int place = found < k ? found++ : k - 1;
        for (; place > 0 && logits[id] > logits[top[place - 1]]; place--)
            top[place] = top[place - 1];
        top[place] = (int32_t)id;
    }
}

/* log(sum of exp(logits)), without overflow. */
static double log_sum_exp(const float *logits, size_t size) {
    float greatest = -INFINITY;
    double sum = 0;
    for (size_t i = 0; i < size; i++)
        greatest = logits[i] > greatest ? logits[i] : greatest;
    for (size_t i = 0; i < size; i++)
        sum += exp((double)logits[i] - (double)greatest);
    return (double)greatest + log(sum);
}

double mcv_logits_log_probability(const float *logits, size_t size, int32_t id) {
    return (double)logits[id] - log_sum_exp(logits, size);
}

double mcv_logits_kl(const float *ours, const float *reference, size_t size) {
    double our_scale = log_sum_exp(ours, size), scale = log_sum_exp(reference, size), kl = 0;
    for (size_t i = 0; i < size; i++) {
        double log_p = (double)reference[i] - scale;
        kl += exp(log_p) * (log_p - ((double)ours[i] - our_scale));
    }
    return kl > 0 ? kl : 0; /* rounding can take it below */
}

static bool contains(const int32_t *list, int count, int32_t id) {
    for (int i = 0; i < count; i++)
        if (list[i] == id)
            return true;
    return false;
}

mcv_logits_measures mcv_logits_measure(const float *ours, const float *reference, size_t size, int k) {
    int32_t our_top[MCV_MOST_TOP], top[MCV_MOST_TOP], best[2];
    int common = 0;
    mcv_logits_measures m = {.equal = memcmp(ours, reference, size * sizeof *ours) == 0, .finite = true};
    for (size_t i = 0; i < size; i++) {
        m.finite &= isfinite(ours[i]) && isfinite(reference[i]);
        m.max_abs = fmax(m.max_abs, fabs((double)ours[i] - (double)reference[i]));
    }
    mcv_logits_top(ours, size, k, our_top);
    mcv_logits_top(reference, size, k, top);
    mcv_logits_top(reference, size, 2, best);
    for (int i = 0; i < k; i++)
        common += contains(our_top, k, top[i]);
    m.kl = mcv_logits_kl(ours, reference, size);
    m.top_k_overlap = (double)common / k;
    m.ours_best = our_top[0];
    m.reference_best = top[0];
    m.margin = (double)reference[best[0]] - (double)reference[best[1]];
    return m;
}
