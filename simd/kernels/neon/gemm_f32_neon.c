#define TILE_PANELS 1
#define TILE_ROWS 6
#define WEIGHT float
#define STEP 1
#define LOAD_WEIGHTS(w, product) mcv_floats_load(w)
#define GEMM_FLOAT mcv_gemm_f32_neon
#include "simd/kernels/gemm_float_tiles.h"
