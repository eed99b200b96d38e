/* An output of a resize, for the contracts of both directions. */
#ifndef MCV_SIMD_KERNELS_RESIZE_CONTRACT_H
#define MCV_SIMD_KERNELS_RESIZE_CONTRACT_H

#include "simd/kernels/kernels.h"

/* `count` samples of x, `step` bytes apart, times weights. */
static inline uint8_t mcv_resize_sample(const uint8_t *x, size_t step, const int32_t *weights, size_t count) {
    int32_t sum = 1 << (MCV_RESIZE_BITS - 1);
    for (size_t j = 0; j < count; j++)
        sum += x[j * step] * weights[j];
    sum = sum < 0 ? 0 : sum >> MCV_RESIZE_BITS;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

#endif
