#include "simd/kernels/embed_rows_lanes.h"

void mcv_embed_rows_avx512(const mcv_embed_args *a) {
    mcv_embed_rows_lanes(a);
}
