/* Every variant of every kernel that this CPU runs, against the kernel's contract. MCV_SEED=N repeats a run. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "core/random.h"
#include "core/tensor.h"
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

/* ---- Products of more than fits into scratch memory --------------------------------------------------------- */

/* A row more than gemm_float_tiles.h copies with a part of k, an output more than those whose totals wait for the other
 * parts. That takes the contract seconds, so that results come from a formula: x[m][k] = (m + 1) sign[k], w[n][k] =
 * (n % 61 + 1) sign[k]. All sums are integers below 2^24, exact in any order. */
enum { LARGE_M = 48 + 1, LARGE_N = 72 * MCV_LANES + 1, LARGE_PANELS = LARGE_N / MCV_LANES + 1, COLUMN_VALUES = 61 };

static float column_value(size_t n) {
    return n < LARGE_N ? (float)(n % COLUMN_VALUES + 1) : 0;
}

static float *make_rows(const float *sign, size_t k) {
    float *x = malloc(LARGE_M * k * sizeof *x);
    cr_assert(x);
    for (size_t i = 0; i < LARGE_M * k; i++)
        x[i] = (float)(i / k + 1) * sign[i % k];
    return x;
}

/* [panels][k / together][16][together] */
static void *make_panels(const float *sign, size_t k, Element element, size_t together) {
    size_t padded = (k + together - 1) / together * together, count = LARGE_PANELS * padded * MCV_LANES;
    void *w = aligned_alloc(64, (count * element_size(element) + 63) / 64 * 64);
    cr_assert(w);
    for (size_t i = 0; i < count; i++) {
        size_t step = i / together / MCV_LANES, at = step % (padded / together) * together + i % together;
        size_t n = step / (padded / together) * MCV_LANES + i / together % MCV_LANES;
        float value = at < k ? column_value(n) * sign[at] : 0;
        if (element == ELEMENT_F32)
            ((float *)w)[i] = value;
        else
            ((uint16_t *)w)[i] = element == ELEMENT_F16 ? mcv_f16_from_f32(value) : mcv_bf16_from_f32(value);
    }
    return w;
}

static void check_large_outputs(const mcv_gemm_args *a, mcv_target target) {
    for (size_t m = 0; m < LARGE_M; m++)
        for (size_t n = 0; n < LARGE_N; n++) {
            float expected = (float)(m + 1) * column_value(n) * (float)a->k, found = a->y[m * a->ldy + n];
            cr_assert(found == expected, "%s, y[%zu][%zu]: %.9g, expected %.9g", mcv_target_name(target), m, n,
                      (double)found, (double)expected);
        }
}

/* input: what x is multiplied as. */
static void check_large(mcv_kernel kernel, Element element, size_t together, Element input) {
    static float sign[MCV_SCRATCH_BYTES / LARGE_M], y[LARGE_M * LARGE_N];
    mcv_gemm_args a = {.m = LARGE_M, .n = LARGE_N, .y = y, .ldy = LARGE_N};
    mcv_random random = mcv_random_begin(check_seed(), 0);
    a.k = a.ldx = MCV_SCRATCH_BYTES / (LARGE_M * element_size(input)) + 1;
    for (size_t k = 0; k < a.k; k++)
        sign[k] = mcv_random_next(&random) % 2 ? 1 : -1;
    float *x = make_rows(sign, a.k);
    a.x = x;
    a.w = make_panels(sign, a.k, element, together);
    a.scratch = aligned_alloc(64, MCV_SCRATCH_BYTES);
    cr_assert(a.scratch);
    for (int target = MCV_TARGET_contract + 1; target < MCV_TARGETS; target++) {
        mcv_kernel_fn variant = mcv_kernel_variant(kernel, (mcv_target)target);
        bool other = strcmp(mcv_target_name((mcv_target)target), "amx") == 0; /* which gemm_float_tiles.h is not for */
        if (!variant || other || !mcv_target_available((mcv_target)target))
            continue;
        for (size_t i = 0; i < LARGE_M * LARGE_N; i++)
            y[i] = (float)NAN;
        ((void (*)(const mcv_gemm_args *))variant)(&a);
        check_large_outputs(&a, (mcv_target)target);
    }
    free(x);
    free((void *)(uintptr_t)a.w);
    free(a.scratch);
}

Test(kernels, large_gemm_f32) {
    check_large(MCV_KERNEL_gemm_f32, ELEMENT_F32, 1, ELEMENT_F32);
}

Test(kernels, large_gemm_bf16) {
    check_large(MCV_KERNEL_gemm_bf16, ELEMENT_BF16, 2, ELEMENT_F32);
}

Test(kernels, large_gemm_f16) {
    check_large(MCV_KERNEL_gemm_f16, ELEMENT_F16, 1, ELEMENT_F32);
}

Test(kernels, large_gemm_bf16_fast) {
    check_large(MCV_KERNEL_gemm_bf16_fast, ELEMENT_BF16, 2, ELEMENT_BF16);
}
