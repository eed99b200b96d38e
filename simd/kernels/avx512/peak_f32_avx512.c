#define CHAINS 12
#define PEAK_F32 mcv_peak_f32_avx512
#include "simd/kernels/peaks.h"

#include "simd/kernels/peak_f32_lanes.h"
