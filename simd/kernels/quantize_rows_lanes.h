/* Activations to int8, MCV_LANES at a time. The largest absolute value is found among the bits, which have the order of
 * the numbers and show NaN and infinity too. No quotient is beyond +-127 after rounding: it is at most 127 (1 + 2^-23).
 */
#ifndef MCV_SIMD_KERNELS_QUANTIZE_ROWS_LANES_H
#define MCV_SIMD_KERNELS_QUANTIZE_ROWS_LANES_H

#include "simd/kernels/product_lanes.h"

#if defined(__AVX2__)

/* MCV_LANES values from `i` on, zeros behind the last. */
MCV_INLINE mcv_floats load_values(const float *x, size_t i, size_t count) {
    return count - i < MCV_LANES ? mcv_floats_load_part(x + i, count - i) : mcv_floats_load(x + i);
}

static float largest_size(const float *x, size_t count) {
    mcv_ints largest = mcv_ints_set(0);
    for (size_t i = 0; i < count; i += MCV_LANES) {
        mcv_ints bits = mcv_ints_from_bits(load_values(x, i, count));
        largest = mcv_ints_larger(largest, mcv_ints_and(bits, mcv_ints_set(0x7fffffff)));
    }
    int32_t bits = mcv_ints_largest(largest);
    float size;
    memcpy(&size, &bits, sizeof size);
    return size;
}

/* Writes q and gives its sum. */
static int32_t round_values(const float *x, size_t count, float inverse, int8_t *q) {
    mcv_ints sum = mcv_ints_set(0);
    for (size_t i = 0; i < count; i += MCV_LANES) {
        mcv_ints rounded = mcv_ints_round(mcv_floats_multiply(load_values(x, i, count), mcv_floats_set(inverse)));
        mcv_ints_store_bytes(q + i, rounded, count - i < MCV_LANES ? count - i : MCV_LANES);
        sum = mcv_ints_add(sum, rounded);
    }
    return mcv_ints_sum(sum);
}

/* sum: of each sum_group, the last may be short. */
static void quantize_group(const float *x, size_t count, size_t sum_group, int8_t *q, float *scale, int32_t *sum) {
    float largest = largest_size(x, count), inverse = 127.0f / largest;
    bool usable = isfinite(largest) && isfinite(inverse);
    *scale = !isfinite(largest) ? NAN : isfinite(inverse) ? largest / 127.0f : 0;
    for (size_t first = 0; first < count; first += sum_group) {
        size_t length = count - first < sum_group ? count - first : sum_group;
        if (usable)
            *sum++ = round_values(x + first, length, inverse, q + first);
        else
            *sum++ = 0;
    }
    if (!usable)
        memset(q, 0, count);
}

void QUANTIZE_ROWS(const mcv_quantize_rows_args *a) {
    size_t groups = a->group ? (a->k + a->group - 1) / a->group : 0;
    size_t sums = a->sum_group ? (a->k + a->sum_group - 1) / a->sum_group : 0;
    for (size_t m = 0; m < a->m; m++) {
        int8_t *q = a->q + m * a->ldq;
        for (size_t g = 0; g < groups; g++) {
            size_t first = g * a->group, count = a->k - first < a->group ? a->k - first : a->group;
            quantize_group(a->x + m * a->ldx + first, count, a->sum_group, q + first, &a->scale[m * groups + g],
                           &a->sum[m * sums + first / a->sum_group]);
        }
        if (a->ldq > a->k)
            memset(q + a->k, 0, a->ldq - a->k);
    }
}

#endif
#endif
