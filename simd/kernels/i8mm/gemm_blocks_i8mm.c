#define GEMM_BLOCKS mcv_gemm_blocks_i8mm
#include "simd/kernels/gemm_blocks_neon.h"
