/* The kernel check itself: variants that are wrong on purpose, each of which it must find. */
#include <criterion/criterion.h>
#include <fenv.h>
#include <math.h>
#include <signal.h>

#include "simd/kernels/gemm_contract.h"
#include "simd/kernels/kernel_math.h"
#include "tests/kernels/check_kernel.h"

/* A fixed seed: what is tested is the check, not luck. */
static KernelCheck run(mcv_kernel kernel, mcv_kernel_fn variant) {
    KernelCheck check = {.seed = 2024, .trials = 300};
    check_variant(&check, kernel, "wrong", variant);
    return check;
}

/* MUTANT(name, kernel, arguments, "what the message says") { body of the wrong variant, with its arguments in a } */
#define MUTANT(name, kernel, arguments, expected)                                                                      \
    static void name(const arguments *a);                                                                              \
    Test(kernel_harness, name) {                                                                                       \
        KernelCheck check = run(MCV_KERNEL_##kernel, (mcv_kernel_fn)name);                                             \
        cr_assert(check.failed, "nothing found in %zu comparisons", check.comparisons);                                \
        cr_expect(strstr(check.message, expected), "%s", check.message);                                               \
        cr_expect(strstr(check.message, "wrong: ") == check.message && strstr(check.message, "MCV_SEED=2024"), "%s",   \
                  check.message);                                                                                      \
    }                                                                                                                  \
    static void name(const arguments *a)

#define CONTRACT(name, a) mcv_##name##_contract(a)

/* ---- Reading and writing elsewhere -------------------------------------------------------------------------- */

MUTANT(reads_one_element_beyond, add, mcv_multiply_args, "signal 11") {
    CONTRACT(add, a);
    volatile float beyond = a->b[a->count];
    (void)beyond;
}

MUTANT(reads_one_element_before, add, mcv_multiply_args, "signal 11") {
    CONTRACT(add, a);
    volatile float before = a->a[-1];
    (void)before;
}

MUTANT(reads_whole_registers_of_weights, gemm_f32, mcv_gemm_args, "signal 11") {
    CONTRACT(gemm_f32, a);
    if (a->m * a->n * a->k > 0) {
        volatile float beyond = ((const float *)a->w)[(a->n + MCV_LANES - 1) / MCV_LANES * MCV_LANES * a->k];
        (void)beyond;
    }
}

/* Where the next byte can be touched, the poison tells. */
MUTANT(writes_one_byte_beyond, activate, mcv_activate_args, "") {
    CONTRACT(activate, a);
    ((unsigned char *)(a->y + a->count))[0] ^= 1;
}

MUTANT(writes_one_byte_before, silu_multiply, mcv_multiply_args, "") {
    CONTRACT(silu_multiply, a);
    ((unsigned char *)a->y)[-1] ^= 1;
}

MUTANT(writes_between_rows, layer_norm, mcv_norm_args, "outside of its") {
    CONTRACT(layer_norm, a);
    for (size_t row = 0; row + 1 < a->rows; row++)
        for (size_t i = a->columns; i < a->ldy; i++)
            a->y[row * a->ldy + i] = 0;
}

MUTANT(writes_to_an_input, softmax, mcv_softmax_args, "x[") {
    CONTRACT(softmax, a);
    if (a->rows && a->x != a->y)
        ((float *)a->x)[a->columns - 1] += 1;
}

MUTANT(uses_more_scratch_memory, gemm_bf16, mcv_gemm_args, "") {
    CONTRACT(gemm_bf16, a);
    ((char *)a->scratch)[MCV_SCRATCH_BYTES] ^= 1;
}

MUTANT(wants_alignment, rms_norm, mcv_norm_args, "the contract gives") {
    CONTRACT(rms_norm, a);
    if ((uintptr_t)a->x % 64 != 0 && a->rows)
        a->y[0] = 1;
}

/* ---- Tails -------------------------------------------------------------------------------------------------- */

MUTANT(drops_the_last_lane, add, mcv_multiply_args, "the contract gives") {
    for (size_t i = 0; i < a->count; i++)
        if (i % MCV_LANES != MCV_LANES - 1)
            a->y[i] = a->a[i] + a->b[i];
}

MUTANT(forgets_the_tail, rope, mcv_rope_args, "x[") {
    mcv_rope_args whole = *a;
    if (a->head_dim / 2 % 4 == 0)
        CONTRACT(rope, &whole);
}

MUTANT(wrong_in_one_tail_length, activate, mcv_activate_args, "the contract gives") {
    CONTRACT(activate, a);
    if (a->count % MCV_LANES == 13)
        a->y[a->count - 1] = 3;
}

MUTANT(forgets_the_padding_of_rows, quantize_rows, mcv_quantize_rows_args, "q[") {
    CONTRACT(quantize_rows, a);
    if (a->m && a->ldq > a->k)
        a->q[a->ldq - 1] = 1;
}

MUTANT(forgets_the_last_key, attention, mcv_attention_args, "y[") {
    uint32_t visible[256];
    mcv_attention_args fewer = *a;
    for (size_t i = 0; i < a->queries; i++)
        visible[i] = a->visible[i] > 0 ? a->visible[i] - 1 : 0;
    fewer.visible = visible;
    CONTRACT(attention, &fewer);
}

/* ---- Order and rounding ------------------------------------------------------------------------------------- */

MUTANT(sums_in_another_order, rms_norm, mcv_norm_args, "the contract gives") {
    for (size_t row = 0; row < a->rows; row++) {
        float sum = 0;
        for (size_t i = 0; i < a->columns; i++)
            sum = fmaf(a->x[row * a->ldx + i], a->x[row * a->ldx + i], sum);
        float scale = 1.0f / sqrtf(sum / (float)a->columns + a->eps);
        for (size_t i = 0; i < a->columns; i++)
            a->y[row * a->ldy + i] = a->x[row * a->ldx + i] * scale * a->weight[i];
    }
}

/* One chain over all k instead of one for each MCV_K_BLOCK, or from the last k to the first, or rounded twice. */
static void other_chain(const mcv_gemm_args *a, bool blocks, bool descending, bool fused) {
    for (size_t m = 0; m < a->m; m++)
        for (size_t n = 0; n < a->n; n++) {
            const float *w = (const float *)a->w + n / MCV_LANES * a->k * MCV_LANES + n % MCV_LANES;
            float chain = 0, total = 0;
            for (size_t i = 0; i < a->k; i++) {
                size_t k = descending ? a->k - 1 - i : i;
                float x = a->x[m * a->ldx + k], product = x * w[k * MCV_LANES];
                chain = fused ? fmaf(x, w[k * MCV_LANES], chain) : chain + product;
                if (i + 1 == a->k || (blocks && i % MCV_K_BLOCK == MCV_K_BLOCK - 1)) {
                    total = total + chain;
                    chain = 0;
                }
            }
            float *y = &a->y[m * a->ldy + n];
            total = a->bias ? total + a->bias[n] : total;
            *y = a->accumulate ? *y + total : total;
        }
}

MUTANT(chain_without_blocks, gemm_f32, mcv_gemm_args, "y[") {
    other_chain(a, false, false, true);
}

MUTANT(chain_backwards, gemm_f32, mcv_gemm_args, "y[") {
    other_chain(a, true, true, true);
}

MUTANT(chain_without_fma, gemm_f32, mcv_gemm_args, "y[") {
    other_chain(a, true, false, false);
}

Test(kernel_harness, the_right_chain_passes) {
    KernelCheck check = run(MCV_KERNEL_gemm_f32, mcv_kernel_variant(MCV_KERNEL_gemm_f32, MCV_TARGET_contract));
    cr_expect_not(check.failed, "%s", check.message);
    cr_expect_gt(check.comparisons, 10000);
}

/* Kernels of class BOUND may add up in another order, but not compute something else. */
static void adds_backwards(const mcv_gemm_args *a) {
    for (size_t m = 0; m < a->m; m++)
        for (size_t n = 0; n < a->n; n++) {
            float *y = &a->y[m * a->ldy + n], total = (a->accumulate ? *y : 0) + (a->bias ? a->bias[n] : 0);
            for (size_t k = a->k; k-- > 0;)
                total += mcv_rounded_to_bf16(a->x[m * a->ldx + k]) * mcv_bf16_weight(a, n, k);
            *y = total;
        }
}

Test(kernel_harness, a_bound_leaves_the_order_open) {
    KernelCheck check = run(MCV_KERNEL_gemm_bf16_fast, (mcv_kernel_fn)adds_backwards);
    cr_expect_not(check.failed, "%s", check.message);
    cr_expect_gt(check.comparisons, 10000);
}

MUTANT(forgets_to_round, gemm_bf16_fast, mcv_gemm_args, "y[") {
    CONTRACT(gemm_bf16, a);
}

MUTANT(loses_the_last_product, gemm_bf16_fast, mcv_gemm_args, "y[") {
    adds_backwards(a);
    for (size_t m = 0; a->k && m < a->m; m++)
        for (size_t n = 0; n < a->n; n++)
            a->y[m * a->ldy + n] -= mcv_rounded_to_bf16(a->x[m * a->ldx + a->k - 1]) * mcv_bf16_weight(a, n, a->k - 1);
}

/* As hardware that takes denormal halves for zeros. */
MUTANT(flushes_denormal_weights, gemm_f16, mcv_gemm_args, "y[") {
    size_t count = (a->n + MCV_LANES - 1) / MCV_LANES * MCV_LANES * a->k;
    uint16_t *w = malloc(count * sizeof *w + 1);
    mcv_gemm_args flushed = *a;
    for (size_t i = 0; w && i < count; i++) {
        uint16_t bits = ((const uint16_t *)a->w)[i];
        w[i] = bits & 0x7c00 ? bits : bits & 0x8000;
    }
    flushed.w = w;
    CONTRACT(gemm_f16, &flushed);
    free(w);
}

MUTANT(forgets_to_accumulate, gemm_int8, mcv_gemm_int8_args, "y[") {
    mcv_gemm_int8_args fresh = *a;
    fresh.accumulate = false;
    CONTRACT(gemm_int8, &fresh);
}

/* Pairs of products of bytes do not fit into 16 bits where all are large. */
MUTANT(saturates_pairs, gemm_int8, mcv_gemm_int8_args, "y[") {
    size_t padded = (a->k + MCV_K_PADDING - 1) / MCV_K_PADDING * MCV_K_PADDING;
    mcv_gemm_int8_args rest = *a;
    CONTRACT(gemm_int8, &rest);
    for (size_t n = 0; n < a->n && a->m == 1 && !a->accumulate; n++) {
        const int8_t *w = a->w + n / MCV_LANES * padded * MCV_LANES + n % MCV_LANES * 4;
        int32_t dot = 0;
        for (size_t k = 0; k < padded; k += 2) {
            int first = (a->q[k] + 128) * w[k / 4 * 64 + k % 4],
                second = (a->q[k + 1] + 128) * w[k / 4 * 64 + k % 4 + 1];
            int pair = first + second > 32767 ? 32767 : first + second < -32768 ? -32768 : first + second;
            dot += pair;
        }
        float total = (float)(dot - 128 * a->w_sum[n]) * (a->scale[0] * a->w_scale[n]);
        a->y[n] = a->bias ? total + a->bias[n] : total;
    }
}

MUTANT(ignores_zeros_of_groups, gemm_int4, mcv_gemm_int4_args, "y[") {
    mcv_gemm_int4_args symmetric = *a;
    symmetric.w_zero = NULL;
    CONTRACT(gemm_int4, &symmetric);
}

MUTANT(ignores_minima_of_groups, gemm_blocks, mcv_gemm_blocks_args, "y[") {
    mcv_gemm_blocks_args plain = *a;
    plain.w_group_min = NULL;
    CONTRACT(gemm_blocks, &plain);
}

MUTANT(ignores_levels, gemm_blocks, mcv_gemm_blocks_args, "y[") {
    mcv_gemm_blocks_args numbers = *a;
    numbers.levels = NULL;
    CONTRACT(gemm_blocks, &numbers);
}

MUTANT(rounds_levels_to_bytes, gemm_nf4, mcv_gemm_nf4_args, "y[") {
    int16_t coarse[16];
    mcv_gemm_nf4_args rounded = *a;
    for (int i = 0; i < 16; i++)
        coarse[i] = (int16_t)(a->levels[i] / 256 * 256);
    rounded.levels = coarse;
    CONTRACT(gemm_nf4, &rounded);
}

MUTANT(takes_codes_as_signed, gemm_blocks, mcv_gemm_blocks_args, "y[") {
    mcv_gemm_blocks_args usual = *a;
    usual.zero = 1 << (a->bits - 1);
    CONTRACT(gemm_blocks, &usual);
}

/* ---- Special values ----------------------------------------------------------------------------------------- */

MUTANT(flushes_denormals, add, mcv_multiply_args, "the contract gives") {
    CONTRACT(add, a);
    for (size_t i = 0; i < a->count; i++)
        a->y[i] = fpclassify(a->y[i]) == FP_SUBNORMAL ? 0 : a->y[i];
}

MUTANT(loses_nan, activate, mcv_activate_args, "the contract gives") {
    CONTRACT(activate, a);
    for (size_t i = 0; i < a->count; i++)
        a->y[i] = isnan(a->y[i]) ? 0 : a->y[i];
}

MUTANT(clamps_infinities, silu_multiply, mcv_multiply_args, "the contract gives") {
    CONTRACT(silu_multiply, a);
    for (size_t i = 0; i < a->count; i++)
        a->y[i] = a->y[i] > 3.4e38f ? 3.4e38f : a->y[i];
}

MUTANT(changes_the_sign_of_zero, add, mcv_multiply_args, "the contract gives") {
    CONTRACT(add, a);
    for (size_t i = 0; i < a->count; i++)
        a->y[i] = a->y[i] + 0.0f;
}

MUTANT(leaves_another_rounding, add, mcv_multiply_args, "left another rounding") {
    CONTRACT(add, a);
    fesetround(FE_UPWARD);
}

MUTANT(aborts_on_infinity, softmax, mcv_softmax_args, "signal 4") {
    for (size_t i = 0; a->rows && i < a->columns; i++)
        if (isinf(a->x[i]))
            raise(SIGILL);
    CONTRACT(softmax, a);
}

/* ---- The check's own limits --------------------------------------------------------------------------------- */

Test(kernel_harness, nothing_compared_is_a_failure) {
    KernelCheck check = {.seed = 1, .trials = 0};
    check_variant(&check, MCV_KERNEL_add, "add", mcv_kernel_variant(MCV_KERNEL_add, MCV_TARGET_contract));
    cr_expect(check.failed);
    cr_expect(strstr(check.message, "nothing was compared"), "%s", check.message);
}

Test(kernel_harness, a_seed_repeats_a_failure) {
    KernelCheck first = run(MCV_KERNEL_add, (mcv_kernel_fn)drops_the_last_lane);
    KernelCheck second = run(MCV_KERNEL_add, (mcv_kernel_fn)drops_the_last_lane);
    cr_expect_str_eq(first.message, second.message);
}

/* Every size up to four registers and one more is tried. */
Test(kernel_harness, every_tail_length_is_tried) {
    Trial trial = {0};
    bool seen[66] = {0};
    for (int i = 0; i < 500; i++) {
        trial_begin(&trial, 7, i);
        size_t size = trial_size(&trial, 1000);
        if (size < 66)
            seen[size] = true;
    }
    for (int size = 0; size < 66; size++)
        cr_expect(seen[size], "no trial with %d elements", size);
}
