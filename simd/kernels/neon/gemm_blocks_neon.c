#define GEMM_BLOCKS mcv_gemm_blocks_neon
#include "simd/kernels/gemm_blocks_neon.h"
