/* Every variant of every kernel that this CPU runs, against the kernel's contract. MCV_SEED=N repeats a run. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

#include "tests/kernels/check_kernel.h"

static void check_kernel(mcv_kernel kernel) {
    KernelCheck check = {.seed = check_seed(), .trials = check_trials()};
    for (int target = 0; target < MCV_TARGETS; target++) {
        mcv_kernel_fn variant = mcv_kernel_variant(kernel, (mcv_target)target);
        if (!variant || !mcv_target_available((mcv_target)target))
            continue;
        check_variant(&check, kernel, mcv_target_name((mcv_target)target), variant);
        cr_log_info("%s %s: %zu comparisons, MCV_SEED=%" PRIu64, mcv_kernel_name(kernel),
                    mcv_target_name((mcv_target)target), check.comparisons, check.seed);
        cr_expect_not(check.failed, "%s %s", mcv_kernel_name(kernel), check.message);
        cr_expect_gt(check.comparisons, 0);
    }
}

#define KERNEL(name, class, arguments)                                                                                 \
    Test(kernels, name) {                                                                                              \
        check_kernel(MCV_KERNEL_##name);                                                                               \
    }
#include "simd/kernels/kernels.def"
