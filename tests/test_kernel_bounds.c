/* The contracts themselves, against FP64: every error stays within the bound that docs/numerics.md derives. The
 * variants need no such test, they have the contracts' bits. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "core/tensor.h"
#include "simd/kernels/gemm_contract.h"
#include "simd/kernels/kernel_math.h"
#include "tests/kernels/check_kernel.h"

/* Half the distance from 1 to the next float, and Higham's gamma(n), what n roundings amount to at most. */
static const double U = 0x1p-24;

static double gamma_of(double n) {
    return n * U / (1 - n * U);
}

static size_t compared;
static double closest; /* the largest error found, as a part of its bound */

static void within(double found, double exact, double bound, const char *what) {
    double error = fabs(found - exact);
    compared++;
    if (error > closest * bound)
        closest = error / bound;
    cr_assert(error <= bound, "%s is %.9g, exactly %.17g, which is %.3g off; the bound is %.3g", what, found, exact,
              error, bound);
}

/* Runs a check in the place of the kernel, with the arguments that the kernel's generator makes. */
#define BOUND_TEST(name, arguments)                                                                                    \
    static void check_##name(const arguments *a);                                                                      \
    Test(kernel_bounds, name) {                                                                                        \
        static Trial trial = {.tame = true};                                                                           \
        uint64_t seed = check_seed();                                                                                  \
        for (int i = 0; i < 300; i++) {                                                                                \
            trial_begin(&trial, seed, i);                                                                              \
            generate_##name(&trial, check_##name);                                                                     \
        }                                                                                                              \
        cr_log_info("%s: %zu comparisons, at most %.2g of the bound, MCV_SEED=%" PRIu64, #name, compared, closest,     \
                    seed);                                                                                             \
        cr_assert_gt(compared, 1000);                                                                                  \
        trial_free(&trial);                                                                                            \
    }                                                                                                                  \
    static void check_##name(const arguments *a)

static float *copy(const float *from, size_t count) {
    float *to = malloc(count ? count * sizeof *to : 1);
    cr_assert(to);
    return memcpy(to, from, count * sizeof *to);
}

static float *copy_rows(const float *from, size_t rows, size_t columns, size_t stride) {
    return copy(from, rows ? (rows - 1) * stride + columns : 0);
}

static double larger(double a, double b) {
    return a > b ? a : b;
}

/* ---- Matrix products ---------------------------------------------------------------------------------------- */

/* The end of an output: each addition may round once more. */
static void within_output(double found, double total, double bound, const float *bias, size_t n, const float *before) {
    double exact = total + (bias ? bias[n] : 0);
    bound += bias ? U * (fabs(exact) + bound) : 0;
    exact += before ? *before : 0;
    bound += before ? U * (fabs(exact) + bound) : 0;
    within(found, exact, bound, "y");
}

/* Runs the contract and looks at each output. output(a, m, n, &total): how far off the sum of the products may be, and
 * the exact one. */
#define CHECK_OUTPUTS(a, contract, output)                                                                             \
    do {                                                                                                               \
        float *before = (a)->accumulate ? copy_rows((a)->y, (a)->m, (a)->n, (a)->ldy) : NULL;                          \
        contract(a);                                                                                                   \
        for (size_t m = 0; m < (a)->m; m++)                                                                            \
            for (size_t n = 0; n < (a)->n; n++) {                                                                      \
                double total, bound = output(a, m, n, &total);                                                         \
                within_output((a)->y[m * (a)->ldy + n], total, bound, (a)->bias, n,                                    \
                              before ? &before[m * (a)->ldy + n] : NULL);                                              \
            }                                                                                                          \
        free(before);                                                                                                  \
    } while (0)

static double weight_at(const void *w, Element type, size_t i) {
    return type == ELEMENT_F32    ? ((const float *)w)[i]
           : type == ELEMENT_BF16 ? mcv_f32_from_bf16(((const uint16_t *)w)[i])
                                  : mcv_f32_from_f16(((const uint16_t *)w)[i]);
}

/* Weights of `type` that lie in panels of [k / together][16][together]. */
static double float_output(const mcv_gemm_args *a, size_t m, size_t n, double *total, Element type, size_t together) {
    size_t steps = (a->k + together - 1) / together;
    double size = 0;
    *total = 0;
    for (size_t k = 0; k < a->k; k++) {
        size_t step = n / MCV_LANES * steps + k / together;
        double w = weight_at(a->w, type, (step * MCV_LANES + n % MCV_LANES) * together + k % together);
        *total += w * a->x[m * a->ldx + k];
        size += fabs(w * a->x[m * a->ldx + k]);
    }
    return gamma_of(MCV_K_BLOCK + ceil((double)a->k / MCV_K_BLOCK)) * size;
}

static double f32_output(const mcv_gemm_args *a, size_t m, size_t n, double *total) {
    return float_output(a, m, n, total, ELEMENT_F32, 1);
}

static double bf16_output(const mcv_gemm_args *a, size_t m, size_t n, double *total) {
    return float_output(a, m, n, total, ELEMENT_BF16, 2);
}

static double f16_output(const mcv_gemm_args *a, size_t m, size_t n, double *total) {
    return float_output(a, m, n, total, ELEMENT_F16, 1);
}

BOUND_TEST(gemm_f32, mcv_gemm_args) {
    CHECK_OUTPUTS(a, mcv_gemm_f32_contract, f32_output);
}

BOUND_TEST(gemm_bf16, mcv_gemm_args) {
    CHECK_OUTPUTS(a, mcv_gemm_bf16_contract, bf16_output);
}

BOUND_TEST(gemm_f16, mcv_gemm_args) {
    CHECK_OUTPUTS(a, mcv_gemm_f16_contract, f16_output);
}

/* Each variant, for they need not have the contract's bits. Beside the bound for rounded inputs, what rounding costs.
 */
BOUND_TEST(gemm_bf16_fast, mcv_gemm_args) {
    float *before = copy_rows(a->y, a->m, a->n, a->ldy);
    for (int target = 0; target < MCV_TARGETS; target++) {
        mcv_kernel_fn variant = mcv_kernel_variant(MCV_KERNEL_gemm_bf16_fast, (mcv_target)target);
        if (!variant || !mcv_target_available((mcv_target)target))
            continue;
        mcv_gemm_args again = *a;
        float *found = again.y = copy_rows(before, a->m, a->n, a->ldy);
        ((void (*)(const mcv_gemm_args *))variant)(&again);
        for (size_t m = 0; m < a->m; m++)
            for (size_t n = 0; n < a->n; n++) {
                double exact, bound, of_inputs = 0, unrounded = 0;
                again.y = before;
                bound = bf16_fast_bound(&again, m, n, &exact);
                within(found[m * a->ldy + n], exact, bound, mcv_target_name((mcv_target)target));
                for (size_t k = 0; k < a->k; k++) {
                    double x = a->x[m * a->ldx + k], w = mcv_bf16_weight(a, n, k);
                    unrounded += (x - mcv_rounded_to_bf16(a->x[m * a->ldx + k])) * w;
                    of_inputs += fabs(x * w) * 0x1p-8;
                }
                within(found[m * a->ldy + n], exact + unrounded, bound + of_inputs, "y of x");
            }
        free(found);
    }
    free(before);
}

/* Three roundings: of the integer to a float, of the scale, of their product. */
static double int8_output(const mcv_gemm_int8_args *a, size_t m, size_t n, double *total) {
    size_t padded = (a->k + MCV_K_PADDING - 1) / MCV_K_PADDING * MCV_K_PADDING;
    double dot = 0;
    for (size_t k = 0; k < a->k; k++)
        dot += a->q[m * a->ldq + k] *
               a->w[n / MCV_LANES * padded * MCV_LANES + (k / 4 * MCV_LANES + n % MCV_LANES) * 4 + k % 4];
    *total = dot * a->scale[m] * a->w_scale[n];
    return gamma_of(3) * fabs(*total) + 0x1p-149;
}

BOUND_TEST(gemm_int8, mcv_gemm_int8_args) {
    CHECK_OUTPUTS(a, mcv_gemm_int8_contract, int8_output);
}

/* One rounding of a group's scale, and one for each group that is added from there on. */
static double int4_output(const mcv_gemm_int4_args *a, size_t m, size_t n, double *total) {
    size_t groups = mcv_groups(a->k, a->group);
    double size = 0;
    *total = 0;
    for (size_t k = 0; k < a->k; k++) {
        size_t g = k / a->group, panel = n / MCV_LANES * groups + g, at = panel * MCV_LANES + n % MCV_LANES;
        size_t inside = k % a->group;
        uint8_t byte =
            a->w[panel * a->group / 2 * MCV_LANES + (inside / 8 * MCV_LANES + n % MCV_LANES) * 4 + inside % 4];
        int weight = (inside % 8 < 4 ? byte & 15 : byte >> 4) - (a->w_zero ? a->w_zero[at] : 8);
        double product =
            (double)weight * a->q[m * a->ldq + k] * mcv_f32_from_f16(a->w_scale[at]) * a->scale[m * groups + g];
        *total += product;
        size += fabs(product);
    }
    return gamma_of((double)groups + 1) * size + 0x1p-140;
}

BOUND_TEST(gemm_int4, mcv_gemm_int4_args) {
    CHECK_OUTPUTS(a, mcv_gemm_int4_contract, int4_output);
}

/* The code of a weight. */
static int code_of(const mcv_gemm_blocks_args *a, size_t n, size_t k) {
    const uint8_t *w = a->w + (n / MCV_LANES * a->k + k / 16 * 16) * (size_t)a->bits * 2 + n % MCV_LANES * 4 + k % 4;
    if (a->bits == 8)
        return w[k / 4 % 4 * 64];
    int low = w[k / 8 % 2 * 64] >> (k / 4 % 2 * 4) & 15;
    return a->bits == 4 ? low : low | (w[2 * 64] >> (k / 4 % 4 * 2) & 3) << 4;
}

static int number_of(const mcv_gemm_blocks_args *a, size_t n, size_t k) {
    return a->levels ? a->levels[code_of(a, n, k)] : code_of(a, n, k) - a->zero;
}

/* The roundings of the integer, of its product with d, of the minimum's with dmin; one for each block that is added
 * from there on. */
static double blocks_output(const mcv_gemm_blocks_args *a, size_t m, size_t n, double *total) {
    size_t blocks = a->k / a->block, groups = a->k / a->group, panel = n / MCV_LANES;
    double size = 0;
    *total = 0;
    for (size_t b = 0; b < blocks; b++) {
        size_t at = (panel * blocks + b) * MCV_LANES + n % MCV_LANES;
        double dot = 0, low = 0;
        for (size_t k = b * a->block; k < (b + 1) * a->block; k++) {
            size_t group = (panel * groups + k / a->group) * MCV_LANES + n % MCV_LANES;
            double x = a->q[m * a->ldq + k] * (double)a->scale[m * blocks + b];
            dot += number_of(a, n, k) * (a->w_group_scale ? a->w_group_scale[group] : 1) * x;
            low += (a->w_group_min ? a->w_group_min[group] : 1) * x;
        }
        dot *= mcv_f32_from_f16(a->w_scale[at]);
        low *= a->w_min ? mcv_f32_from_f16(a->w_min[at]) : 0;
        *total += dot - low;
        size += fabs(dot) + fabs(low);
    }
    return gamma_of((double)blocks + 2) * size + 0x1p-140;
}

BOUND_TEST(gemm_blocks, mcv_gemm_blocks_args) {
    CHECK_OUTPUTS(a, mcv_gemm_blocks_contract, blocks_output);
}

/* The roundings of the integer and of the scale; one for each group that is added from there on. */
static double nf4_output(const mcv_gemm_nf4_args *a, size_t m, size_t n, double *total) {
    size_t groups = a->k / a->group, panel = n / MCV_LANES;
    double size = 0;
    *total = 0;
    for (size_t k = 0; k < a->k; k++) {
        size_t group = k / a->group;
        uint8_t byte = a->w[(panel * a->k / 8 + k / 8) * 64 + n % MCV_LANES * 4 + k % 4];
        double w = a->levels[k / 4 % 2 ? byte >> 4 : byte & 15] *
                   (double)a->w_scale[(panel * groups + group) * MCV_LANES + n % MCV_LANES];
        double product = w * a->q[m * a->ldq + k] * a->scale[m * groups + group];
        *total += product;
        size += fabs(product);
    }
    return gamma_of((double)groups + 2) * size + 0x1p-140;
}

BOUND_TEST(gemm_nf4, mcv_gemm_nf4_args) {
    CHECK_OUTPUTS(a, mcv_gemm_nf4_contract, nf4_output);
}

/* Half a step, and what the roundings of the scale and of its inverse make of 127 steps. */
BOUND_TEST(quantize_rows, mcv_quantize_rows_args) {
    size_t groups = mcv_groups(a->k, a->group);
    size_t sums = mcv_groups(a->k, a->sum_group);
    mcv_quantize_rows_contract(a);
    for (size_t m = 0; m < a->m; m++) {
        int64_t sum = 0;
        for (size_t k = 0; k < a->k; k++) {
            double scale = a->scale[m * groups + k / a->group];
            sum = k % a->sum_group ? sum + a->q[m * a->ldq + k] : a->q[m * a->ldq + k];
            within(a->q[m * a->ldq + k] * scale, a->x[m * a->ldx + k], scale * (0.5 + 127 * gamma_of(4)), "q * scale");
            if (k + 1 == a->k || (k + 1) % a->sum_group == 0)
                cr_assert_eq(a->sum[m * sums + k / a->sum_group], sum);
        }
    }
}

/* ---- Rows --------------------------------------------------------------------------------------------------- */

/* A sum of `columns` numbers: one goes through so many additions, the last four in the tree. */
static double row_sum(size_t columns) {
    return ceil((double)columns / MCV_LANES) + 4;
}

/* The sum, the division and the addition of eps, halved by the square root; the root, its inverse, two products. */
BOUND_TEST(rms_norm, mcv_norm_args) {
    float *x = copy_rows(a->x, a->rows, a->columns, a->ldx);
    mcv_rms_norm_contract(a);
    for (size_t row = 0; row < a->rows; row++) {
        double squares = 0;
        for (size_t i = 0; i < a->columns; i++)
            squares += (double)x[row * a->ldx + i] * x[row * a->ldx + i];
        double scale = 1 / sqrt(squares / (double)a->columns + a->eps);
        for (size_t i = 0; i < a->columns; i++) {
            double exact = x[row * a->ldx + i] * scale * a->weight[i];
            within(a->y[row * a->ldy + i], exact, gamma_of((row_sum(a->columns) + 2) / 2 + 5) * fabs(exact), "y");
        }
    }
    free(x);
}

/* The mean's error moves every centered element, these the variance, this the scale. */
BOUND_TEST(layer_norm, mcv_norm_args) {
    float *x = copy_rows(a->x, a->rows, a->columns, a->ldx);
    mcv_layer_norm_contract(a);
    double count = (double)a->columns, of_sum = gamma_of(row_sum(a->columns) + 1);
    for (size_t row = 0; row < a->rows; row++) {
        double mean = 0, size = 0, variance = 0, of_variance = 0;
        for (size_t i = 0; i < a->columns; i++) {
            mean += x[row * a->ldx + i] / count;
            size += fabs(x[row * a->ldx + i]) / count;
        }
        double of_mean = of_sum * size;
        for (size_t i = 0; i < a->columns; i++) {
            double c = fabs(x[row * a->ldx + i] - mean), off = of_mean + U * (c + of_mean);
            variance += c * c / count;
            of_variance += (2 * c * off + off * off + of_sum * (c + off) * (c + off)) / count;
        }
        if (variance + a->eps <= 4 * of_variance)
            continue; /* one column, or rows of equal numbers: any scale is within the error */
        double scale = 1 / sqrt(variance + a->eps);
        double largest = (1 + gamma_of(4)) / sqrt(variance + a->eps - of_variance), of_scale = largest - scale;
        for (size_t i = 0; i < a->columns; i++) {
            double c = x[row * a->ldx + i] - mean, off = of_mean + U * (fabs(c) + of_mean);
            double exact = c * scale * a->weight[i] + a->bias[i];
            double bound = fabs(a->weight[i]) * (fabs(c) * of_scale + off * largest) * (1 + gamma_of(2)) +
                           fabs(a->weight[i] * c * scale) * gamma_of(2);
            within(a->y[row * a->ldy + i], exact, bound + U * (fabs(exact) + bound), "y");
        }
    }
    free(x);
}

/* What exp adds: its own error (test exp below), and that of an argument rounded once. */
static double exp_error(double argument) {
    return 2 * U * 0.85 + U * fabs(argument);
}

BOUND_TEST(softmax, mcv_softmax_args) {
    float *x = copy_rows(a->x, a->rows, a->columns, a->ldx);
    mcv_softmax_contract(a);
    for (size_t row = 0; row < a->rows; row++) {
        double largest = x[row * a->ldx], sum = 0, of_sum = 0;
        for (size_t i = 0; i < a->columns; i++)
            largest = larger(largest, x[row * a->ldx + i]);
        for (size_t i = 0; i < a->columns; i++) {
            double t = x[row * a->ldx + i] - largest;
            sum += exp(t);
            of_sum += exp(t) * exp_error(t);
        }
        for (size_t i = 0; i < a->columns; i++) {
            double t = x[row * a->ldx + i] - largest, exact = exp(t) / sum;
            double relative = exp_error(t) + of_sum / sum + gamma_of(row_sum(a->columns) + 1);
            within(a->y[row * a->ldy + i], exact, 1.001 * relative * exact, "y");
        }
    }
    free(x);
}

BOUND_TEST(rope, mcv_rope_args) {
    size_t half = a->head_dim / 2;
    float *x = copy_rows(a->x, a->rows, a->heads * a->head_dim, a->ldx);
    mcv_rope_contract(a);
    for (size_t row = 0; row < a->rows; row++)
        for (size_t i = 0; i < a->heads * half; i++) {
            size_t at = row * a->ldx + i / half * a->head_dim + i % half, angle = row * half + i % half;
            double low = x[at], high = x[at + half], cosine = a->cos[angle], sine = a->sin[angle];
            double bound = gamma_of(2) * (fabs(low * cosine) + fabs(high * sine));
            within(a->x[at], low * cosine - high * sine, bound, "x");
            bound = gamma_of(2) * (fabs(high * cosine) + fabs(low * sine));
            within(a->x[at + half], high * cosine + low * sine, bound, "x");
        }
    free(x);
}

/* ---- Attention ---------------------------------------------------------------------------------------------- */

/* Sums of exponentials: four additions and the tree in a block, then one a block. */
BOUND_TEST(attention, mcv_attention_args) {
    mcv_attention_contract(a);
    for (size_t query = 0; query < a->queries; query++) {
        double exact[MCV_MAX_HEAD_DIM], bound[MCV_MAX_HEAD_DIM];
        double blocks = ceil((double)a->visible[query] / MCV_KEY_BLOCK);
        if (a->visible[query] == 0)
            continue;
        attention_bound(a, query, 8 + blocks, exact, bound);
        for (size_t d = 0; d < a->head_dim; d++)
            within(a->y[query * a->ldy + d], exact[d], bound[d], "y");
    }
}

/* ---- Elements ----------------------------------------------------------------------------------------------- */

BOUND_TEST(add, mcv_multiply_args) {
    float *x = copy(a->a, a->count), *y = copy(a->b, a->count);
    mcv_add_contract(a);
    for (size_t i = 0; i < a->count; i++)
        within(a->y[i], (double)x[i] + y[i], U * fabs((double)x[i] + y[i]), "y");
    free(x);
    free(y);
}

static double exact_silu(double x) {
    return x / (1 + exp(-x));
}

BOUND_TEST(silu_multiply, mcv_multiply_args) {
    float *x = copy(a->a, a->count), *y = copy(a->b, a->count);
    mcv_silu_multiply_contract(a);
    for (size_t i = 0; i < a->count; i++) {
        double exact = exact_silu(x[i]) * y[i];
        within(a->y[i], exact, (2 * U * 2.1 + U) * 1.001 * fabs(exact), "y");
    }
    free(x);
    free(y);
}

/* Each of the three operations rounds once; the division multiplies what was there before. */
BOUND_TEST(unfold, mcv_unfold_args) {
    size_t patch = a->patch, plane = patch * patch;
    mcv_unfold_contract(a);
    for (size_t i = 0; i < a->grid_h * a->grid_w; i++)
        for (size_t at = 0; at < 3 * plane; at++) {
            size_t c = at / plane, v = at % plane / patch, h = at % patch;
            double level = a->x[c * a->channel_step + (i / a->grid_w * patch + v) * a->row_step +
                                (i % a->grid_w * patch + h) * a->column_step] /
                           255.0;
            double centered = level - a->mean[c], before = U * level * (1 + U) + U * fabs(centered);
            double error = before / fabs((double)a->std[c]), exact = centered / a->std[c];
            within(a->y[i * a->ldy + at], exact, error + U * (fabs(exact) + error), "y");
        }
}

/* ---- Functions, over every 997th float ---------------------------------------------------------------------- */

/* The distance of neighbouring floats at a number. */
static double ulp(double number) {
    int exponent;
    frexp(number, &exponent);
    return ldexp(1, (fabs(number) < 0x1p-126 ? -125 : exponent) - 24);
}

/* From `first` to `last`: within `ulps`, or within `absolute` of the exact value. */
static void sweep(float (*function)(float), double (*exact)(double), float first, float last, double ulps,
                  double absolute) {
    double most = 0;
    size_t count = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 997) {
        float x = mcv_f32_from_bits((uint32_t)bits);
        if (!(x >= first && x <= last))
            continue;
        double expected = exact((double)x), error = fabs(function(x) - expected), limit = ulps * ulp(expected);
        most = larger(most, error / (limit + absolute));
        cr_assert(error <= limit + absolute, "of %a: %a, exactly %a", x, function(x), expected);
        count++;
    }
    cr_log_info("%zu values from %g to %g, at most %.3f of the limit", count, first, last, most);
    cr_assert_gt(count, 1000);
}

static double exact_gelu(double x) {
    return 0.5 * x * erfc(-x * sqrt(0.5));
}

static double exact_gelu_tanh(double x) {
    return x / (1 + exp(-2 * sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}

Test(kernel_bounds, exp) {
    sweep(mcv_expf, exp, -87.33f, 88.37f, 0.85, 0);
    sweep(mcv_expf, exp, -1e30f, -87.33f, 0.85, 0x1p-125);
    cr_expect_eq(mcv_expf(0), 1);
    cr_expect_eq(mcv_expf(INFINITY), INFINITY);
    cr_expect_eq(mcv_expf(-INFINITY), 0);
    cr_expect(isnan(mcv_expf(NAN)));
}

Test(kernel_bounds, erf) {
    sweep(mcv_erff, erf, -1e30f, 1e30f, 1, 0);
    cr_expect_eq(mcv_erff(INFINITY), 1);
    cr_expect_eq(mcv_erff(-INFINITY), -1);
    cr_expect(isnan(mcv_erff(NAN)));
}

Test(kernel_bounds, silu) {
    sweep(mcv_siluf, exact_silu, -87, 1e30f, 2.1, 0);
    sweep(mcv_siluf, exact_silu, -1e30f, -87, 2.1, 1e-36);
}

/* Below -1 the sum 1 + erf cancels; what is left is small. */
Test(kernel_bounds, gelu) {
    sweep(mcv_geluf, exact_gelu, -1, 1e30f, 2.5, 0);
    sweep(mcv_geluf, exact_gelu, -1e30f, -1, 0, 0x1p-23);
}

Test(kernel_bounds, gelu_tanh) {
    sweep(mcv_gelu_tanhf, exact_gelu_tanh, -1, 1e10f, 2.5, 0);
    sweep(mcv_gelu_tanhf, exact_gelu_tanh, -1e10f, -1, 0, 0x1p-24);
}
