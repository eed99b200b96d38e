/* Takes the place of cpu_this.c where kernels are emulated: a CPU that has everything. */
#include "simd/kernels/cpu_features.h"

const mcv_cpu *mcv_cpu_this(void) {
    static const mcv_cpu EVERYTHING = {"emulated", UINT32_MAX};
    return &EVERYTHING;
}
