#define GEMM_INT8 mcv_gemm_int8_dotprod
#include "simd/kernels/gemm_int8_neon.h"
