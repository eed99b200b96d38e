/* What the contracts of matrix products share. */
#ifndef MCV_SIMD_KERNELS_GEMM_CONTRACT_H
#define MCV_SIMD_KERNELS_GEMM_CONTRACT_H

#include <math.h>

#include "core/tensor.h"
#include "simd/kernels/kernels.h"

/* The end of an output: bias, then what was there before. */
static inline void mcv_store_output(float total, const float *bias, size_t n, bool accumulate, float *y) {
    if (bias)
        total = total + bias[n];
    y[n] = accumulate ? y[n] + total : total;
}

/* A weight of those that lie in pairs of BF16. */
static inline float mcv_bf16_weight(const mcv_gemm_args *a, size_t n, size_t k) {
    size_t pairs = (a->k + 1) / 2;
    const uint16_t *panel = (const uint16_t *)a->w + n / MCV_LANES * pairs * MCV_LANES * 2;
    return mcv_f32_from_bf16(panel[(k / 2 * MCV_LANES + n % MCV_LANES) * 2 + k % 2]);
}

/* An input as it is, or rounded to BF16. */
static inline float mcv_same(float x) {
    return x;
}
static inline float mcv_rounded_to_bf16(float x) {
    return mcv_f32_from_bf16(mcv_bf16_from_f32(x));
}

/* A product of what input(x) makes of floats with weights that weight(a, n, k) reads. */
static inline void mcv_gemm_contract(const mcv_gemm_args *a, float (*input)(float x),
                                     float (*weight)(const mcv_gemm_args *a, size_t n, size_t k)) {
    for (size_t m = 0; m < a->m; m++)
        for (size_t n = 0; n < a->n; n++) {
            const float *x = a->x + m * a->ldx;
            float total = 0;
            for (size_t first = 0; first < a->k; first += MCV_K_BLOCK) {
                size_t end = a->k - first < MCV_K_BLOCK ? a->k : first + MCV_K_BLOCK;
                float chain = 0;
                for (size_t k = first; k < end; k++)
                    chain = fmaf(input(x[k]), weight(a, n, k), chain);
                total = total + chain;
            }
            mcv_store_output(total, a->bias, n, a->accumulate, a->y + m * a->ldy);
        }
}

#endif
