#define TILE_PANELS 2
#define TILE_ROWS 6
#define GEMM_INT4 mcv_gemm_int4_avx512vnni
#include "simd/kernels/gemm_int4_tiles.h"
