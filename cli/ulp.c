#include "cli/ulp.h"

#include <math.h>
#include <string.h>

/* FP32 numbers in their order, as integers; 0 and -0 are one. */
static int64_t rank_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    int64_t magnitude = bits & 0x7fffffffu;
    return bits >> 31 ? -magnitude : magnitude;
}

uint64_t mcv_ulp_distance(float a, float b) {
    int64_t difference = rank_of(a) - rank_of(b);
    return (uint64_t)(difference < 0 ? -difference : difference);
}

/* log2 of MCV_ULP_EXACT and MCV_ULP_PARTS. */
enum { EXACT_BITS = 4, PART_BITS = 3 };

static size_t bucket_of(uint64_t distance) {
    if (distance < MCV_ULP_EXACT)
        return (size_t)distance;
    int exponent = 63 - __builtin_clzll(distance);
    size_t part = (size_t)(distance >> (exponent - PART_BITS)) - MCV_ULP_PARTS;
    return MCV_ULP_EXACT + (size_t)(exponent - EXACT_BITS) * MCV_ULP_PARTS + part;
}

uint64_t mcv_ulp_bucket_start(size_t bucket) {
    if (bucket < MCV_ULP_EXACT)
        return bucket;
    size_t beyond = bucket - MCV_ULP_EXACT, exponent = EXACT_BITS + beyond / MCV_ULP_PARTS;
    return (uint64_t)(MCV_ULP_PARTS + beyond % MCV_ULP_PARTS) << (exponent - PART_BITS);
}

void mcv_ulp_add(mcv_ulp_histogram *histogram, uint64_t distance) {
    histogram->counts[bucket_of(distance)]++;
    histogram->total++;
    if (distance > histogram->largest)
        histogram->largest = distance;
}

uint64_t mcv_ulp_quantile(const mcv_ulp_histogram *histogram, double quantile) {
    uint64_t wanted = (uint64_t)ceil(quantile * (double)histogram->total), seen = 0;
    for (size_t bucket = 0; bucket < MCV_ULP_BUCKETS && wanted > 0; bucket++) {
        seen += histogram->counts[bucket];
        if (seen < wanted)
            continue;
        uint64_t last = mcv_ulp_bucket_start(bucket + 1) - 1;
        return last < histogram->largest ? last : histogram->largest;
    }
    return 0;
}
