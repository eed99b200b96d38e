#include "simd/kernels/kernel_table.h"

#include <stdio.h>
#include <string.h>

static const struct Target {
    const char *name;
    uint32_t needs;
    mcv_target stands_in;
} TARGETS[] = {
#define NEEDS(feature) (uint32_t)1 << MCV_FEATURE_##feature
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

const char *mcv_kernel_name(mcv_kernel kernel) {
    return KERNELS[kernel].name;
}

mcv_kernel_class mcv_kernel_class_of(mcv_kernel kernel) {
    return KERNELS[kernel].check;
}

uint32_t mcv_target_lacks(mcv_target target, const mcv_cpu *cpu) {
    uint32_t lacks = 0, of_cpu = 0;
    for (; target != MCV_TARGET_contract; target = TARGETS[target].stands_in)
        lacks |= TARGETS[target].needs & ~cpu->features;
    for (int i = 0; i < MCV_FEATURES; i++)
        if (!mcv_feature_is_of_system((mcv_feature)i))
            of_cpu |= lacks & (uint32_t)1 << i;
    return of_cpu ? of_cpu : lacks;
}

bool mcv_target_available(mcv_target target) {
    return mcv_target_lacks(target, mcv_cpu_this()) == 0;
}

mcv_target mcv_target_stand_in(mcv_target target) {
    return TARGETS[target].stands_in;
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

static mcv_status refuse_name(const char *name) {
    char names[128] = "";
    size_t length = 0;
    for (int i = 0; i < MCV_TARGETS && length < sizeof names; i++)
        length += (size_t)snprintf(names + length, sizeof names - length, " %s", TARGETS[i].name);
    return MCV_FAIL(MCV_USAGE, "target %s: there is none of this name, only%s", name, names);
}

static mcv_status refuse_target(mcv_target target, const mcv_cpu *cpu) {
    char words[512] = "";
    uint32_t lacks = mcv_target_lacks(target, cpu);
    size_t length = 0;
    for (int i = 0; i < MCV_FEATURES && length < sizeof words; i++)
        if (lacks >> i & 1)
            length += (size_t)snprintf(words + length, sizeof words - length, "%s%s", length ? ", " : "",
                                       mcv_feature_words((mcv_feature)i));
    return MCV_FAIL(MCV_UNSUPPORTED, "target %s: this machine (%s) lacks %s", TARGETS[target].name, cpu->name, words);
}

mcv_status mcv_target_find(const char *name, const mcv_cpu *cpu, mcv_target *target) {
    for (int i = MCV_TARGETS - 1; i >= 0; i--) {
        *target = (mcv_target)i;
        if (name && name[0]) {
            if (strcmp(TARGETS[i].name, name) == 0)
                return mcv_target_lacks(*target, cpu) == 0 ? MCV_OK : refuse_target(*target, cpu);
        } else if (mcv_target_lacks(*target, cpu) == 0)
            return MCV_OK;
    }
    return refuse_name(name);
}

mcv_status mcv_kernels_select(const char *name, mcv_kernels *kernels) {
    mcv_target target;
    MCV_TRY(mcv_target_find(name, mcv_cpu_this(), &target));
    kernels->target = TARGETS[target].name;
#define KERNEL(name, class, arguments)                                                                                 \
    kernels->name = (void (*)(const arguments *))mcv_kernel_variant(MCV_KERNEL_##name,                                 \
                                                                    mcv_kernel_used(MCV_KERNEL_##name, target));
#include "simd/kernels/kernels.def"
    return MCV_OK;
}
