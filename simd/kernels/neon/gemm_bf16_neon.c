#define TILE_PANELS 1
#define TILE_ROWS 6
#define WEIGHT uint16_t
#define STEP 2
#define LOAD_WEIGHTS mcv_floats_load_bf16_of_pairs
#define GEMM_FLOAT mcv_gemm_bf16_neon
#include "simd/kernels/gemm_float_tiles.h"
