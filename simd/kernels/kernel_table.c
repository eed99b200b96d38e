#include "simd/kernels/kernel_table.h"

#include <string.h>

#include "simd/kernels/cpu_features.h"

static const struct Target {
    const char *name, *needs;
    mcv_target stands_in;
} TARGETS[] = {
#define TARGET(name, stands_in, needs) {#name, needs, MCV_TARGET_##stands_in},
#include "simd/kernels/targets.def"
};

static const struct Kernel {
    const char *name;
    mcv_kernel_class check;
    mcv_kernel_fn contract;
} KERNELS[] = {
#define KERNEL(name, class, arguments) {#name, MCV_CLASS_##class, (mcv_kernel_fn)mcv_##name##_contract},
#include "simd/kernels/kernels.def"
};

/* One more than there are variants: the list may be empty. */
static const struct Variant {
    mcv_kernel kernel;
    mcv_target target;
    mcv_kernel_fn function;
} VARIANTS[] = {
#define VARIANT(name, target) {MCV_KERNEL_##name, MCV_TARGET_##target, (mcv_kernel_fn)mcv_##name##_##target},
#include "simd/kernels/kernels.def"
    {MCV_KERNEL_COUNT, MCV_TARGETS, NULL},
};

const char *mcv_target_name(mcv_target target) {
    return TARGETS[target].name;
}

const char *mcv_target_needs(mcv_target target) {
    return TARGETS[target].needs;
}

const char *mcv_kernel_name(mcv_kernel kernel) {
    return KERNELS[kernel].name;
}

mcv_kernel_class mcv_kernel_class_of(mcv_kernel kernel) {
    return KERNELS[kernel].check;
}

bool mcv_target_available(mcv_target target) {
    return target == MCV_TARGET_contract || (mcv_cpu_has(target) && mcv_target_available(TARGETS[target].stands_in));
}

mcv_kernel_fn mcv_kernel_variant(mcv_kernel kernel, mcv_target target) {
    if (target == MCV_TARGET_contract)
        return KERNELS[kernel].contract;
    for (const struct Variant *variant = VARIANTS; variant->function; variant++)
        if (variant->kernel == kernel && variant->target == target)
            return variant->function;
    return NULL;
}

mcv_target mcv_kernel_used(mcv_kernel kernel, mcv_target target) {
    while (!mcv_kernel_variant(kernel, target))
        target = TARGETS[target].stands_in;
    return target;
}

static mcv_status find_target(const char *name, mcv_target *target) {
    char names[128] = "";
    for (int i = MCV_TARGETS - 1; i >= 0; i--) {
        *target = (mcv_target)i;
        if (name && name[0] ? strcmp(TARGETS[i].name, name) == 0 : mcv_target_available(*target))
            return MCV_OK;
        strncat(strncat(names, " ", sizeof names - strlen(names) - 1), TARGETS[i].name,
                sizeof names - strlen(names) - 1);
    }
    return MCV_FAIL(MCV_USAGE, "no target is named \"%s\"; there are%s", name, names);
}

mcv_status mcv_kernels_select(const char *name, mcv_kernels *kernels) {
    mcv_target target;
    MCV_TRY(find_target(name, &target));
    if (!mcv_target_available(target))
        return MCV_FAIL(MCV_UNSUPPORTED, "target %s: this CPU does not have it (%s)", name, TARGETS[target].needs);
    kernels->target = TARGETS[target].name;
#define KERNEL(name, class, arguments)                                                                                 \
    kernels->name = (void (*)(const arguments *))mcv_kernel_variant(MCV_KERNEL_##name,                                 \
                                                                    mcv_kernel_used(MCV_KERNEL_##name, target));
#include "simd/kernels/kernels.def"
    return MCV_OK;
}
