#define TILE_PANELS 2
#define TILE_ROWS 12
#define GEMM_INT8 mcv_gemm_int8_avx512vnni
#include "simd/kernels/gemm_int8_tiles.h"
