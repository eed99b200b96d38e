#include "simd/kernels/kernels.h"

void mcv_add_contract(const mcv_multiply_args *a) {
    for (size_t i = 0; i < a->count; i++)
        a->y[i] = a->a[i] + a->b[i];
}
