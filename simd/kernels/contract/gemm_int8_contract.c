#include "simd/kernels/gemm_contract.h"

void mcv_gemm_int8_contract(const mcv_gemm_int8_args *a) {
    size_t padded = (a->k + MCV_K_PADDING - 1) / MCV_K_PADDING * MCV_K_PADDING;
    for (size_t m = 0; m < a->m; m++)
        for (size_t n = 0; n < a->n; n++) {
            const int8_t *q = a->q + m * a->ldq, *w = a->w + n / MCV_LANES * padded * MCV_LANES + n % MCV_LANES * 4;
            int32_t dot = 0;
            for (size_t k = 0; k < a->k; k++)
                dot += q[k] * w[k / 4 * MCV_LANES * 4 + k % 4];
            mcv_store_output((float)dot * (a->scale[m] * a->w_scale[n]), a->bias, n, a->accumulate, a->y + m * a->ldy);
        }
}
