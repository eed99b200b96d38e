#define CHAINS 12
#define PEAK_INT8 mcv_peak_int8_avx512
#include "simd/kernels/peaks.h"

#include "simd/kernels/peak_int8_lanes.h"
