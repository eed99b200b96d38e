/* Compares a variant of a kernel with the kernel's contract, trial by trial. */
#ifndef TESTS_KERNELS_CHECK_KERNEL_H
#define TESTS_KERNELS_CHECK_KERNEL_H

#include "tests/kernels/kernel_trial.h"

typedef struct KernelCheck {
    uint64_t seed;
    int trials;
    size_t comparisons; /* elements of outputs compared */
    bool failed;        /* the first failure ends the check */
    char message[1024]; /* what failed, with the seed and the trial that show it again */
} KernelCheck;

/* The seed of this run: $MCV_SEED or the clock. */
uint64_t check_seed(void);
/* How many trials a kernel gets: $MCV_TRIALS or 500. */
int check_trials(void);

/* Runs `check->trials` trials from `check->seed` on; `name` is how messages call the variant. */
void check_variant(KernelCheck *check, mcv_kernel kernel, const char *name, mcv_kernel_fn variant);

#endif
