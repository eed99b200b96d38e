#include "simd/kernels/attention_lanes.h"

void mcv_attention_avx512(const mcv_attention_args *a) {
    mcv_attention_lanes(a);
}
