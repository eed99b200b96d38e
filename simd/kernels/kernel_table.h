/* Which variant of each kernel runs on this CPU. */
#ifndef MCV_SIMD_KERNELS_KERNEL_TABLE_H
#define MCV_SIMD_KERNELS_KERNEL_TABLE_H

#include "core/status.h"
#include "simd/kernels/cpu_features.h"
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
const char *mcv_kernel_name(mcv_kernel kernel);
mcv_kernel_class mcv_kernel_class_of(mcv_kernel kernel);

/* What a CPU lacks for a target, as bits by mcv_feature; 0: it runs the target. What the operating system withholds is
 * told only where the CPU has all the rest. */
uint32_t mcv_target_lacks(mcv_target target, const mcv_cpu *cpu);

/* Whether this CPU (and its operating system, which has to allow AMX) runs a target. */
bool mcv_target_available(mcv_target target);

/* The target that stands in for one; of the contract itself. */
mcv_target mcv_target_stand_in(mcv_target target);

/* The variant of a kernel for exactly this target; NULL: there is none. */
mcv_kernel_fn mcv_kernel_variant(mcv_kernel kernel, mcv_target target);

/* The target whose variant of `kernel` stands in for `target`: itself or another. */
mcv_target mcv_kernel_used(mcv_kernel kernel, mcv_target target);

/* Finds a target by name; NULL or "": the best that the CPU runs. MCV_USAGE: no such name. MCV_UNSUPPORTED: the CPU or
 * its operating system does not have it; the message says what is missing. */
mcv_status mcv_target_find(const char *name, const mcv_cpu *cpu, mcv_target *target);

/* Fills the table for a target of this CPU, with mcv_target_find's name and failures. */
mcv_status mcv_kernels_select(const char *name, mcv_kernels *kernels);

#endif
