/* Distances in units in the last place of FP32, and their distribution.
 *
 * The distance of two numbers is how many FP32 numbers one has to step over from one to the other: 0 for equal ones and
 * for 0 and -0, 1 for neighbours. */
#ifndef MCV_CLI_ULP_H
#define MCV_CLI_ULP_H

#include <stddef.h>
#include <stdint.h>

/* Neither may be a NaN. */
uint64_t mcv_ulp_distance(float a, float b);

/* Distances below MCV_ULP_EXACT have a bucket each; above, each power of two is cut into MCV_ULP_PARTS equal parts. */
enum { MCV_ULP_EXACT = 16, MCV_ULP_PARTS = 8, MCV_ULP_BUCKETS = MCV_ULP_EXACT + 29 * MCV_ULP_PARTS };

typedef struct mcv_ulp_histogram {
    uint64_t counts[MCV_ULP_BUCKETS];
    uint64_t total, largest; /* how many distances; the largest of them */
} mcv_ulp_histogram;

void mcv_ulp_add(mcv_ulp_histogram *histogram, uint64_t distance);

/* The least distance that falls into a bucket. */
uint64_t mcv_ulp_bucket_start(size_t bucket);

/* The distance that the share `quantile` (0 to 1) of all stays within: exact below MCV_ULP_EXACT, above that up to an
 * eighth too large, but never beyond the largest. 0 where there are none. */
uint64_t mcv_ulp_quantile(const mcv_ulp_histogram *histogram, double quantile);

#endif
