#define GEMM_NF4 mcv_gemm_nf4_i8mm
#include "simd/kernels/gemm_nf4_neon.h"
