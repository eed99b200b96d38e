#define CHAINS 12
#define PEAK_BF16 mcv_peak_bf16_avx512bf16
#include "simd/kernels/peaks.h"

#include "simd/kernels/peak_bf16_lanes.h"
