#include "simd/kernels/gemm_contract.h"

static float weight(const mcv_gemm_args *a, size_t n, size_t k) {
    const float *panel = (const float *)a->w + n / MCV_LANES * a->k * MCV_LANES;
    return panel[k * MCV_LANES + n % MCV_LANES];
}

void mcv_gemm_f32_contract(const mcv_gemm_args *a) {
    mcv_gemm_contract(a, mcv_same, weight);
}
