#include "simd/kernels/gemm_contract.h"

void mcv_gemm_bf16_fast_contract(const mcv_gemm_args *a) {
    mcv_gemm_contract(a, mcv_rounded_to_bf16, mcv_bf16_weight);
}
