#include "simd/kernels/rope_lanes.h"

void mcv_rope_neon(const mcv_rope_args *a) {
    mcv_rope_lanes(a);
}
