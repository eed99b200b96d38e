#include "simd/kernels/kernel_math.h"

void mcv_activate_contract(const mcv_activate_args *a) {
    for (size_t i = 0; i < a->count; i++)
        a->y[i] = mcv_activatef(a->activation, a->x[i]);
}
