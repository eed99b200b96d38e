#define TILE_PANELS 2
#define TILE_ROWS 6
#define GEMM_NF4 mcv_gemm_nf4_avx512
#include "simd/kernels/gemm_nf4_tiles.h"
