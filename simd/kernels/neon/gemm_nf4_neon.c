#define GEMM_NF4 mcv_gemm_nf4_neon
#include "simd/kernels/gemm_nf4_neon.h"
