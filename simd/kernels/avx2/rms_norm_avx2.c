#include "simd/kernels/rms_norm_lanes.h"

void mcv_rms_norm_avx2(const mcv_norm_args *a) {
    mcv_rms_norm_lanes(a);
}
