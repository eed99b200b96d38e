#include "simd/kernels/unfold_lanes.h"

void mcv_unfold_neon(const mcv_unfold_args *a) {
    mcv_unfold_lanes(a);
}
