#include "simd/kernels/kernel_math.h"

void mcv_silu_multiply_contract(const mcv_multiply_args *a) {
    for (size_t i = 0; i < a->count; i++)
        a->y[i] = mcv_siluf(a->a[i]) * a->b[i];
}
