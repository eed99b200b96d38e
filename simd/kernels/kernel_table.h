/* Which variant of each kernel runs on this CPU. */
#ifndef MCV_SIMD_KERNELS_KERNEL_TABLE_H
#define MCV_SIMD_KERNELS_KERNEL_TABLE_H

#include "core/status.h"
#include "simd/kernels/kernels.h"

typedef enum mcv_target {
#define TARGET(name, stands_in, needs) MCV_TARGET_##name,
#include "simd/kernels/targets.def"
    MCV_TARGETS
} mcv_target;

typedef enum mcv_kernel {
#define KERNEL(name, class, arguments) MCV_KERNEL_##name,
#include "simd/kernels/kernels.def"
    MCV_KERNEL_COUNT
} mcv_kernel;

typedef void (*mcv_kernel_fn)(void); /* to be cast to the kernel's own type */

const char *mcv_target_name(mcv_target target);
const char *mcv_target_needs(mcv_target target);
const char *mcv_kernel_name(mcv_kernel kernel);
mcv_kernel_class mcv_kernel_class_of(mcv_kernel kernel);

/* Whether this CPU (and its operating system, which has to allow AMX) runs a target. */
bool mcv_target_available(mcv_target target);

/* The variant of a kernel for exactly this target; NULL: there is none. */
mcv_kernel_fn mcv_kernel_variant(mcv_kernel kernel, mcv_target target);

/* The target whose variant of `kernel` stands in for `target`: itself or another. */
mcv_target mcv_kernel_used(mcv_kernel kernel, mcv_target target);

/* Fills the table for a target by name; NULL or "": the best that this CPU runs. MCV_USAGE: no such name.
 * MCV_UNSUPPORTED: this CPU does not have it. */
mcv_status mcv_kernels_select(const char *name, mcv_kernels *kernels);

#endif
