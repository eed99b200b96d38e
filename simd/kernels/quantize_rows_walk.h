/* Activations to int8, group by group. Included behind what an instruction set has for it:
 *
 *     float largest_size(x, count): the largest |x|; infinite or NaN where an x is
 *     int32_t round_values(x, count, inverse, q): writes q, x * inverse to nearest, ties to even, and gives its sum
 *
 * and behind the name of the kernel, QUANTIZE_ROWS. No quotient is beyond +-127 after rounding: it is at most
 * 127 (1 + 2^-23). */
#ifndef MCV_SIMD_KERNELS_QUANTIZE_ROWS_WALK_H
#define MCV_SIMD_KERNELS_QUANTIZE_ROWS_WALK_H

#include "simd/kernels/lanes.h"

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
    size_t groups = mcv_groups(a->k, a->group);
    size_t sums = mcv_groups(a->k, a->sum_group);
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
