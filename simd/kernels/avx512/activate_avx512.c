#include "simd/kernels/activate_lanes.h"

void mcv_activate_avx512(const mcv_activate_args *a) {
    mcv_activate_lanes(a);
}
