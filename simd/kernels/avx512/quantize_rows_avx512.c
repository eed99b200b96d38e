#define QUANTIZE_ROWS mcv_quantize_rows_avx512
#include "simd/kernels/quantize_rows_lanes.h"
