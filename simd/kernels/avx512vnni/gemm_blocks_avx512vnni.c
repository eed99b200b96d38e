#if defined(EMULATED_avx512vnni) /* compiles slowly */
#define TILE_PANELS 1
#define TILE_ROWS 2
#else
#define TILE_PANELS 2
#define TILE_ROWS 6
#endif
#define GEMM_BLOCKS mcv_gemm_blocks_avx512vnni
#include "simd/kernels/gemm_blocks_tiles.h"
