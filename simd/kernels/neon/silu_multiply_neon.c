#include "simd/kernels/silu_multiply_lanes.h"

void mcv_silu_multiply_neon(const mcv_multiply_args *a) {
    mcv_silu_multiply_lanes(a);
}
