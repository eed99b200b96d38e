#include "simd/kernels/fma_chains_lanes.h"

void mcv_fma_chains_avx512(const mcv_fma_chains_args *a) {
    mcv_fma_chains_lanes(a);
}
