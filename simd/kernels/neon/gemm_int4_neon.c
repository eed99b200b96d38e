#define GEMM_INT4 mcv_gemm_int4_neon
#include "simd/kernels/gemm_int4_neon.h"
