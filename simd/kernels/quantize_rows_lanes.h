/* Activations to int8, MCV_LANES at a time. The largest absolute value is found among the bits, which have the order of
 * the numbers and show NaN and infinity too. */
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

static int32_t round_values(const float *x, size_t count, float inverse, int8_t *q) {
    mcv_ints sum = mcv_ints_set(0);
    for (size_t i = 0; i < count; i += MCV_LANES) {
        mcv_ints rounded = mcv_ints_round(mcv_floats_multiply(load_values(x, i, count), mcv_floats_set(inverse)));
        mcv_ints_store_bytes(q + i, rounded, count - i < MCV_LANES ? count - i : MCV_LANES);
        sum = mcv_ints_add(sum, rounded);
    }
    return mcv_ints_sum(sum);
}

#include "simd/kernels/quantize_rows_walk.h"

#endif
#endif
