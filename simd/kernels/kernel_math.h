/* The functions that kernels share, one lane at a time: what exp, tanh and erf mean in a contract.
 *
 * Variants compute the same operations in the same order on all of their lanes. */
#ifndef MCV_SIMD_KERNELS_KERNEL_MATH_H
#define MCV_SIMD_KERNELS_KERNEL_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "simd/kernels/kernels.h"

#define MCV_INLINE static inline __attribute__((always_inline))

/* Adds up 16 partial sums: the upper half to the lower one, four times. */
static inline float mcv_tree_sum(const float partial[MCV_LANES]) {
    float sum[MCV_LANES];
    memcpy(sum, partial, sizeof sum);
    for (int half = MCV_LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            sum[i] = sum[i] + sum[i + half];
    return sum[0];
}

/* 2^n for n in [-126, 127]. */
static inline float mcv_power_of_two(int32_t n) {
    uint32_t bits = (uint32_t)(n + 127) << 23;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#define MCV_EXP_LARGEST 88.37f   /* above: infinite */
#define MCV_EXP_SMALLEST -87.33f /* below: 0 */
#define MCV_LOG2_E 1.44269504f
#define MCV_LN2_HIGH 0x1.62ep-1f /* ln 2 in two parts: n * high is exact */
#define MCV_LN2_LOW 0x1.0bfbe8p-15f

/* exp(x) within 2 ulp: x = n ln 2 + r, |r| <= ln 2 / 2, a polynomial in r, times 2^n. exp(0) is 1. The polynomials here
 * are fitted to the smallest relative error. */
static inline float mcv_expf(float x) {
    if (x != x)
        return x;
    if (x > MCV_EXP_LARGEST)
        return INFINITY;
    if (x < MCV_EXP_SMALLEST)
        return 0;
    float n = rintf(x * MCV_LOG2_E);
    float r = fmaf(n, -MCV_LN2_LOW, fmaf(n, -MCV_LN2_HIGH, x));
    float p = 0x1.6a4742p-10f;
    p = fmaf(p, r, 0x1.1239a2p-7f);
    p = fmaf(p, r, 0x1.5558b6p-5f);
    p = fmaf(p, r, 0x1.555492p-3f);
    p = fmaf(p, r, 0x1.fffffcp-2f);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    return p * mcv_power_of_two((int32_t)n);
}

/* x / (1 + exp(-x)). */
static inline float mcv_siluf(float x) {
    return x / (1.0f + mcv_expf(-x));
}

#define MCV_GELU_SCALE 0x1.988454p+0f /* 2 sqrt(2 / pi) */
#define MCV_GELU_CUBIC 0x1.6e4e26p-5f /* 0.044715 */

/* 0.5 x (1 + tanh(u)), u = sqrt(2 / pi) (x + 0.044715 x^3), which is x / (1 + exp(-2 u)). */
static inline float mcv_gelu_tanhf(float x) {
    float cubic = fmaf(MCV_GELU_CUBIC * x * x, x, x);
    return x / (1.0f + mcv_expf(-(MCV_GELU_SCALE * cubic)));
}

/* erf(x), |x| < 1: x plus x times a polynomial in x^2. Else 1 - exp(-q(|x|)) with a polynomial q, and the sign of x; 1
 * from 4 on. */
static inline float mcv_erff(float x) {
    float t = fabsf(x), s = x * x;
    if (t < 1.0f) {
        float p = 0x1.4771fcp-14f;
        p = fmaf(p, s, -0x1.a3515ep-11f);
        p = fmaf(p, s, 0x1.53f224p-8f);
        p = fmaf(p, s, -0x1.b7f71ap-6f);
        p = fmaf(p, s, 0x1.ce2ce6p-4f);
        p = fmaf(p, s, -0x1.81273ep-2f);
        p = fmaf(p, s, 0x1.06eba8p-3f);
        return fmaf(x, p, x);
    }
    if (t >= 4.0f)
        return copysignf(1.0f, x);
    float q = -0x1.852ca2p-13f;
    q = fmaf(q, t, 0x1.814cdap-9f);
    q = fmaf(q, t, -0x1.65424ap-6f);
    q = fmaf(q, t, 0x1.a60aa6p-4f);
    q = fmaf(q, t, 0x1.46c57ep-1f);
    q = fmaf(q, t, 0x1.2085b4p+0f);
    q = fmaf(q, t, 0x1.72e040p-12f);
    return copysignf(1.0f - mcv_expf(-q), x); /* a NaN stays one */
}

#define MCV_SQRT_HALF 0x1.6a09e6p-1f

/* 0.5 x (1 + erf(x / sqrt(2))). */
static inline float mcv_geluf(float x) {
    return 0.5f * x * (1.0f + mcv_erff(x * MCV_SQRT_HALF));
}

/* The activations by name; MCV_RELU keeps NaN. */
static inline float mcv_activatef(mcv_activation activation, float x) {
    switch (activation) {
    case MCV_SILU:
        return mcv_siluf(x);
    case MCV_GELU:
        return mcv_geluf(x);
    case MCV_GELU_TANH:
        return mcv_gelu_tanhf(x);
    default:
        return x <= 0 ? 0 : x;
    }
}

#endif
