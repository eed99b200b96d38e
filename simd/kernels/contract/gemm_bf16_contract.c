#include "core/tensor.h"
#include "simd/kernels/gemm_contract.h"

static float weight(const mcv_gemm_args *a, size_t n, size_t k) {
    size_t pairs = (a->k + 1) / 2;
    const uint16_t *panel = (const uint16_t *)a->w + n / MCV_LANES * pairs * MCV_LANES * 2;
    return mcv_f32_from_bf16(panel[(k / 2 * MCV_LANES + n % MCV_LANES) * 2 + k % 2]);
}

void mcv_gemm_bf16_contract(const mcv_gemm_args *a) {
    mcv_gemm_contract(a, weight);
}
