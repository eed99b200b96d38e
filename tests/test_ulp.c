#include <criterion/criterion.h>
#include <float.h>
#include <math.h>

#include "cli/ulp.h"

Test(ulp, distances) {
    const struct {
        float a, b;
        uint64_t distance;
    } pairs[] = {
        {1, 1, 0},
        {0, -0.0f, 0},
        {1, nextafterf(1, 2), 1},
        {1, nextafterf(1, 0), 1},
        {2, nextafterf(nextafterf(2, 0), 0), 2},
        {0, FLT_TRUE_MIN, 1},
        {-FLT_TRUE_MIN, FLT_TRUE_MIN, 2},
        {1, 2, 1 << 23},
        {FLT_MAX, INFINITY, 1},
        {-FLT_MAX, FLT_MAX, 2 * (uint64_t)0x7f7fffff},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        cr_expect_eq(mcv_ulp_distance(pairs[i].a, pairs[i].b), pairs[i].distance, "%g, %g", (double)pairs[i].a,
                     (double)pairs[i].b);
        cr_expect_eq(mcv_ulp_distance(pairs[i].b, pairs[i].a), pairs[i].distance);
    }
}

/* Every distance lies between the start of its bucket and that of the next. */
Test(ulp, buckets_follow_each_other) {
    for (size_t bucket = 0; bucket < MCV_ULP_BUCKETS; bucket++) {
        uint64_t start = mcv_ulp_bucket_start(bucket), end = mcv_ulp_bucket_start(bucket + 1);
        cr_assert_lt(start, end);
        const uint64_t inside[] = {start, (start + end) / 2, end - 1};
        for (int i = 0; i < 3; i++) {
            mcv_ulp_histogram histogram = {0};
            mcv_ulp_add(&histogram, inside[i]);
            cr_expect_eq(histogram.counts[bucket], 1, "distance %llu", (unsigned long long)inside[i]);
        }
    }
    cr_expect_gt(mcv_ulp_bucket_start(MCV_ULP_BUCKETS), (uint64_t)UINT32_MAX);
}

Test(ulp, quantiles) {
    mcv_ulp_histogram histogram = {0};
    cr_expect_eq(mcv_ulp_quantile(&histogram, 0.5), 0);
    for (uint64_t distance = 0; distance < 10; distance++)
        mcv_ulp_add(&histogram, distance);
    cr_expect_eq(mcv_ulp_quantile(&histogram, 0.1), 0);
    cr_expect_eq(mcv_ulp_quantile(&histogram, 0.5), 4);
    cr_expect_eq(mcv_ulp_quantile(&histogram, 1), 9);
    mcv_ulp_add(&histogram, 1000);
    cr_expect_eq(mcv_ulp_quantile(&histogram, 1), 1000, "never beyond the largest");
    cr_expect_eq(histogram.largest, 1000);
    cr_expect_eq(histogram.total, 11);
}
