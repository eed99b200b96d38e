/* activate on the registers of lanes.h. */
#ifndef MCV_SIMD_KERNELS_ACTIVATE_LANES_H
#define MCV_SIMD_KERNELS_ACTIVATE_LANES_H

#include "simd/kernels/lanes.h"

/* One activation for all elements. */
#define MCV_ACTIVATE(activation)                                                                                       \
    for (size_t i = 0; i < a->count; i += MCV_LANES) {                                                                 \
        size_t count = mcv_step(a->count - i);                                                                         \
        mcv_floats_store_step(a->y + i, activation(mcv_floats_load_step(a->x + i, count)), count);                     \
    }

MCV_INLINE void mcv_activate_lanes(const mcv_activate_args *a) {
    switch (a->activation) {
    case MCV_SILU:
        MCV_ACTIVATE(mcv_floats_silu)
        break;
    case MCV_GELU:
        MCV_ACTIVATE(mcv_floats_gelu)
        break;
    case MCV_GELU_TANH:
        MCV_ACTIVATE(mcv_floats_gelu_tanh)
        break;
    default:
        MCV_ACTIVATE(mcv_floats_relu)
    }
}
#undef MCV_ACTIVATE

#endif
