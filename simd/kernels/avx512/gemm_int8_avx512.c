#define TILE_PANELS 2
#define TILE_ROWS 10
#define GEMM_INT8 mcv_gemm_int8_avx512
#include "simd/kernels/gemm_int8_tiles.h"
