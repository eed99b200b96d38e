#define TILE_PANELS 1
#define TILE_ROWS 4
#define GEMM_NF4 mcv_gemm_nf4_avx2
#include "simd/kernels/gemm_nf4_tiles.h"
