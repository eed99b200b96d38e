/* The building blocks of the reference against plain formulas in long double. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "ref/nn.h"
#include "ref/nn_matmul.h"

static uint32_t random_state = 12345;

static float random_float(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return (float)(random_state >> 8) * 0x1p-23f - 1;
}

static Tensor random_tensor(const Run *run, int64_t rows, int64_t columns) {
    Tensor x, shape = {.rank = 2, .shape = {rows, columns}};
    cr_assert_eq(Tensor_like_f32(run, &shape, columns, &x), MCV_OK);
    for (int64_t i = 0; i < rows * columns; i++)
        x.f32[i] = random_float();
    return x;
}

/* The documented order: four partial sums over k mod 4, added as (s0 + s2) + (s1 + s3). */
static double documented_dot(const double *a, const double *b, size_t k) {
    double partial[4] = {0};
    for (size_t i = 0; i < k; i++)
        partial[i % 4] += a[i] * b[i];
    return (partial[0] + partial[2]) + (partial[1] + partial[3]);
}

Test(nn, matmul_keeps_its_documented_order_at_every_size) {
    enum { SIDE = 5, K = 23 };
    double a[SIDE * K], b[SIDE * K], c[SIDE * SIDE];
    for (int i = 0; i < SIDE * K; i++) {
        a[i] = (double)random_float();
        b[i] = (double)random_float() * 1e8;
    }
    for (size_t m = 1; m <= SIDE; m++)
        for (size_t n = 1; n <= SIDE; n++)
            for (size_t k = 0; k <= K; k++) {
                matmul_nt(a, K, m, b, K, n, k, c, SIDE);
                for (size_t i = 0; i < m; i++)
                    for (size_t j = 0; j < n; j++)
                        cr_assert_eq(c[i * SIDE + j], documented_dot(a + i * K, b + j * K, k), "%zu %zu %zu", m, n, k);
            }
}

Test(nn, exp_is_within_two_ulps) {
    for (double x = -744; x < 709.7; x += 0.0137) {
        double expected = exp(x), unit = nextafter(expected, INFINITY) - expected;
        cr_assert(fabs(nn_exp(x) - expected) <= 2 * unit, "exp(%a) = %a, found %a", x, expected, nn_exp(x));
    }
    cr_assert_eq(nn_exp(0), 1);
    cr_assert_eq(nn_exp(-INFINITY), 0);
    cr_assert_eq(nn_exp(-800), 0);
    cr_assert_eq(nn_exp(710), INFINITY);
    cr_assert(isnan(nn_exp(NAN)));
}

/* y = x W^T + b for one dtype of the weights, rows and features of every parity. */
static void check_linear(mcv_weight_type type, int64_t rows, int64_t in, int64_t out, int threads) {
    mcv_arena arena = {0};
    mcv_pool *pool;
    cr_assert_eq(mcv_pool_create(&pool, threads), MCV_OK);
    Run run = {.pool = pool, .arena = &arena};
    Tensor x = random_tensor(&run, rows, in), weight = random_tensor(&run, out, in), y;
    Tensor bias = random_tensor(&run, 1, out);
    uint16_t *half;
    cr_assert_eq(MCV_ARENA_NEW(&arena, &half, out * in), MCV_OK);
    for (int64_t i = 0; i < out * in; i++)
        half[i] = type == MCV_WEIGHT_BF16 ? mcv_bf16_from_f32(weight.f32[i]) : mcv_f16_from_f32(weight.f32[i]);
    const void *data = type == MCV_WEIGHT_F32 ? (const void *)weight.f32 : half;
    Linear linear = {.weight = mcv_weight_matrix(type, data, out, in), .bias = bias.f32};
    float *row;
    cr_assert_eq(MCV_ARENA_NEW(&arena, &row, in), MCV_OK);
    cr_assert_eq(Linear_forward(&run, &linear, &x, &y), MCV_OK);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < out; j++) {
            long double sum = (long double)bias.f32[j], size = 0;
            mcv_weight_to_f32(&linear.weight, (size_t)j, 1, row);
            for (int64_t k = 0; k < in; k++) {
                long double product = (long double)x.f32[i * in + k] * (long double)row[k];
                sum += product;
                size += fabsl(product);
            }
            long double error = fabsl((long double)y.f32[i * out + j] - sum);
            cr_assert(error <= 0x1p-24L * fabsl(sum) + 0x1p-48L * size, "[%d, %d] of %d", (int)i, (int)j, (int)type);
        }
    mcv_arena_free(&arena);
    mcv_pool_free(pool);
}

Test(nn, linear_rounds_once_for_every_type_of_weights) {
    const mcv_weight_type TYPES[] = {MCV_WEIGHT_F32, MCV_WEIGHT_F16, MCV_WEIGHT_BF16};
    for (size_t i = 0; i < 3; i++) {
        check_linear(TYPES[i], 1, 1, 1, 1);
        check_linear(TYPES[i], 1, 33, 7, 3);
        check_linear(TYPES[i], 17, 30, 8, 2);
        check_linear(TYPES[i], 35, 5, 9, 4);
    }
}

static Tensor attend(mcv_pool *pool, mcv_arena *arena, const Tensor *q, const Tensor *kv, int heads, int kv_heads,
                     int dim, const int64_t *visible) {
    Run run = {.pool = pool, .arena = arena};
    const float **rows;
    Tensor output;
    cr_assert_eq(Tensor_like_f64(&run, q, heads * dim, &output), MCV_OK);
    cr_assert_eq(MCV_ARENA_NEW(arena, &rows, kv->shape[0]), MCV_OK);
    for (int64_t j = 0; j < kv->shape[0]; j++)
        rows[j] = kv->f32 + j * kv_heads * dim;
    AttentionInput input = {.num_heads = heads,
                            .num_kv_heads = kv_heads,
                            .head_dim = dim,
                            .scale = 1 / sqrt(dim),
                            .num_queries = q->shape[0],
                            .num_keys = kv->shape[0],
                            .q_f32 = q->f32,
                            .k_f32 = rows,
                            .v_f32 = rows,
                            .visible = visible,
                            .output = output.f64};
    cr_assert_eq(attention_forward(&run, &input, 1), MCV_OK);
    return output;
}

Test(nn, attention_matches_the_formula_and_any_number_of_threads) {
    enum { QUERIES = 19, KEYS = 37, HEADS = 6, KV_HEADS = 2, DIM = 5 };
    mcv_arena arena = {0};
    Run run = {.arena = &arena};
    Tensor q = random_tensor(&run, QUERIES, HEADS * DIM), kv = random_tensor(&run, KEYS, KV_HEADS * DIM);
    int64_t visible[QUERIES];
    for (int i = 0; i < QUERIES; i++)
        visible[i] = i == 3 ? 0 : 1 + (i * 7) % KEYS;
    Tensor output = attend(NULL, &arena, &q, &kv, HEADS, KV_HEADS, DIM, visible);
    for (int i = 0; i < QUERIES; i++)
        for (int head = 0; head < HEADS; head++) {
            int kv_head = head / (HEADS / KV_HEADS);
            long double weights[KEYS], total = 0;
            for (int j = 0; j < visible[i]; j++) {
                long double score = 0;
                for (int d = 0; d < DIM; d++)
                    score += (long double)q.f32[(i * HEADS + head) * DIM + d] *
                             (long double)kv.f32[(j * KV_HEADS + kv_head) * DIM + d];
                total += weights[j] = expl(score / sqrtl(DIM));
            }
            for (int d = 0; d < DIM; d++) {
                long double expected = 0;
                for (int j = 0; j < visible[i]; j++)
                    expected += weights[j] / total * (long double)kv.f32[(j * KV_HEADS + kv_head) * DIM + d];
                cr_assert(fabsl((long double)output.f64[(i * HEADS + head) * DIM + d] - expected) < 1e-14L);
            }
        }
    for (int threads = 2; threads <= 7; threads++) {
        mcv_pool *pool;
        cr_assert_eq(mcv_pool_create(&pool, threads), MCV_OK);
        Tensor again = attend(pool, &arena, &q, &kv, HEADS, KV_HEADS, DIM, visible);
        cr_assert_arr_eq(again.f64, output.f64, sizeof(double) * QUERIES * HEADS * DIM);
        mcv_pool_free(pool);
    }
    mcv_arena_free(&arena);
}

Test(nn, activations_round_once) {
    enum { COUNT = 4001 };
    mcv_arena arena = {0};
    Run run = {.arena = &arena};
    Tensor x = random_tensor(&run, 1, COUNT), y;
    for (int i = 0; i < COUNT; i++)
        x.f32[i] = (float)(i - 2000) / 100;
    for (int activation = ACTIVATION_SILU; activation <= ACTIVATION_RELU; activation++) {
        cr_assert_eq(Activation_forward(&run, (Activation)activation, "", &x, &y), MCV_OK);
        for (int i = 0; i < COUNT; i++) {
            long double v = (long double)x.f32[i], expected = 0;
            if (activation == ACTIVATION_SILU)
                expected = v / (1 + expl(-v));
            else if (activation == ACTIVATION_GELU)
                expected = v / 2 * erfcl(-v / sqrtl(2));
            else if (activation == ACTIVATION_GELU_PYTORCH_TANH)
                expected = v / (1 + expl(-2 * sqrtl(2 / acosl(-1)) * (v + 0.044715L * v * v * v)));
            else
                expected = v > 0 ? v : 0;
            cr_assert(fabsl((long double)y.f32[i] - expected) <= 0x1.0001p-24L * fabsl(expected) + 0x1p-149L,
                      "activation %d of %g", activation, (double)v);
        }
    }
    mcv_arena_free(&arena);
}

static int shown;

static mcv_status count_outputs(void *context, const char *name, const mcv_tensor *output) {
    (void)output;
    shown++;
    return strcmp(name, context) == 0 ? MCV_OK : MCV_DIFFERS;
}

Test(nn, the_tap_sees_names_with_the_encoders_batch_and_can_stop_the_run) {
    mcv_arena arena = {0};
    Run run = {.arena = &arena, .tap = count_outputs, .tap_context = "vpm.layer#2", .tap_suffix = "#2"};
    Tensor x = random_tensor(&run, 2, 2);
    cr_expect_eq(Run_output(&run, "vpm.layer", &x), MCV_OK);
    cr_expect_eq(Run_output(&run, "llm.layer", &x), MCV_DIFFERS);
    cr_expect_eq(Run_output(&run, "", &x), MCV_OK, "no module's output");
    cr_expect_eq(shown, 2);
    mcv_arena_free(&arena);
}
