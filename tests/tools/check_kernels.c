/* Checks the variants of kernels against their contracts, without a test framework: for ports and emulators.
 *
 * usage: check_kernels [NAME...]     a kernel, a target or KERNEL:TARGET; MCV_SEED=N repeats a run, MCV_TRIALS=N sets
 *                                    its length
 *
 * Prints TAP, one line a variant. */
#include <inttypes.h>
#include <stdio.h>

#include "tests/kernels/check_kernel.h"

/* Whether a variant was asked for: by its kernel's or its target's name or both, or with all others. */
static bool is_wanted(char **names, int count, mcv_kernel kernel, mcv_target target) {
    char both[64];
    snprintf(both, sizeof both, "%s:%s", mcv_kernel_name(kernel), mcv_target_name(target));
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], mcv_kernel_name(kernel)) == 0 || strcmp(names[i], mcv_target_name(target)) == 0 ||
            strcmp(names[i], both) == 0)
            return true;
    return count == 0;
}

static bool report(int number, mcv_kernel kernel, mcv_target target) {
    const char *name = mcv_target_name(target);
    KernelCheck check = {.seed = check_seed(), .trials = check_trials()};
    if (!mcv_target_available(target)) {
        printf("ok %d - %s %s # SKIP this CPU lacks it\n", number, mcv_kernel_name(kernel), name);
        return true;
    }
    check_variant(&check, kernel, name, mcv_kernel_variant(kernel, target));
    printf("%sok %d - %s %s: %zu comparisons, MCV_SEED=%" PRIu64 "\n", check.failed ? "not " : "", number,
           mcv_kernel_name(kernel), name, check.comparisons, check.seed);
    if (check.failed)
        printf("# %s\n", check.message);
    fflush(stdout);
    return !check.failed;
}

int main(int argc, char **argv) {
    int count = 0;
    bool passed = true;
    for (int target = 0; target < MCV_TARGETS; target++)
        for (int kernel = 0; kernel < MCV_KERNEL_COUNT; kernel++)
            if (mcv_kernel_variant((mcv_kernel)kernel, (mcv_target)target) &&
                is_wanted(argv + 1, argc - 1, (mcv_kernel)kernel, (mcv_target)target))
                passed = report(++count, (mcv_kernel)kernel, (mcv_target)target) && passed;
    printf("1..%d\n", count);
    return passed && count > 0 ? 0 : 1;
}
