#include "simd/kernels/softmax_lanes.h"

void mcv_softmax_avx2(const mcv_softmax_args *a) {
    mcv_softmax_lanes(a);
}
