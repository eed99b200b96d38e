#include "simd/kernels/resize_lanes.h"

void mcv_resize_width_neon(const mcv_resize_args *a) {
    mcv_resize_width_lanes(a);
}
