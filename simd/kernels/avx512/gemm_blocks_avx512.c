#define TILE_PANELS 2
#define TILE_ROWS 6
#define GEMM_BLOCKS mcv_gemm_blocks_avx512
#include "simd/kernels/gemm_blocks_tiles.h"
