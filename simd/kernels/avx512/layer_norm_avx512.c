#include "simd/kernels/layer_norm_lanes.h"

void mcv_layer_norm_avx512(const mcv_norm_args *a) {
    mcv_layer_norm_lanes(a);
}
