/* What the CPU and its operating system offer. */
#ifndef MCV_SIMD_KERNELS_CPU_FEATURES_H
#define MCV_SIMD_KERNELS_CPU_FEATURES_H

#include "simd/kernels/kernel_table.h"

/* Whether a target's own instructions (not those of the targets that stand in for it) can be used. */
bool mcv_cpu_has(mcv_target target);

#endif
