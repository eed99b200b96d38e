#include <criterion/criterion.h>
#include <math.h>

#include "cli/measure.h"

static mcv_measures measure(const mcv_tensor *ours, const mcv_tensor *golden, const mcv_tensor *exact) {
    mcv_measurement *measurement;
    mcv_measures found;
    size_t count;
    cr_assert(mcv_tensor_count(golden, &count));
    cr_assert_eq(mcv_measurement_start(&measurement, ours, golden, exact), MCV_OK);
    mcv_measurement_add(measurement, 0, count / 2);
    mcv_measurement_add(measurement, count / 2, count);
    mcv_measurement_finish(measurement, &found);
    return found;
}

Test(measure, numbers) {
    float ours[4] = {1, 2, 0.5f, -8}, golden[4] = {1, 2.5f, 0, -10};
    double exact[4] = {1, 2.25, 0.25, -9};
    mcv_tensor a = MCV_TENSOR(MCV_F32, ours, 2, 2), b = MCV_TENSOR(MCV_F32, golden, 2, 2),
               c = MCV_TENSOR(MCV_F64, exact, 2, 2);
    mcv_measures m = measure(&a, &b, &c);
    cr_expect_eq(m.compared, 4);
    cr_expect_eq(m.max_abs, 2);
    cr_expect_eq(m.max_rel, 0.2, "0 in golden has no relative distance");
    cr_expect_float_eq(m.rel_l2, sqrt((0.25 + 0.25 + 4) / (1 + 6.25 + 100)), 1e-15);
    cr_expect_float_eq(m.cosine, (1 + 5 + 80) / sqrt((1 + 4 + 0.25 + 64) * (1 + 6.25 + 100)), 1e-15);
    cr_expect(m.has_exact);
    cr_expect_float_eq(m.exact_l2, sqrt(0.0625 + 0.0625 + 1), 1e-15);
    cr_expect_float_eq(m.golden_exact_rel_l2, sqrt(0.0625 + 0.0625 + 1) / sqrt(1 + 2.25 * 2.25 + 0.0625 + 81), 1e-15);
    cr_expect_eq(m.rounded_exact_l2, 0);
    cr_expect_eq(m.worst_exact.index, 3);
    cr_expect_eq(m.first_unequal.index, 1);
    cr_expect_eq(m.not_finite.index, SIZE_MAX);
    cr_expect_eq(m.ulps.total, 4);
    cr_expect_eq(m.ulps.counts[0], 1);
}

Test(measure, worst_elements_are_in_order) {
    enum { COUNT = 3000 };
    static float ours[COUNT], golden[COUNT];
    for (int i = 0; i < COUNT; i++)
        ours[i] = (float)((i * 7919) % COUNT); /* every number below COUNT once */
    mcv_tensor a = MCV_TENSOR(MCV_F32, ours, COUNT), b = MCV_TENSOR(MCV_F32, golden, COUNT);
    mcv_measures m = measure(&a, &b, NULL);
    cr_assert_eq(m.num_worst, MCV_WORST_ELEMENTS);
    for (int i = 0; i < MCV_WORST_ELEMENTS; i++) {
        cr_expect_eq(m.worst[i].ours, COUNT - 1 - i);
        cr_expect_eq(ours[m.worst[i].index], (float)(COUNT - 1 - i));
        cr_expect(isnan(m.worst[i].exact));
    }
    for (int i = 0; i < COUNT; i++)
        ours[i] = i >= 2990 ? 1 : 0;
    m = measure(&a, &b, NULL);
    cr_expect_eq(m.worst[0].index, 2990, "of equal distances the first is the worst");
    m = measure(&b, &b, NULL);
    cr_expect_eq(m.num_worst, 0);
    cr_expect_eq(m.rel_l2, 0);
    cr_expect_eq(m.cosine, 1);
}

Test(measure, what_is_not_finite) {
    float ours[3] = {1, NAN, INFINITY}, golden[3] = {1, 2, 3};
    mcv_tensor a = MCV_TENSOR(MCV_F32, ours, 3), b = MCV_TENSOR(MCV_F32, golden, 3);
    mcv_measures m = measure(&a, &b, NULL);
    cr_expect_eq(m.not_finite.index, 1);
    cr_expect_eq(m.ulps.total, 1);
    cr_expect_eq(m.max_abs, INFINITY);
    cr_expect(!(m.rel_l2 <= 1e30));
}

Test(measure, nothing) {
    mcv_measures m = mcv_measures_none();
    cr_expect(m.compared == 0 && isnan(m.max_abs) && isnan(m.rel_l2) && isnan(m.cosine) && !m.has_exact);
}
