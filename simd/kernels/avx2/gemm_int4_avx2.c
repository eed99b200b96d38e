#define TILE_PANELS 1
#define TILE_ROWS 4
#define GEMM_INT4 mcv_gemm_int4_avx2
#include "simd/kernels/gemm_int4_tiles.h"
