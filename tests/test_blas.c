/* OpenBLAS's products against exact arithmetic, within the bounds of blas.h. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "blas/blas.h"
#include "core/tensor.h"
#include "tests/kernels/check_kernel.h"

/* What a call takes, and the memory behind it. */
typedef struct Product {
    size_t m, n, k, panels;
    float *x, *bias, *y, *before;
    void *scratch;
    double *exact, *size; /* [m][n]: the sum, and the sum of absolute values */
} Product;

static uint64_t state = 1;

static uint64_t next_random(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

/* In [-1, 1]. */
static float random_float(void) {
    return (float)next_random() * 0x1p-30f - 1;
}

static void *allocate(size_t bytes) {
    void *memory = aligned_alloc(64, (bytes + 64) / 64 * 64);
    cr_assert_not_null(memory);
    return memory;
}

static float *random_floats(size_t count) {
    float *values = allocate(count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = random_float();
    return values;
}

static mcv_kernels select_blas(void) {
    mcv_kernels kernels = {0};
    if (!mcv_blas_version())
        cr_skip_test("this build has no OpenBLAS");
    cr_assert_eq(mcv_blas_select(&kernels), MCV_OK);
    return kernels;
}

/* Sizes that cross the blocks of OpenBLAS's entries, and that do not. */
static Product make_product(int trial) {
    static const size_t SIZES[][3] = {{1, 1, 1},     {1, 40, 300},   {3, 16, 256}, {7, 257, 31},
                                      {300, 20, 40}, {12, 300, 517}, {5, 33, 0},   {2, 0, 9}};
    const size_t *sizes = SIZES[trial % 8];
    Product p = {.m = sizes[0], .n = sizes[1], .k = sizes[2], .panels = (sizes[1] + MCV_LANES - 1) / MCV_LANES};
    size_t outputs = p.m * p.n;
    p.x = random_floats(p.m * p.k);
    p.bias = trial & 8 ? random_floats(p.n) : NULL;
    p.y = random_floats(outputs);
    p.before = allocate(outputs * sizeof *p.before);
    memcpy(p.before, p.y, outputs * sizeof *p.y);
    p.scratch = allocate(MCV_SCRATCH_BYTES);
    p.exact = calloc(outputs + 1, sizeof *p.exact);
    p.size = calloc(outputs + 1, sizeof *p.size);
    cr_assert(p.exact && p.size);
    return p;
}

static void free_product(Product *p) {
    free(p->x);
    free(p->bias);
    free(p->y);
    free(p->before);
    free(p->scratch);
    free(p->exact);
    free(p->size);
}

static void add_exact(Product *p, size_t m, size_t n, double value) {
    p->exact[m * p->n + n] += value;
    p->size[m * p->n + n] += fabs(value);
}

static void check_product(Product *p, bool accumulate, const char *what) {
    double i = (double)p->k + 3, gamma = i * 0x1p-24 / (1 - i * 0x1p-24);
    for (size_t m = 0; m < p->m; m++)
        for (size_t n = 0; n < p->n; n++) {
            size_t at = m * p->n + n;
            if (p->bias)
                add_exact(p, m, n, p->bias[n]);
            if (accumulate)
                add_exact(p, m, n, p->before[at]);
            cr_assert_leq(fabs(p->y[at] - p->exact[at]), gamma * p->size[at],
                          "%s, %zu x %zu x %zu, y[%zu][%zu]: %a, %a", what, p->m, p->n, p->k, m, n, (double)p->y[at],
                          p->exact[at]);
        }
}

static void test_floats(void (*kernel)(const mcv_gemm_args *), Element type) {
    for (int trial = 0; trial < 32; trial++) {
        Product p = make_product(trial);
        size_t together = type == ELEMENT_BF16 ? 2 : 1, steps = (p.k + together - 1) / together;
        float *w = random_floats(p.panels * steps * together * MCV_LANES);
        uint16_t *narrow = allocate(p.panels * steps * together * MCV_LANES * sizeof *narrow);
        for (size_t i = 0; i < p.panels * steps * together * MCV_LANES; i++)
            if (type != ELEMENT_F32) {
                narrow[i] = type == ELEMENT_F16 ? mcv_f16_from_f32(w[i]) : mcv_bf16_from_f32(w[i]);
                w[i] = type == ELEMENT_F16 ? mcv_f32_from_f16(narrow[i]) : mcv_f32_from_bf16(narrow[i]);
            }
        for (size_t m = 0; m < p.m; m++)
            for (size_t n = 0; n < p.n; n++)
                for (size_t k = 0; k < p.k; k++) {
                    size_t at =
                        ((n / MCV_LANES * steps + k / together) * MCV_LANES + n % MCV_LANES) * together + k % together;
                    add_exact(&p, m, n, (double)p.x[m * p.k + k] * (double)w[at]);
                }
        mcv_gemm_args a = {.m = p.m,
                           .n = p.n,
                           .k = p.k,
                           .x = p.x,
                           .ldx = p.k ? p.k : 1,
                           .w = type == ELEMENT_F32 ? (const void *)w : narrow,
                           .bias = p.bias,
                           .y = p.y,
                           .ldy = p.n ? p.n : 1,
                           .accumulate = trial & 16,
                           .scratch = p.scratch};
        kernel(&a);
        check_product(&p, a.accumulate, type == ELEMENT_F32 ? "f32" : type == ELEMENT_BF16 ? "bf16" : "f16");
        free(w);
        free(narrow);
        free_product(&p);
    }
}

Test(blas, f32) {
    test_floats(select_blas().gemm_f32, ELEMENT_F32);
}

Test(blas, bf16) {
    test_floats(select_blas().gemm_bf16, ELEMENT_BF16);
}

Test(blas, f16) {
    test_floats(select_blas().gemm_f16, ELEMENT_F16);
}

static uint8_t *random_bytes(size_t count, uint8_t mask) {
    uint8_t *bytes = allocate(count);
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)next_random() & mask;
    return bytes;
}

static void test_int4(mcv_kernels *kernels, int trial, size_t group) {
    Product p = make_product(trial);
    size_t groups = mcv_groups(p.k, group), scales = p.panels * groups * MCV_LANES;
    uint8_t *w = random_bytes(scales * group / 2, 255), *zero = random_bytes(scales, 15);
    uint16_t *w_scale = allocate(scales * sizeof *w_scale);
    for (size_t i = 0; i < scales; i++)
        w_scale[i] = mcv_f16_from_f32(random_float());
    int8_t *q = allocate(p.m * groups * group);
    float *scale = allocate(p.m * groups * sizeof *scale);
    int32_t *sum = allocate(p.m * groups * sizeof *sum);
    mcv_quantize_rows_contract(&(mcv_quantize_rows_args){.m = p.m,
                                                         .k = p.k,
                                                         .group = group,
                                                         .sum_group = group,
                                                         .x = p.x,
                                                         .ldx = p.k,
                                                         .q = q,
                                                         .ldq = groups * group,
                                                         .scale = scale,
                                                         .sum = sum});
    mcv_gemm_int4_args a = {.m = p.m,
                            .n = p.n,
                            .k = p.k,
                            .group = group,
                            .q = q,
                            .ldq = groups * group,
                            .scale = scale,
                            .sum = sum,
                            .w = w,
                            .w_scale = w_scale,
                            .w_zero = trial % 3 ? zero : NULL,
                            .bias = p.bias,
                            .y = p.y,
                            .ldy = p.n ? p.n : 1,
                            .accumulate = trial & 16,
                            .scratch = p.scratch};
    for (size_t m = 0; m < p.m; m++)
        for (size_t n = 0; n < p.n; n++)
            for (size_t k = 0; k < p.k; k++) {
                size_t panel = n / MCV_LANES * groups + k / group, at = panel * MCV_LANES + n % MCV_LANES;
                uint8_t byte =
                    w[panel * group / 2 * MCV_LANES + k % group / 8 * MCV_LANES * 4 + n % MCV_LANES * 4 + k % 4];
                int weight = (k % 8 < 4 ? byte & 15 : byte >> 4) - (a.w_zero ? zero[at] : 8);
                add_exact(&p, m, n,
                          (double)weight * mcv_f32_from_f16(w_scale[at]) * q[m * groups * group + k] *
                              scale[m * groups + k / group]);
            }
    kernels->gemm_int4(&a);
    check_product(&p, a.accumulate, "int4");
    free(w);
    free(zero);
    free(w_scale);
    free(q);
    free(scale);
    free(sum);
    free_product(&p);
}

Test(blas, int4) {
    mcv_kernels kernels = select_blas();
    for (int trial = 0; trial < 32; trial++)
        for (size_t group = 32; group <= 128; group *= 2)
            test_int4(&kernels, trial, group);
}

/* ---- Attention ---------------------------------------------------------------------------------------------- */

static mcv_kernels attention_kernels;
static size_t products, compared; /* queries that products were made for; elements */

/* In the place of the kernel: against the exact result, within the contract's bound but for the longer sum of a row's
 * exponentials. */
static void check_attention(const mcv_attention_args *a) {
    double exact[MCV_MAX_HEAD_DIM], bound[MCV_MAX_HEAD_DIM];
    attention_kernels.attention(a);
    products += a->queries >= 16 ? a->queries : 0;
    for (size_t query = 0; query < a->queries; query++) {
        double keys = a->visible[query];
        if (keys > 0)
            attention_bound(a, query, ceil(keys / MCV_LANES) + 8 + ceil(keys / MCV_KEY_BLOCK), exact, bound);
        for (size_t d = 0; d < a->head_dim; d++, compared++) {
            float found = a->y[query * a->ldy + d];
            if (keys > 0)
                cr_assert(fabs(found - exact[d]) <= bound[d], "%zu queries, %.0f keys of %zu, y[%zu][%zu]: %a, %a",
                          a->queries, keys, a->head_dim, query, d, (double)found, exact[d]);
            else
                cr_assert_eq(found, 0);
        }
    }
}

Test(blas, attention) {
    static Trial trial = {.tame = true};
    uint64_t seed = check_seed();
    if (!mcv_blas_version())
        cr_skip_test("this build has no OpenBLAS");
    cr_assert_eq(mcv_kernels_select(NULL, &attention_kernels), MCV_OK);
    cr_assert_eq(mcv_blas_select(&attention_kernels), MCV_OK);
    for (int i = 0; i < 400; i++) {
        trial_begin(&trial, seed, i);
        generate_attention(&trial, check_attention);
    }
    cr_log_info("attention: %zu comparisons, %zu queries by products, MCV_SEED=%" PRIu64, compared, products, seed);
    cr_assert_gt(products, 100);
    trial_free(&trial);
}

/* A build without OpenBLAS says so, and changes nothing. */
Test(blas, missing) {
    mcv_kernels kernels = {0};
    if (mcv_blas_version())
        cr_skip_test("this build has OpenBLAS");
    cr_assert_eq(mcv_blas_select(&kernels), MCV_UNSUPPORTED);
    cr_assert_null(kernels.gemm_f32);
}
