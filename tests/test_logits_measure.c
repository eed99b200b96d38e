#include <criterion/criterion.h>
#include <math.h>

#include "cli/logits_measure.h"

Test(logits_measure, best_tokens) {
    const float logits[6] = {1, 5, 3, 5, -2, 4};
    const int32_t expected[6] = {1, 3, 5, 2, 0, 4};
    for (int k = 1; k <= 6; k++) {
        int32_t top[6];
        mcv_logits_top(logits, 6, k, top);
        for (int i = 0; i < k; i++)
            cr_expect_eq(top[i], expected[i], "of %d, place %d", k, i);
    }
}

/* Probabilities 1/2, 1/4, 1/4 and 1/4, 1/4, 1/2, whatever is added to the logits. */
Test(logits_measure, divergence) {
    const float reference[3] = {logf(2), 0, 0}, ours[3] = {1000, 1000, 1000 + logf(2)};
    cr_expect_float_eq(mcv_logits_log_probability(reference, 3, 0), log(0.5), 1e-7);
    cr_expect_float_eq(mcv_logits_log_probability(ours, 3, 0), log(0.25), 1e-4);
    cr_expect_float_eq(mcv_logits_kl(ours, reference, 3), 0.5 * log(2) - 0.25 * log(2), 1e-4);
    cr_expect_eq(mcv_logits_kl(reference, reference, 3), 0);
}

Test(logits_measure, measures) {
    const float reference[4] = {4, 3.5f, 1, 0}, ours[4] = {3.25f, 3.5f, 1, 2};
    mcv_logits_measures m = mcv_logits_measure(ours, reference, 4, 3);
    cr_expect(!m.equal && m.finite);
    cr_expect_eq(m.max_abs, 2);
    cr_expect_eq(m.margin, 0.5);
    cr_expect_eq(m.ours_best, 1);
    cr_expect_eq(m.reference_best, 0);
    cr_expect_float_eq(m.top_k_overlap, 2.0 / 3, 1e-15);
    cr_expect_gt(m.kl, 0);
    m = mcv_logits_measure(reference, reference, 4, 3);
    cr_expect(m.equal && m.max_abs == 0 && m.kl == 0 && m.top_k_overlap == 1);
    const float bad[4] = {1, NAN, 2, 3};
    cr_expect_not(mcv_logits_measure(bad, reference, 4, 3).finite);
    cr_expect_not(mcv_logits_measure(reference, bad, 4, 3).finite);
}
