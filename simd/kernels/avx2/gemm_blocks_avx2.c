#define TILE_PANELS 1
#define TILE_ROWS 4
#define GEMM_BLOCKS mcv_gemm_blocks_avx2
#include "simd/kernels/gemm_blocks_tiles.h"
