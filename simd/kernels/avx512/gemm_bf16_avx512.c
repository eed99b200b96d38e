#define TILE_PANELS 2
#define TILE_ROWS 12
#define WEIGHT uint16_t
#define STEP 2
#define LOAD_WEIGHTS(weight, w) mcv_floats_load_bf16_pairs(weight, w)
#define GEMM_FLOAT mcv_gemm_bf16_avx512
#include "simd/kernels/gemm_float_tiles.h"
