/* minicpmv kernels: the CPU, the targets that it runs, and which variant of each kernel the fast engine takes. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/json_output.h"
#include "simd/kernels/kernel_table.h"

static const char *class_name(mcv_kernel kernel) {
    return mcv_kernel_class_of(kernel) == MCV_CLASS_BITS ? "BITS" : "BOUND";
}

/* ---- For people ------------------------------------------------------------------------------------------------ */

static void print_features(uint32_t features, const char *separator, const char *(*text)(mcv_feature)) {
    const char *before = "";
    for (int i = 0; i < MCV_FEATURES; i++)
        if (features >> i & 1) {
            printf("%s%s", before, text((mcv_feature)i));
            before = separator;
        }
    printf("\n");
}

static void print_targets(const mcv_cpu *cpu) {
    for (int i = 0; i < MCV_TARGETS; i++) {
        mcv_target target = (mcv_target)i;
        uint32_t lacks = mcv_target_lacks(target, cpu);
        printf("%-10s  %s", mcv_target_name(target), lacks ? "no, lacks " : "yes\n");
        if (lacks)
            print_features(lacks, ", ", mcv_feature_words);
    }
}

/* The width of a target's column. */
static int width_of(mcv_target target) {
    return (int)strlen(mcv_target_name(target));
}

static void print_table(mcv_target chosen) {
    printf("%-15s class", "kernel");
    for (int target = 0; target < MCV_TARGETS; target++)
        printf("  %s", mcv_target_name((mcv_target)target));
    printf("\n");
    for (int i = 0; i < MCV_KERNEL_COUNT; i++) {
        mcv_kernel kernel = (mcv_kernel)i;
        printf("%-15s %-5s", mcv_kernel_name(kernel), class_name(kernel));
        for (int target = 0; target < MCV_TARGETS; target++) {
            const char *mark = !mcv_kernel_variant(kernel, (mcv_target)target)         ? "-"
                               : mcv_kernel_used(kernel, chosen) == (mcv_target)target ? "used"
                                                                                       : "yes";
            printf("  %-*s", width_of((mcv_target)target), mark);
        }
        printf("\n");
    }
}

static void print_text(const mcv_cpu *cpu, mcv_target chosen) {
    printf("CPU       %s\nfeatures  ", cpu->name);
    print_features(cpu->features, " ", mcv_feature_name);
    printf("target    %s\n\n", mcv_target_name(chosen));
    print_targets(cpu);
    printf("\n");
    print_table(chosen);
}

/* ---- For programs ---------------------------------------------------------------------------------------------- */

static json_t *json_features(uint32_t features) {
    json_t *list = json_array();
    for (int i = 0; i < MCV_FEATURES; i++)
        if (features >> i & 1)
            mcv_json_append(&list, json_string(mcv_feature_name((mcv_feature)i)));
    return list;
}

static json_t *json_target(mcv_target target, const mcv_cpu *cpu) {
    uint32_t lacks = mcv_target_lacks(target, cpu);
    json_t *object = json_object();
    mcv_json_set(&object, "name", json_string(mcv_target_name(target)));
    mcv_json_set(&object, "available", json_boolean(lacks == 0));
    mcv_json_set(&object, "lacks", json_features(lacks));
    return object;
}

static json_t *json_kernel(mcv_kernel kernel, mcv_target chosen) {
    json_t *object = json_object(), *variants = json_array();
    for (int target = 0; target < MCV_TARGETS; target++)
        if (mcv_kernel_variant(kernel, (mcv_target)target))
            mcv_json_append(&variants, json_string(mcv_target_name((mcv_target)target)));
    mcv_json_set(&object, "name", json_string(mcv_kernel_name(kernel)));
    mcv_json_set(&object, "class", json_string(class_name(kernel)));
    mcv_json_set(&object, "variants", variants);
    mcv_json_set(&object, "used", json_string(mcv_target_name(mcv_kernel_used(kernel, chosen))));
    return object;
}

static mcv_status print_json(const mcv_cpu *cpu, mcv_target chosen) {
    json_t *object = json_object(), *targets = json_array(), *kernels = json_array();
    for (int target = 0; target < MCV_TARGETS; target++)
        mcv_json_append(&targets, json_target((mcv_target)target, cpu));
    for (int kernel = 0; kernel < MCV_KERNEL_COUNT; kernel++)
        mcv_json_append(&kernels, json_kernel((mcv_kernel)kernel, chosen));
    mcv_json_set(&object, "cpu", json_string(cpu->name));
    mcv_json_set(&object, "features", json_features(cpu->features));
    mcv_json_set(&object, "target", json_string(mcv_target_name(chosen)));
    mcv_json_set(&object, "targets", targets);
    mcv_json_set(&object, "kernels", kernels);
    return mcv_json_print(object);
}

static mcv_status run(const mcv_arguments *arguments) {
    const mcv_cpu *cpu = mcv_cpu_this();
    mcv_target chosen;
    MCV_TRY(mcv_target_find(mcv_option_value(arguments, "target"), cpu, &chosen));
    if (arguments->json)
        return print_json(cpu, chosen);
    print_text(cpu, chosen);
    return MCV_OK;
}

static const mcv_option OPTIONS[] = {
    {0, "target", "NAME", "show what is used where this target is asked for"},
    {0},
};

const mcv_command mcv_kernels_command = {
    .name = "kernels",
    .summary = "which kernels the fast engine has and which of them this CPU runs",
    .operands = "",
    .details =
        "Prints the CPU, which targets (instruction sets) it runs or what it lacks for them, and the table of\n"
        "kernels: the class of each (BITS: every variant gives the same bits; BOUND: within an error bound) and\n"
        "the variants that there are. `used` is the one that the target takes, by default the best target.\n",
    .options = OPTIONS,
    .run = run,
};
