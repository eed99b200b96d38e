/* Arguments of the matrix products and of the quantization of their inputs. */
#include <float.h>
#include <math.h>

#include "simd/kernels/gemm_contract.h"
#include "tests/kernels/kernel_trial.h"

enum { MAX_PRODUCTS = 60000 }; /* multiply-adds a trial: contracts are slow */

static size_t round_up(size_t value, size_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

/* Mostly small ones of every size; k crosses MCV_K_BLOCK now and then, a single row is a third of the trials. */
static void draw_sizes(Trial *trial, size_t *m, size_t *n, size_t *k) {
    *m = trial_chance(trial, 3) ? 1 : trial_between(trial, 0, trial_chance(trial, 8) ? 100 : 20);
    *n = trial_size(trial, trial_chance(trial, 8) ? 600 : 100);
    *k = trial_chance(trial, 2) ? trial_between(trial, 0, 150) : trial_between(trial, 0, 1100);
    if (*m * *n * *k > MAX_PRODUCTS)
        *k = MAX_PRODUCTS / (*m * *n);
}

/* Rows with space between them half of the times. */
static Shape rows_of(Trial *trial, size_t rows, size_t columns) {
    return (Shape){rows, columns, columns + (trial_chance(trial, 2) ? trial_below(trial, 70) : 0), 0};
}

typedef struct Output {
    float *y;
    size_t ldy;
    const float *bias;
    bool accumulate;
} Output;

static Output make_output(Trial *trial, size_t m, size_t n) {
    Shape shape = rows_of(trial, m, n);
    Output output = {.ldy = shape.stride, .accumulate = trial_chance(trial, 3)};
    Values values = trial_values(trial);
    output.bias = trial_chance(trial, 2) ? trial_row(trial, "bias", n, values) : NULL;
    output.y = output.accumulate ? trial_filled(trial, "y", ELEMENT_F32, shape, values)
                                 : trial_buffer(trial, "y", ELEMENT_F32, shape);
    return output;
}

/* The part of a product's arguments that all kinds have, by the same names. */
#define SET_OUTPUT(trial, a)                                                                                           \
    do {                                                                                                               \
        Output output = make_output(trial, (a).m, (a).n);                                                              \
        (a).y = output.y;                                                                                              \
        (a).ldy = output.ldy;                                                                                          \
        (a).bias = output.bias;                                                                                        \
        (a).accumulate = output.accumulate;                                                                            \
        (a).scratch = trial_scratch(trial);                                                                            \
    } while (0)

/* ---- Floats ------------------------------------------------------------------------------------------------- */

/* Fills the places of packed weights [panels][k / together][16][together] that have an n and a k, zeros elsewhere. */
static void *pack(Trial *trial, Element element, size_t n, size_t k, size_t together, Values values) {
    size_t panels = round_up(n, MCV_LANES) / MCV_LANES, steps = round_up(k, together) / together;
    size_t count = panels * steps * MCV_LANES * together, size = element_size(element);
    unsigned char *w = trial_filled(trial, "w", element, (Shape){1, count, count, 64}, values);
    for (size_t i = 0; i < count; i++) {
        size_t column = i / together % MCV_LANES + i / together / MCV_LANES / (steps ? steps : 1) * MCV_LANES;
        if (column >= n || i / together / MCV_LANES % steps * together + i % together >= k)
            memset(w + i * size, 0, size);
    }
    return w;
}

/* More of x than scratch memory holds, which is done in parts; rarely, as it takes long. */
static void draw_large_sizes(Trial *trial, size_t *m, size_t *n, size_t *k) {
    *m = trial_between(trial, 49, 60);
    *n = trial_between(trial, 1, 40);
    *k = trial_between(trial, 2500, 5500);
}

/* Draws the arguments. */
static mcv_gemm_args make_gemm(Trial *trial, Element element, size_t together) {
    mcv_gemm_args a = {0};
    if (trial_chance(trial, 300))
        draw_large_sizes(trial, &a.m, &a.n, &a.k);
    else
        draw_sizes(trial, &a.m, &a.n, &a.k);
    Values values = trial_values(trial);
    Shape shape = rows_of(trial, a.m, a.k);
    a.x = trial_filled(trial, "x", ELEMENT_F32, shape, values);
    a.ldx = shape.stride;
    a.w = pack(trial, element, a.n, a.k, together, values);
    SET_OUTPUT(trial, a);
    trial_describe(trial, "m %zu, n %zu, k %zu, ldx %zu, ldy %zu%s%s", a.m, a.n, a.k, a.ldx, a.ldy,
                   a.bias ? ", bias" : "", a.accumulate ? ", accumulate" : "");
    trial_output(trial, a.y);
    return a;
}

void generate_gemm_f32(Trial *trial, void (*kernel)(const mcv_gemm_args *)) {
    mcv_gemm_args a = make_gemm(trial, ELEMENT_F32, 1);
    kernel(&a);
}

void generate_gemm_bf16(Trial *trial, void (*kernel)(const mcv_gemm_args *)) {
    mcv_gemm_args a = make_gemm(trial, ELEMENT_BF16, 2);
    kernel(&a);
}

void generate_gemm_f16(Trial *trial, void (*kernel)(const mcv_gemm_args *)) {
    mcv_gemm_args a = make_gemm(trial, ELEMENT_F16, 1);
    kernel(&a);
}

/* The contract and a variant may both be off, in opposite directions. */
void generate_gemm_bf16_fast(Trial *trial, void (*kernel)(const mcv_gemm_args *)) {
    mcv_gemm_args a = make_gemm(trial, ELEMENT_BF16, 2);
    float *slack = trial_buffer(trial, "slack", ELEMENT_F32, (Shape){a.m, a.n, a.n, 0});
    for (size_t m = 0; m < a.m; m++)
        for (size_t n = 0; n < a.n; n++) {
            double exact, bound = bf16_fast_bound(&a, m, n, &exact);
            slack[m * a.n + n] = (float)(2.001 * bound);
        }
    trial_slack(trial, a.y, slack);
    kernel(&a);
}

double bf16_fast_bound(const mcv_gemm_args *a, size_t m, size_t n, double *exact) {
    const double u = 0x1p-24, least = 0x1p-126, roundings = (double)a->k + 5;
    double size = 0, inputs = 0;
    *exact = 0;
    for (size_t k = 0; k < a->k; k++) {
        double r = (double)mcv_rounded_to_bf16(a->x[m * a->ldx + k]), w = (double)mcv_bf16_weight(a, n, k);
        *exact += r * w;
        size += fabs(r * w);
        inputs += fabs(r) + fabs(w);
    }
    const double others[] = {a->bias ? (double)a->bias[n] : 0, a->accumulate ? (double)a->y[m * a->ldy + n] : 0};
    *exact += others[0] + others[1];
    size += fabs(others[0]) + fabs(others[1]);
    if (!(size < FLT_MAX / 2))
        return INFINITY;
    return roundings * u / (1 - roundings * u) * size + least * (inputs + 2 * (double)a->k + 4);
}

/* ---- Integers ----------------------------------------------------------------------------------------------- */

typedef struct Quantized {
    int8_t *q;
    size_t ldq;
    const float *scale;
    const int32_t *sum;
} Quantized;

/* Rows in [-127, 127], at times all at the ends of it, zeros behind k; sums and scales as quantize_rows gives them, for
 * all k if a group is 0. */
static Quantized make_quantized(Trial *trial, size_t m, size_t k, size_t group, size_t sum_group, size_t padded) {
    Shape shape = rows_of(trial, m, padded);
    size_t groups = group ? round_up(k, group) / group : 1, sums = sum_group ? round_up(k, sum_group) / sum_group : 1;
    bool extreme = trial_chance(trial, 4);
    Quantized quantized = {.q = trial_buffer(trial, "q", ELEMENT_I8, shape), .ldq = shape.stride};
    int32_t *sum = trial_buffer(trial, "sum", ELEMENT_I32, (Shape){m, sums, sums, 0});
    for (size_t row = 0; row < m; row++) {
        memset(sum + row * sums, 0, sums * sizeof *sum);
        for (size_t i = 0; i < padded; i++) {
            int value = extreme ? (trial_chance(trial, 2) ? 127 : -127) : (int)trial_below(trial, 255) - 127;
            quantized.q[row * shape.stride + i] = (int8_t)(i < k ? value : 0);
            if (i < k)
                sum[row * sums + (sum_group ? i / sum_group : 0)] += value;
        }
    }
    quantized.sum = sum;
    quantized.scale = trial_filled(trial, "scale", ELEMENT_F32, (Shape){m, groups, groups, 0}, trial_values(trial));
    return quantized;
}

void generate_gemm_int8(Trial *trial, void (*kernel)(const mcv_gemm_int8_args *)) {
    mcv_gemm_int8_args a = {0};
    draw_sizes(trial, &a.m, &a.n, &a.k);
    size_t padded = round_up(a.k, MCV_K_PADDING), panels = round_up(a.n, MCV_LANES) / MCV_LANES;
    Quantized x = make_quantized(trial, a.m, a.k, 0, 0, padded);
    Values values = trial_values(trial);
    bool extreme = trial_chance(trial, 4);
    size_t count = panels * padded * MCV_LANES;
    int8_t *w = trial_buffer(trial, "w", ELEMENT_I8, (Shape){1, count, count, 64});
    int32_t *w_sum = trial_buffer(trial, "w_sum", ELEMENT_I32, (Shape){1, panels * MCV_LANES, panels * MCV_LANES, 0});
    memset(w_sum, 0, panels * MCV_LANES * sizeof *w_sum);
    for (size_t i = 0; i < count; i++) {
        size_t step = i / 4 / MCV_LANES, n = step / (padded / 4) * MCV_LANES + i / 4 % MCV_LANES;
        size_t k = step % (padded / 4) * 4 + i % 4;
        int value = extreme ? (trial_chance(trial, 2) ? 127 : -127) : (int)trial_below(trial, 255) - 127;
        w[i] = (int8_t)(n < a.n && k < a.k ? value : 0);
        w_sum[n] += w[i];
    }
    a.q = x.q;
    a.ldq = x.ldq;
    a.scale = x.scale;
    a.sum = x.sum;
    a.w = w;
    a.w_sum = w_sum;
    a.w_scale = trial_row(trial, "w_scale", panels * MCV_LANES, values);
    SET_OUTPUT(trial, a);
    trial_describe(trial, "m %zu, n %zu, k %zu, ldq %zu, ldy %zu%s%s", a.m, a.n, a.k, a.ldq, a.ldy,
                   a.bias ? ", bias" : "", a.accumulate ? ", accumulate" : "");
    trial_output(trial, a.y);
    kernel(&a);
}

/* Nibbles behind k are random as well: q is 0 there. */
void generate_gemm_int4(Trial *trial, void (*kernel)(const mcv_gemm_int4_args *)) {
    mcv_gemm_int4_args a = {.group = (size_t)32 << trial_below(trial, 3)};
    draw_sizes(trial, &a.m, &a.n, &a.k);
    size_t groups = round_up(a.k, a.group) / a.group, panels = round_up(a.n, MCV_LANES) / MCV_LANES;
    size_t bytes = panels * groups * a.group / 2 * MCV_LANES, scales = panels * groups * MCV_LANES;
    Quantized x = make_quantized(trial, a.m, a.k, a.group, a.group, groups * a.group);
    uint8_t *w = trial_filled(trial, "w", ELEMENT_U8, (Shape){1, bytes, bytes, 64}, VALUES_BITS);
    if (trial_chance(trial, 4))
        memset(w, trial_chance(trial, 2) ? 0xff : 0, bytes);
    a.q = x.q;
    a.ldq = x.ldq;
    a.scale = x.scale;
    a.sum = x.sum;
    a.w = w;
    a.w_scale = trial_filled(trial, "w_scale", ELEMENT_F16, (Shape){1, scales, scales, 0}, trial_values(trial));
    if (trial_chance(trial, 2)) {
        uint8_t *zero = trial_filled(trial, "w_zero", ELEMENT_U8, (Shape){1, scales, scales, 0}, VALUES_BITS);
        for (size_t i = 0; i < scales; i++)
            zero[i] %= 17;
        a.w_zero = zero;
    }
    SET_OUTPUT(trial, a);
    trial_describe(trial, "m %zu, n %zu, k %zu, group %zu%s, ldq %zu, ldy %zu%s%s", a.m, a.n, a.k, a.group,
                   a.w_zero ? " with zeros" : "", a.ldq, a.ldy, a.bias ? ", bias" : "",
                   a.accumulate ? ", accumulate" : "");
    trial_output(trial, a.y);
    kernel(&a);
}

/* Random bytes, at times all the same. */
static void *random_codes(Trial *trial, const char *name, Element element, size_t count, size_t alignment) {
    void *codes = trial_filled(trial, name, element, (Shape){1, count, count, alignment}, VALUES_BITS);
    static const int SAME[] = {0, 127, 128, 255};
    if (trial_chance(trial, 4))
        memset(codes, SAME[trial_below(trial, 4)], count);
    return codes;
}

void generate_gemm_blocks(Trial *trial, void (*kernel)(const mcv_gemm_blocks_args *)) {
    mcv_gemm_blocks_args a = {.group = trial_chance(trial, 2) ? 16 : 32, .bits = 4 + 2 * (int)trial_below(trial, 3)};
    bool scaled = trial_chance(trial, 2), minima = trial_chance(trial, 2);
    draw_sizes(trial, &a.m, &a.n, &a.k);
    if (trial_chance(trial, 50)) { /* more rows than weights are unpacked for at a time */
        a.m = trial_between(trial, 250, 300);
        a.n = trial_between(trial, 0, 20);
    }
    a.block = scaled ? 256 : a.group;
    a.k = scaled && a.k < a.block && !trial_chance(trial, 4) ? a.block : a.k - a.k % a.block;
    a.zero = trial_chance(trial, 2) ? 128 : (int)trial_below(trial, 129);
    if (a.bits == 4 && trial_chance(trial, 2))
        a.levels = random_codes(trial, "levels", ELEMENT_I8, 16, 0);
    size_t panels = round_up(a.n, MCV_LANES) / MCV_LANES, blocks = panels * (a.k / a.block) * MCV_LANES;
    size_t groups = panels * (a.k / a.group) * MCV_LANES;
    Quantized x = make_quantized(trial, a.m, a.k, a.block, scaled ? 16 : a.block, a.k);
    a.q = x.q;
    a.ldq = x.ldq;
    a.scale = x.scale;
    a.sum = x.sum;
    a.w = random_codes(trial, "w", ELEMENT_U8, panels * MCV_LANES * a.k / 8 * (size_t)a.bits, 64);
    a.w_scale = trial_filled(trial, "w_scale", ELEMENT_F16, (Shape){1, blocks, blocks, 0}, trial_values(trial));
    if (scaled)
        a.w_group_scale = random_codes(trial, "w_group_scale", ELEMENT_I8, groups, 0);
    if (minima)
        a.w_min = trial_filled(trial, "w_min", ELEMENT_F16, (Shape){1, blocks, blocks, 0}, trial_values(trial));
    if (scaled && minima)
        a.w_group_min = random_codes(trial, "w_group_min", ELEMENT_U8, groups, 0);
    SET_OUTPUT(trial, a);
    trial_describe(
        trial, "m %zu, n %zu, k %zu, blocks of %zu, groups of %zu%s, %d bits, zero %d%s, ldq %zu, ldy %zu%s%s", a.m,
        a.n, a.k, a.block, a.group, a.w_min ? " with minima" : "", a.bits, a.zero, a.levels ? ", levels" : "", a.ldq,
        a.ldy, a.bias ? ", bias" : "", a.accumulate ? ", accumulate" : "");
    trial_output(trial, a.y);
    kernel(&a);
}

/* Levels of all sizes, at times all at the ends of what they may be. */
static const int16_t *random_levels(Trial *trial) {
    int16_t *levels = trial_buffer(trial, "levels", ELEMENT_I16, (Shape){1, 16, 16, 0});
    bool extreme = trial_chance(trial, 4);
    for (int i = 0; i < 16; i++) {
        int level = (int)trial_below(trial, 2 * MCV_MOST_LEVEL + 1) - MCV_MOST_LEVEL;
        levels[i] = (int16_t)(!extreme ? level : level < 0 ? -MCV_MOST_LEVEL : MCV_MOST_LEVEL);
    }
    return levels;
}

void generate_gemm_nf4(Trial *trial, void (*kernel)(const mcv_gemm_nf4_args *)) {
    mcv_gemm_nf4_args a = {.group = 16 * trial_between(trial, 1, trial_chance(trial, 4) ? 32 : 4)};
    draw_sizes(trial, &a.m, &a.n, &a.k);
    a.k -= a.k % a.group;
    size_t panels = round_up(a.n, MCV_LANES) / MCV_LANES, scales = panels * (a.k / a.group) * MCV_LANES;
    Quantized x = make_quantized(trial, a.m, a.k, a.group, a.group, a.k);
    a.levels = random_levels(trial);
    a.q = x.q;
    a.ldq = x.ldq;
    a.scale = x.scale;
    a.w = random_codes(trial, "w", ELEMENT_U8, panels * MCV_LANES * a.k / 2, 64);
    a.w_scale = trial_filled(trial, "w_scale", ELEMENT_F32, (Shape){1, scales, scales, 0}, trial_values(trial));
    SET_OUTPUT(trial, a);
    trial_describe(trial, "m %zu, n %zu, k %zu, group %zu, ldq %zu, ldy %zu%s%s", a.m, a.n, a.k, a.group, a.ldq, a.ldy,
                   a.bias ? ", bias" : "", a.accumulate ? ", accumulate" : "");
    trial_output(trial, a.y);
    kernel(&a);
}

void generate_quantize_rows(Trial *trial, void (*kernel)(const mcv_quantize_rows_args *)) {
    mcv_quantize_rows_args a = {.m = trial_below(trial, 6), .k = trial_size(trial, 700)};
    a.group = trial_chance(trial, 3) ? a.k : (size_t)32 << trial_below(trial, 4);
    a.sum_group = a.group != a.k && trial_chance(trial, 2) ? a.group >> trial_between(trial, 1, 2) : a.group;
    Shape shape = rows_of(trial, a.m, a.k);
    size_t groups = a.group ? round_up(a.k, a.group) / a.group : 0;
    size_t sums = a.group ? round_up(a.k, a.sum_group) / a.sum_group : 0;
    a.x = trial_filled(trial, "x", ELEMENT_F32, shape, trial_values(trial));
    a.ldx = shape.stride;
    a.ldq = round_up(a.k, MCV_K_PADDING) + (trial_chance(trial, 2) ? trial_below(trial, 70) : 0);
    a.q = trial_buffer(trial, "q", ELEMENT_I8, (Shape){a.m, a.ldq, a.ldq, 0});
    a.scale = trial_buffer(trial, "scale", ELEMENT_F32, (Shape){a.m, groups, groups, 0});
    a.sum = trial_buffer(trial, "sum", ELEMENT_I32, (Shape){a.m, sums, sums, 0});
    trial_describe(trial, "m %zu, k %zu, group %zu, sum_group %zu, ldx %zu, ldq %zu", a.m, a.k, a.group, a.sum_group,
                   a.ldx, a.ldq);
    trial_output(trial, a.q);
    trial_output(trial, a.scale);
    trial_output(trial, a.sum);
    kernel(&a);
}
