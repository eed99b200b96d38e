/* The reference at the model's full shapes: GFLOP/s a core of linear layers and attention, from which the time of a
 * 448 x 448 slice and of a token follows for the machine at hand. Weights are random BF16 numbers. */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "ref/nn.h"

/* A number in about [-1, 1]. */
static float random_float(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) * 0x1p-23f - 1;
}

static mcv_status random_activation(const Run *run, int64_t rows, int64_t columns, Tensor *x) {
    uint32_t state = 1;
    Tensor shape = {.rank = 2, .shape = {rows, columns}};
    MCV_TRY(Tensor_like_f32(run, &shape, columns, x));
    for (int64_t i = 0; i < rows * columns; i++)
        x->f32[i] = random_float(&state);
    return MCV_OK;
}

static mcv_status random_linear(mcv_arena *arena, int64_t in, int64_t out, Linear *linear) {
    uint16_t *weight;
    uint32_t state = 2;
    MCV_TRY(MCV_ARENA_NEW(arena, &weight, in * out));
    for (int64_t i = 0; i < in * out; i++) {
        float value = random_float(&state);
        memcpy(&weight[i], (char *)&value + 2, 2); /* the upper half of a float is a BF16 */
    }
    *linear = (Linear){.weight = mcv_weight_matrix(MCV_WEIGHT_BF16, weight, out, in)};
    return MCV_OK;
}

static void report(const char *what, double flops, double time, int threads) {
    printf("  %-58s %8.3f s %7.2f GFLOP/s a core\n", what, time, flops / time / 1e9 / threads);
}

static mcv_status bench_linear(const Run *run, const char *what, int64_t rows, int64_t in, int64_t out, double *time) {
    char label[96];
    Tensor x, y;
    Linear linear;
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    MCV_TRY(random_activation(run, rows, in, &x));
    MCV_TRY(random_linear(run->arena, in, out, &linear));
    double start = mcv_seconds();
    MCV_TRY(Linear_forward(run, &linear, &x, &y));
    *time = mcv_seconds() - start;
    snprintf(label, sizeof label, "%s, %lld x %lld x %lld", what, (long long)rows, (long long)in, (long long)out);
    report(label, 2.0 * (double)rows * (double)in * (double)out, *time, mcv_pool_threads(run->pool));
    mcv_arena_restore(run->arena, mark);
    return MCV_OK;
}

static mcv_status bench_attention(const Run *run, int64_t queries, int64_t keys, int num_heads, int num_kv_heads,
                                  int head_dim, double *time) {
    char label[96];
    Tensor q, kv, context;
    const float **rows;
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    MCV_TRY(random_activation(run, queries, (int64_t)num_heads * head_dim, &q));
    MCV_TRY(random_activation(run, keys, (int64_t)num_kv_heads * head_dim, &kv));
    MCV_TRY(Tensor_like_f64(run, &q, Tensor_columns(&q), &context));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &rows, keys));
    for (int64_t j = 0; j < keys; j++)
        rows[j] = kv.f32 + j * Tensor_columns(&kv);
    AttentionInput input = {.num_heads = num_heads,
                            .num_kv_heads = num_kv_heads,
                            .head_dim = head_dim,
                            .scale = 0.1,
                            .num_queries = queries,
                            .num_keys = keys,
                            .q_f32 = q.f32,
                            .k_f32 = rows,
                            .v_f32 = rows,
                            .output = context.f64};
    double start = mcv_seconds();
    MCV_TRY(attention_forward(run, &input, 1));
    *time = mcv_seconds() - start;
    snprintf(label, sizeof label, "attention, %lld queries, %lld keys", (long long)queries, (long long)keys);
    report(label, 4.0 * (double)queries * (double)keys * num_heads * head_dim, *time, mcv_pool_threads(run->pool));
    mcv_arena_restore(run->arena, mark);
    return MCV_OK;
}

static mcv_status bench_slice(const Run *run) {
    double square, fc1, fc2, attention, kv_proj, in_proj;
    puts("SigLIP, one 448 x 448 slice (1024 patches), a layer:");
    MCV_TRY(bench_linear(run, "q_proj, k_proj, v_proj, out_proj", 1024, 1152, 1152, &square));
    MCV_TRY(bench_linear(run, "fc1", 1024, 1152, 4304, &fc1));
    MCV_TRY(bench_linear(run, "fc2", 1024, 4304, 1152, &fc2));
    MCV_TRY(bench_attention(run, 1024, 1024, 16, 16, 72, &attention));
    puts("resampler:");
    MCV_TRY(bench_linear(run, "kv_proj", 1024, 1152, 4096, &kv_proj));
    MCV_TRY(bench_linear(run, "in_proj of k, v", 1024, 4096, 4096, &in_proj));
    printf("a slice: %.1f s (27 layers and the resampler's projections)\n",
           27 * (4 * square + fc1 + fc2 + attention) + kv_proj + 2 * in_proj);
    return MCV_OK;
}

static mcv_status bench_token(const Run *run) {
    double q_proj, k_proj, gate_proj, down_proj, lm_head, attention;
    puts("Qwen3, one token behind 1024, a layer:");
    MCV_TRY(bench_linear(run, "q_proj, o_proj", 1, 4096, 4096, &q_proj));
    MCV_TRY(bench_linear(run, "k_proj, v_proj", 1, 4096, 1024, &k_proj));
    MCV_TRY(bench_linear(run, "gate_proj, up_proj", 1, 4096, 12288, &gate_proj));
    MCV_TRY(bench_linear(run, "down_proj", 1, 12288, 4096, &down_proj));
    MCV_TRY(bench_attention(run, 1, 1024, 32, 8, 128, &attention));
    MCV_TRY(bench_linear(run, "lm_head", 1, 4096, 151748, &lm_head));
    double token = 36 * (2 * q_proj + 2 * k_proj + 2 * gate_proj + down_proj + attention) + lm_head;
    printf("a token: %.2f s, %.2f tokens a second (36 layers and lm_head)\n", token, 1 / token);
    return MCV_OK;
}

int main(void) {
    mcv_arena arena = {0};
    mcv_pool *pool;
    mcv_status status = mcv_pool_create(&pool, 0);
    if (status == MCV_OK) {
        Run run = {.pool = pool, .arena = &arena, .tap_suffix = ""};
        printf("%d threads\n", mcv_pool_threads(pool));
        status = bench_slice(&run);
        if (status == MCV_OK)
            status = bench_token(&run);
    }
    if (status != MCV_OK)
        fprintf(stderr, "bench_reference: %s\n", mcv_error_message());
    mcv_arena_free(&arena);
    mcv_pool_free(pool);
    return mcv_exit_code(status);
}
