#define TILE_PANELS 2
#define TILE_ROWS 12
#define WEIGHT uint16_t
#define STEP 2
#define PAIRS_OF_BF16
#define LOAD_WEIGHTS(w, product) mcv_ints_load(w)
#define GEMM_FLOAT mcv_gemm_bf16_fast_avx512bf16
#include "simd/kernels/gemm_float_tiles.h"
