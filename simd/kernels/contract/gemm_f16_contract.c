#include "simd/kernels/gemm_contract.h"

static float weight(const mcv_gemm_args *a, size_t n, size_t k) {
    const uint16_t *panel = (const uint16_t *)a->w + n / MCV_LANES * a->k * MCV_LANES;
    return mcv_f32_from_f16(panel[k * MCV_LANES + n % MCV_LANES]);
}

void mcv_gemm_f16_contract(const mcv_gemm_args *a) {
    mcv_gemm_contract(a, mcv_same, weight);
}
