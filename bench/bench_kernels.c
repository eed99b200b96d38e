/* Kernels at the model's shapes on one core, beside what this core computes (chains of fused multiply-adds) and reads
 * (256 MB of memory) at most, measured in the same run.
 *
 * usage: bench_kernels [NAME...]     kernels or targets */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "simd/kernels/cpu_features.h"
#include "simd/kernels/kernel_table.h"

enum { POOL_BYTES = 256 << 20, PEAK_STEPS = 1 << 18 };

/* What every case takes its inputs from: bits that are numbers near one as FP32, BF16 and F16, anything as integers. */
static struct Memory {
    unsigned char *pool;
    float *x, *y; /* 16 MB each */
    float *scale;
    int32_t *sum;
    mcv_kv_block *blocks;
    uint32_t *visible;
    void *scratch;
} memory;

static mcv_kernels kernels;

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void *allocate(size_t bytes) {
    void *data = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!data) {
        fprintf(stderr, "out of memory (%zu bytes)\n", bytes);
        exit(1);
    }
    uint32_t state = 1;
    for (size_t i = 0; i < bytes / 2; i++) {
        state = state * 1664525u + 1013904223u;
        ((uint16_t *)data)[i] = (uint16_t)(0x3f00 | (state >> 16 & 0x80ff));
    }
    return data;
}

static void make_memory(void) {
    memory.pool = allocate(POOL_BYTES);
    memory.x = allocate(16 << 20);
    memory.y = allocate(64 << 20);
    memory.scale = allocate(1 << 20);
    memory.sum = allocate(1 << 20);
    memset(memory.sum, 0, 1 << 20);
    memory.blocks = allocate(4096 * sizeof *memory.blocks);
    memory.visible = allocate(4096 * sizeof *memory.visible);
    memory.scratch = allocate(MCV_SCRATCH_BYTES);
}

/* ---- Cases --------------------------------------------------------------------------------------------------- */

/* A kernel at a shape. What m, n, k mean is the kernel's. */
typedef struct Case {
    mcv_kernel kernel;
    const char *what;
    void (*run)(const struct Case *c);
    size_t m, n, k;
    int kind; /* of keys and values, of activations */
    double flops, bytes;
} Case;

static void gemm_float(const Case *c, void (*kernel)(const mcv_gemm_args *)) {
    kernel(&(mcv_gemm_args){.m = c->m,
                            .n = c->n,
                            .k = c->k,
                            .x = memory.x,
                            .ldx = c->k,
                            .w = memory.pool,
                            .y = memory.y,
                            .ldy = c->n,
                            .scratch = memory.scratch});
}

static void run_gemm_f32(const Case *c) {
    gemm_float(c, kernels.gemm_f32);
}

static void run_gemm_bf16(const Case *c) {
    gemm_float(c, kernels.gemm_bf16);
}

static void run_gemm_int8(const Case *c) {
    kernels.gemm_int8(&(mcv_gemm_int8_args){.m = c->m,
                                            .n = c->n,
                                            .k = c->k,
                                            .q = (const int8_t *)memory.x,
                                            .ldq = c->k,
                                            .scale = memory.scale,
                                            .sum = memory.sum,
                                            .w = (const int8_t *)memory.pool,
                                            .w_scale = memory.scale,
                                            .w_sum = memory.sum,
                                            .y = memory.y,
                                            .ldy = c->n,
                                            .scratch = memory.scratch});
}

/* Groups of 128. Scales lie behind the weights. */
static void run_gemm_int4(const Case *c) {
    kernels.gemm_int4(&(mcv_gemm_int4_args){.m = c->m,
                                            .n = c->n,
                                            .k = c->k,
                                            .group = 128,
                                            .q = (const int8_t *)memory.x,
                                            .ldq = c->k,
                                            .scale = memory.scale,
                                            .sum = memory.sum,
                                            .w = memory.pool,
                                            .w_scale = (const uint16_t *)(memory.pool + c->n * c->k / 2),
                                            .y = memory.y,
                                            .ldy = c->n,
                                            .scratch = memory.scratch});
}

static void run_quantize_rows(const Case *c) {
    kernels.quantize_rows(&(mcv_quantize_rows_args){.m = c->m,
                                                    .k = c->k,
                                                    .group = 128,
                                                    .x = memory.x,
                                                    .ldx = c->k,
                                                    .q = (int8_t *)memory.y,
                                                    .ldq = c->k,
                                                    .scale = memory.scale,
                                                    .sum = memory.sum});
}

/* m queries of head_dim n, k keys. More queries than a few see one key more each, if they are a prompt's (BF16). */
static void run_attention(const Case *c) {
    static const size_t SIZE[MCV_KV_TYPES] = {4, 2, 1};
    size_t bytes = MCV_KEY_BLOCK * c->n * SIZE[c->kind];
    for (size_t i = 0; i < (c->k + MCV_KEY_BLOCK - 1) / MCV_KEY_BLOCK; i++)
        memory.blocks[i] =
            (mcv_kv_block){memory.pool + 2 * i * bytes, memory.pool + (2 * i + 1) * bytes, memory.scale, memory.scale};
    for (size_t i = 0; i < c->m; i++)
        memory.visible[i] = (uint32_t)(c->m == c->k && c->kind == MCV_KV_BF16 ? i + 1 : c->k);
    kernels.attention(&(mcv_attention_args){.queries = c->m,
                                            .head_dim = c->n,
                                            .q = memory.x,
                                            .ldq = c->n,
                                            .scale = 0.01f,
                                            .type = (mcv_kv_type)c->kind,
                                            .blocks = memory.blocks,
                                            .visible = memory.visible,
                                            .y = memory.y,
                                            .ldy = c->n,
                                            .scratch = memory.scratch});
}

static mcv_norm_args norm(const Case *c) {
    return (mcv_norm_args){.rows = c->m,
                           .columns = c->n,
                           .x = memory.x,
                           .ldx = c->n,
                           .weight = memory.scale,
                           .bias = memory.scale,
                           .eps = 1e-6f,
                           .y = memory.y,
                           .ldy = c->n};
}

static void run_rms_norm(const Case *c) {
    mcv_norm_args args = norm(c);
    kernels.rms_norm(&args);
}

static void run_layer_norm(const Case *c) {
    mcv_norm_args args = norm(c);
    kernels.layer_norm(&args);
}

static void run_softmax(const Case *c) {
    kernels.softmax(&(mcv_softmax_args){c->m, c->n, memory.x, c->n, memory.y, c->n});
}

/* Angles of a quarter turn at most: numbers stay in their range however often they are turned. */
static void run_rope(const Case *c) {
    static float cosine[1 << 18], sine[1 << 18];
    cosine[0] = 1;
    for (size_t i = 1; cosine[1] == 0 && i < 1 << 18; i++)
        cosine[i] = i % 2 ? 0.6f : 0.8f, sine[i] = i % 2 ? 0.8f : 0.6f;
    kernels.rope(&(mcv_rope_args){c->m, c->k, c->n, memory.y, c->n * c->k, cosine, sine});
}

static void run_activate(const Case *c) {
    kernels.activate(&(mcv_activate_args){(mcv_activation)c->kind, c->m * c->n, memory.x, memory.y});
}

static mcv_multiply_args two(const Case *c) {
    return (mcv_multiply_args){c->m * c->n, memory.x, (const float *)memory.pool, memory.y};
}

static void run_silu_multiply(const Case *c) {
    mcv_multiply_args args = two(c);
    kernels.silu_multiply(&args);
}

static void run_add(const Case *c) {
    mcv_multiply_args args = two(c);
    kernels.add(&args);
}

#define GEMM(name, what, m, n, k, bits)                                                                                \
    { MCV_KERNEL_##name, what, run_##name, m, n, k, 0, 2.0 * (m) * (n) * (k), (double)(n) * (k) * (bits) / 8 }
#define ATTENTION(what, queries, dim, keys, type, bits, part)                                                          \
    {                                                                                                                  \
        MCV_KERNEL_attention, what, run_attention, queries, dim, keys, type,                                           \
            4.0 * (queries) * (dim) * (keys) * (part), 2.0 * (dim) * (keys) * (bits) / 8                               \
    }
#define ROWS(name, what, m, n, k, kind, floats)                                                                        \
    { MCV_KERNEL_##name, what, run_##name, m, n, k, kind, 0, 4.0 * (m) * (n) * (floats) }

static const Case CASES[] = {
    GEMM(gemm_f32, "vision, 1024 x 1152 x 4304", 1024, 4304, 1152, 32),
    GEMM(gemm_bf16, "vision, 1024 x 1152 x 4304", 1024, 4304, 1152, 16),
    GEMM(gemm_bf16, "token, 1 x 4096 x 16384", 1, 16384, 4096, 16),
    GEMM(gemm_int8, "vision, 1024 x 1152 x 4304", 1024, 4304, 1152, 8),
    GEMM(gemm_int8, "token, 1 x 4096 x 32768", 1, 32768, 4096, 8),
    GEMM(gemm_int4, "prompt, 512 x 4096 x 4096", 512, 4096, 4096, 4 + 16 / 128.0),
    GEMM(gemm_int4, "token, 1 x 4096 x 65536", 1, 65536, 4096, 4 + 16 / 128.0),
    ROWS(quantize_rows, "prompt, 512 x 4096", 512, 4096, 4096, 0, 1.25),
    ATTENTION("vision, 1024 queries and keys of 72, FP32", 1024, 72, 1024, MCV_KV_F32, 32, 1),
    ATTENTION("resampler, 64 queries, 1024 keys of 128, FP32", 64, 128, 1024, MCV_KV_F32, 32, 1),
    ATTENTION("prompt, 512 queries of 128, BF16", 512, 128, 512, MCV_KV_BF16, 16, 513 / 1024.0),
    ATTENTION("token, 4 queries, 65536 keys of 128, FP32", 4, 128, 65536, MCV_KV_F32, 32, 1),
    ATTENTION("token, 4 queries, 131072 keys of 128, BF16", 4, 128, 131072, MCV_KV_BF16, 16, 1),
    ATTENTION("token, 4 queries, 131072 keys of 128, INT8", 4, 128, 131072, MCV_KV_INT8, 8, 1),
    ROWS(rms_norm, "prompt, 512 x 4096", 512, 4096, 0, 0, 2),
    ROWS(layer_norm, "vision, 1024 x 1152", 1024, 1152, 0, 0, 2),
    ROWS(softmax, "1024 x 1024", 1024, 1024, 0, 0, 2),
    ROWS(rope, "prompt, 512 x 32 heads of 128", 512, 128, 32, 0, 2 * 32),
    ROWS(activate, "vision, gelu_tanh of 512 x 4304", 512, 4304, 0, MCV_GELU_TANH, 2),
    ROWS(activate, "gelu of 512 x 4304", 512, 4304, 0, MCV_GELU, 2),
    ROWS(silu_multiply, "prompt, 256 x 12288", 256, 12288, 0, 0, 3),
    ROWS(add, "prompt, 512 x 4096", 512, 4096, 0, 0, 3),
};

/* ---- Measurement --------------------------------------------------------------------------------------------- */

/* The fastest of several runs: others use the machine, too. */
static double fastest(void (*run)(const Case *), const Case *c) {
    double best = 1e30, begin = seconds();
    for (int i = 0; i < 3 || (i < 1000 && seconds() - begin < 0.25); i++) {
        double start = seconds();
        run(c);
        double time = seconds() - start;
        best = time < best ? time : best;
    }
    return best;
}

static void run_chains(const Case *c) {
    (void)c;
    kernels.fma_chains(&(mcv_fma_chains_args){PEAK_STEPS, 0.999f, 1e-3f, memory.y});
}

static void run_read(const Case *c) {
    (void)c;
    static volatile uint64_t result;
    const uint64_t *data = (const uint64_t *)memory.pool;
    uint64_t sum[8] = {0};
    for (size_t i = 0; i < POOL_BYTES / sizeof *data; i += 8)
        for (size_t j = 0; j < 8; j++)
            sum[j] += data[i + j];
    for (size_t j = 0; j < 8; j++)
        result = result + sum[j];
}

static bool is_wanted(char **names, int count, const char *kernel, const char *target) {
    bool kernels_named = false, targets_named = false, kernel_wanted = false, target_wanted = false;
    for (int i = 0; i < count; i++) {
        bool is_target = false;
        for (int t = 0; t < MCV_TARGETS; t++)
            is_target = is_target || strcmp(names[i], mcv_target_name((mcv_target)t)) == 0;
        *(is_target ? &targets_named : &kernels_named) = true;
        target_wanted = target_wanted || strcmp(names[i], target) == 0;
        kernel_wanted = kernel_wanted || strcmp(names[i], kernel) == 0;
    }
    return (!targets_named || target_wanted) && (!kernels_named || kernel_wanted);
}

static void measure(const Case *c, double flops_limit, double read_limit) {
    double time = fastest(c->run, c);
    printf("  %-14s %-46s %9.3f ms", mcv_kernel_name(c->kernel), c->what, 1e3 * time);
    if (c->flops > 0)
        printf(" %7.1f GFLOP/s %5.1f%%", 1e-9 * c->flops / time, 100 * c->flops / time / flops_limit);
    else
        printf(" %7s         %6s", "", "");
    printf(" %6.1f GB/s %5.1f%%\n", 1e-9 * c->bytes / time, 100 * c->bytes / time / read_limit);
    fflush(stdout);
}

int main(int argc, char **argv) {
    make_memory();
    double read_limit = POOL_BYTES / fastest(run_read, NULL);
    printf("reads %.1f GB/s\n", 1e-9 * read_limit);
    for (int t = 1; t < MCV_TARGETS; t++) {
        const char *target = mcv_target_name((mcv_target)t);
        if (!mcv_target_available((mcv_target)t) || mcv_kernels_select(target, &kernels))
            continue;
        double flops_limit = 2.0 * MCV_CHAINS * MCV_LANES * PEAK_STEPS / fastest(run_chains, NULL);
        printf("%s: computes %.1f GFLOP/s in FP32\n", target, 1e-9 * flops_limit);
        for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
            if (mcv_kernel_variant(CASES[i].kernel, (mcv_target)t) &&
                is_wanted(argv + 1, argc - 1, mcv_kernel_name(CASES[i].kernel), target))
                measure(&CASES[i], flops_limit, read_limit);
    }
    return 0;
}
