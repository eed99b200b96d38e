#include "simd/kernels/add_lanes.h"

void mcv_add_neon(const mcv_multiply_args *a) {
    mcv_add_lanes(a);
}
