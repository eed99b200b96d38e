#define TILE_PANELS 1
#define TILE_ROWS 4
#define GEMM_INT8 mcv_gemm_int8_avx2
#include "simd/kernels/gemm_int8_tiles.h"
