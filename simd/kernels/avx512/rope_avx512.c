#include "simd/kernels/rope_lanes.h"

void mcv_rope_avx512(const mcv_rope_args *a) {
    mcv_rope_lanes(a);
}
