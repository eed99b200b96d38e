#include <math.h>

#include "simd/kernels/kernels.h"

void mcv_fma_chains_contract(const mcv_fma_chains_args *a) {
    for (size_t i = 0; i < MCV_CHAINS * MCV_LANES; i++)
        for (size_t n = 0; n < a->count; n++)
            a->y[i] = fmaf(a->y[i], a->a, a->b);
}
