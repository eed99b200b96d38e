#include "simd/kernels/resize_lanes.h"

void mcv_resize_height_avx512(const mcv_resize_args *a) {
    mcv_resize_height_lanes(a);
}
