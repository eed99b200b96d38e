#include "simd/kernels/gemm_contract.h"

void mcv_gemm_bf16_contract(const mcv_gemm_args *a) {
    mcv_gemm_contract(a, mcv_same, mcv_bf16_weight);
}
