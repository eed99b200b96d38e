#include "simd/kernels/resize_lanes.h"

void mcv_resize_width_avx2(const mcv_resize_args *a) {
    mcv_resize_width_lanes(a);
}
