#include "cli/bench_kernels.h"
#include "core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blas/blas.h"
#include "cli/json_output.h"
#include "cli/kernel_work.h"
#include "cli/read_limit.h"
#include "core/threads.h"
#include "simd/kernels/peaks.h"

enum {
    SAMPLES = 9, /* pairs of a kernel's time and its limit's */
    PEAK_ROUNDS = 1000 * 1000,
};

#define GEMM(name, limit, m, n, k, layers, group)                                                                      \
    { MCV_KERNEL_gemm_##name, MCV_LIMIT_##limit, m, n, k, layers, group, 0, 0, false, false }
#define BLOCKS(limit, m, n, k, layers, bits, group, block, minima, levels)                                             \
    { MCV_KERNEL_gemm_blocks, MCV_LIMIT_##limit, m, n, k, layers, group, block, bits, minima, levels }
#define ROWS(name, m, n, k, group)                                                                                     \
    { MCV_KERNEL_##name, MCV_LIMIT_READ, m, n, k, 1, group, 0, 0, false, false }
#define ATTENTION(limit, m, n, k, layers, group)                                                                       \
    { MCV_KERNEL_attention, MCV_LIMIT_##limit, m, n, k, layers, group, 0, 0, false, false }

/* SigLIP's fc1 on a slice; Qwen3's projections for 512 tokens, a few and one; the rest at 512 tokens or a slice;
 * pictures of 1.8 megapixels. */
static const mcv_kernel_case CASES[] = {
    GEMM(f32, F32, 1024, 4304, 1152, 1, 1),
    GEMM(f32, READ, 1, 4096, 4096, 4, 1),
    GEMM(bf16, F32, 1024, 4304, 1152, 1, 1),
    GEMM(bf16, F32, 512, 4096, 4096, 1, 1),
    GEMM(bf16, READ, 1, 4096, 4096, 8, 1),
    GEMM(f16, F32, 1024, 4304, 1152, 1, 1),
    GEMM(f16, F32, 512, 4096, 4096, 1, 1),
    GEMM(f16, READ, 1, 4096, 4096, 8, 1),
    GEMM(bf16_fast, BF16, 1024, 4304, 1152, 1, 1),
    GEMM(bf16_fast, BF16, 512, 4096, 4096, 1, 1),
    GEMM(bf16_fast, READ, 1, 4096, 4096, 8, 1),
    GEMM(int8, INT8, 1024, 4304, 1152, 1, 1),
    GEMM(int8, INT8, 512, 4096, 4096, 1, 1),
    GEMM(int8, READ, 1, 4096, 4096, 16, 1),
    GEMM(int4, INT8, 512, 4096, 4096, 1, 32),
    GEMM(int4, INT8, 512, 4096, 4096, 1, 128),
    GEMM(int4, INT8, 512, 4096, 12288, 1, 32),
    GEMM(int4, READ, 4, 12288, 4096, 8, 32),
    GEMM(int4, READ, 1, 12288, 4096, 8, 32),
    GEMM(int4, READ, 1, 12288, 4096, 8, 128),
    BLOCKS(INT8, 512, 4096, 4096, 1, 4, 32, 256, true, false),  /* Q4_K */
    BLOCKS(INT8, 512, 4096, 4096, 1, 6, 16, 256, false, false), /* Q6_K */
    BLOCKS(INT8, 512, 4096, 4096, 1, 8, 32, 32, false, false),  /* Q8_0 */
    BLOCKS(INT8, 512, 4096, 4096, 1, 4, 32, 32, false, true),   /* IQ4_NL */
    BLOCKS(READ, 1, 12288, 4096, 8, 4, 32, 256, true, false),
    BLOCKS(READ, 1, 12288, 4096, 6, 6, 16, 256, false, false),
    BLOCKS(READ, 1, 12288, 4096, 4, 8, 32, 32, false, false),
    BLOCKS(READ, 1, 12288, 4096, 8, 4, 32, 32, false, true),
    GEMM(nf4, INT8, 512, 4096, 4096, 1, 64),
    GEMM(nf4, READ, 1, 12288, 4096, 8, 64),
    ATTENTION(F32, 1024, 1024, 72, 4, 1),
    ATTENTION(F32, 512, 1024, 128, 4, 1),
    ATTENTION(READ, 4, 4096, 128, 64, 1),
    ROWS(quantize_rows, 1024, 0, 12288, 32),
    ROWS(rms_norm, 1024, 0, 12288, 1),
    ROWS(layer_norm, 1024, 0, 12288, 1),
    ROWS(softmax, 1024, 0, 12288, 1),
    ROWS(rope, 4096, 128, 4096, 1),
    ROWS(activate, 1024, 0, 12288, 1),
    ROWS(silu_multiply, 1024, 0, 12288, 1),
    ROWS(add, 1024, 0, 12288, 1),
    ROWS(resize_width, 1200, 1344, 1600, 1),
    ROWS(resize_height, 1344, 1344, 1200, 1),
    ROWS(unfold, 32, 32, 14, 1),
    ROWS(embed_rows, 512, 16384, 4096, 1),
};

static const char *const LIMIT_NAMES[] = {"f32", "int8", "bf16", "read"};
static const char *const LIMIT_UNITS[] = {"Gop/s", "Gop/s", "Gop/s", "GB/s"};

typedef struct Bench {
    mcv_target target;
    mcv_kernels kernels, blas; /* blas: the same with OpenBLAS's products */
    bool has_blas, json;
    const char *filter;
    mcv_pool *pool;
    char *scratch; /* of each thread */
    mcv_read_limit read;
    double best[MCV_LIMITS]; /* the medians of limits with this pool; 0: not measured */
    json_t *limits, *results;
} Bench;

/* ---- Limits ------------------------------------------------------------------------------------------------- */

typedef struct Loop {
    const Bench *bench;
    mcv_limit limit;
    double amounts[64]; /* of each thread: operations */
} Loop;

static const mcv_peak PEAKS[] = {MCV_PEAK_f32, MCV_PEAK_int8, MCV_PEAK_bf16}; /* [mcv_limit] */

static void run_limit(void *context, size_t begin, size_t end, int worker) {
    Loop *loop = context;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        loop->amounts[i] = mcv_peak_run(PEAKS[loop->limit], loop->bench->target, PEAK_ROUNDS);
}

/* Operations or bytes a second; 0: this target has no loop for it. */
static double measure_limit(const Bench *bench, mcv_limit limit) {
    if (limit == MCV_LIMIT_READ)
        return mcv_read_limit_measure(&bench->read);
    Loop loop = {.bench = bench, .limit = limit};
    size_t threads = (size_t)mcv_pool_threads(bench->pool);
    double start = mcv_seconds(), amount = 0;
    mcv_parallel_for(bench->pool, threads, run_limit, &loop);
    double time = mcv_seconds() - start;
    for (size_t i = 0; i < threads; i++)
        amount += loop.amounts[i];
    return amount / time;
}

/* ---- Kernels ------------------------------------------------------------------------------------------------ */

typedef struct Turn {
    const mcv_kernel_work *work;
    char *scratch;
} Turn;

static void run_turn(void *context, size_t begin, size_t end, int worker) {
    const Turn *turn = context;
    turn->work->run(turn->work, begin, end, turn->scratch + (size_t)worker * MCV_SCRATCH_BYTES);
}

static double time_work(const Bench *bench, const mcv_kernel_work *work) {
    Turn turn = {work, bench->scratch};
    double start = mcv_seconds();
    mcv_parallel_for(bench->pool, work->parts, run_turn, &turn);
    return mcv_seconds() - start;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double values[SAMPLES]) {
    qsort(values, SAMPLES, sizeof *values, compare);
    return values[SAMPLES / 2];
}

typedef struct Timing {
    double time, rate, of_limit; /* medians; of_limit 0: there is no such limit */
} Timing;

/* Kernel and limit take turns. */
static Timing measure(Bench *bench, const mcv_kernel_work *work) {
    double times[SAMPLES], limits[SAMPLES], shares[SAMPLES];
    mcv_limit limit = work->shape.limit;
    double amount = limit == MCV_LIMIT_READ ? work->bytes : work->operations;
    time_work(bench, work);
    for (int i = 0; i < SAMPLES; i++) {
        limits[i] = measure_limit(bench, limit);
        times[i] = time_work(bench, work);
        shares[i] = limits[i] > 0 ? amount / times[i] / limits[i] : 0;
    }
    double time = median(times), value = median(limits);
    bench->best[limit] = value > bench->best[limit] ? value : bench->best[limit];
    return (Timing){time, amount / time, median(shares)};
}

/* ---- Results ------------------------------------------------------------------------------------------------ */

static void describe(const mcv_kernel_case *s, char *text, size_t size) {
    switch (s->kernel) {
    case MCV_KERNEL_gemm_f32:
    case MCV_KERNEL_gemm_bf16:
    case MCV_KERNEL_gemm_bf16_fast:
    case MCV_KERNEL_gemm_f16:
    case MCV_KERNEL_gemm_int8:
        snprintf(text, size, "%zu x %zu x %zu", s->m, s->k, s->n);
        return;
    case MCV_KERNEL_gemm_int4:
    case MCV_KERNEL_gemm_nf4:
        snprintf(text, size, "%zu x %zu x %zu, groups of %zu", s->m, s->k, s->n, s->group);
        return;
    case MCV_KERNEL_gemm_blocks:
        snprintf(text, size, "%zu x %zu x %zu, %d bits, %zu of %zu%s%s", s->m, s->k, s->n, s->bits, s->group, s->block,
                 s->minima ? ", minima" : "", s->levels ? ", levels" : "");
        return;
    case MCV_KERNEL_attention:
        snprintf(text, size, "%zu heads, %zu queries, %zu keys of %zu", s->layers, s->m, s->n, s->k);
        return;
    case MCV_KERNEL_resize_width:
        snprintf(text, size, "%zu x %zu to %zu x %zu pixels", s->k, s->m, s->n, s->m);
        return;
    case MCV_KERNEL_resize_height:
        snprintf(text, size, "%zu x %zu to %zu x %zu pixels", s->n, s->k, s->n, s->m);
        return;
    case MCV_KERNEL_unfold:
        snprintf(text, size, "%zu x %zu patches of %zu", s->m, s->n, s->k);
        return;
    default:
        snprintf(text, size, "%zu x %zu", s->m, s->k);
    }
}

static void report(Bench *bench, const mcv_kernel_work *work, const char *target, Timing timing) {
    char shape[64], share[16] = "-";
    mcv_limit limit = work->shape.limit;
    int threads = mcv_pool_threads(bench->pool);
    describe(&work->shape, shape, sizeof shape);
    if (!bench->json) {
        if (timing.of_limit > 0)
            snprintf(share, sizeof share, "%.1f %%", 100 * timing.of_limit);
        printf("%-14s %-11s %-36s %7d %10.3f %9.1f %-5s %8s of %s\n", mcv_kernel_name(work->shape.kernel), target,
               shape, threads, 1e3 * timing.time, timing.rate / 1e9, LIMIT_UNITS[limit], share, LIMIT_NAMES[limit]);
        fflush(stdout);
        return;
    }
    json_t *object = json_object();
    mcv_json_set(&object, "kernel", json_string(mcv_kernel_name(work->shape.kernel)));
    mcv_json_set(&object, "target", json_string(target));
    mcv_json_set(&object, "shape", json_string(shape));
    mcv_json_set(&object, "threads", json_integer(threads));
    mcv_json_set(&object, "seconds", mcv_json_number(timing.time));
    mcv_json_set(&object, "operations", mcv_json_number(work->operations));
    mcv_json_set(&object, "bytes", mcv_json_number(work->bytes));
    mcv_json_set(&object, "rate", mcv_json_number(timing.rate / 1e9));
    mcv_json_set(&object, "unit", json_string(LIMIT_UNITS[limit]));
    mcv_json_set(&object, "limit", json_string(LIMIT_NAMES[limit]));
    mcv_json_set(&object, "of_limit", timing.of_limit > 0 ? mcv_json_number(timing.of_limit) : json_null());
    mcv_json_append(&bench->results, object);
}

static void report_limits(Bench *bench) {
    int threads = mcv_pool_threads(bench->pool);
    for (int limit = 0; limit < MCV_LIMITS; limit++) {
        double value = bench->best[limit] / 1e9;
        if (!bench->json && value > 0)
            printf("limit %-4s %d threads %38.1f %s\n", LIMIT_NAMES[limit], threads, value, LIMIT_UNITS[limit]);
        json_t *object = json_object();
        mcv_json_set(&object, "name", json_string(LIMIT_NAMES[limit]));
        mcv_json_set(&object, "threads", json_integer(threads));
        mcv_json_set(&object, "value", value > 0 ? mcv_json_number(value) : json_null());
        mcv_json_set(&object, "unit", json_string(LIMIT_UNITS[limit]));
        mcv_json_append(&bench->limits, object);
    }
}

/* ---- OpenBLAS's own threads --------------------------------------------------------------------------------- */

static void run_dense(const mcv_kernel_work *work, size_t begin, size_t end, void *scratch) {
    (void)begin, (void)end, (void)scratch;
    const mcv_gemm_args *a = &work->arguments.gemm;
    mcv_blas_product((int)work->shape.group, a->m, a->n, a->k, a->x, a->w, a->y);
}

/* OpenBLAS through the table, which is what --blas takes; and for products one call of its own with as many threads. */
static void bench_blas(Bench *bench, mcv_kernel_work *work) {
    work->kernels = &bench->blas;
    report(bench, work, "openblas", measure(bench, work));
    if (work->shape.kernel != MCV_KERNEL_gemm_f32)
        return;
    mcv_kernel_work dense = *work;
    dense.run = run_dense;
    dense.parts = 1;
    dense.shape.group = (size_t)mcv_pool_threads(bench->pool);
    report(bench, &dense, "sgemm", measure(bench, &dense));
}

/* ---- The run ------------------------------------------------------------------------------------------------ */

static mcv_status bench_case(Bench *bench, const mcv_kernel_case *shape) {
    mcv_arena arena = {0};
    mcv_kernel_work work;
    mcv_status status = mcv_kernel_work_make(&work, shape, &bench->kernels, &arena);
    if (status == MCV_OK) {
        report(bench, &work, mcv_target_name(mcv_kernel_used(shape->kernel, bench->target)), measure(bench, &work));
        bool has_entry = shape->kernel == MCV_KERNEL_gemm_f32 || shape->kernel == MCV_KERNEL_attention;
        if (bench->has_blas && has_entry && shape->limit == MCV_LIMIT_F32)
            bench_blas(bench, &work);
    }
    mcv_arena_free(&arena);
    return status;
}

static bool is_wanted(const Bench *bench, const mcv_kernel_case *shape) {
    return !bench->filter || strstr(mcv_kernel_name(shape->kernel), bench->filter);
}

static mcv_status check_filter(const Bench *bench) {
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        if (is_wanted(bench, &CASES[i]))
            return MCV_OK;
    return MCV_FAIL(MCV_USAGE, "--filter %s: no kernel that is timed has it in its name", bench->filter);
}

static mcv_status bench_threads(Bench *bench, int threads, mcv_arena *arena) {
    size_t count;
    MCV_TRY(mcv_pool_create(&bench->pool, threads));
    count = (size_t)mcv_pool_threads(bench->pool);
    MCV_TRY(mcv_arena_alloc(arena, (void **)&bench->scratch, count, MCV_SCRATCH_BYTES));
    MCV_TRY(mcv_read_limit_make(&bench->read, bench->pool, arena));
    memset(bench->best, 0, sizeof bench->best);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        if (is_wanted(bench, &CASES[i]))
            MCV_TRY(bench_case(bench, &CASES[i]));
    report_limits(bench);
    return MCV_OK;
}

static mcv_status bench_all(Bench *bench, int threads) {
    for (int count = 1; count <= threads; count = count < threads ? threads : threads + 1) {
        mcv_arena arena = {0};
        mcv_status status = bench_threads(bench, count, &arena);
        mcv_arena_free(&arena);
        mcv_pool_free(bench->pool);
        bench->pool = NULL;
        MCV_TRY(status);
    }
    return MCV_OK;
}

static mcv_status print_json(Bench *bench) {
    const mcv_cpu *cpu = mcv_cpu_this();
    json_t *object = json_object(), *features = json_array();
    for (int i = 0; i < MCV_FEATURES; i++)
        if (cpu->features >> i & 1)
            mcv_json_append(&features, json_string(mcv_feature_name((mcv_feature)i)));
    mcv_json_set(&object, "cpu", json_string(cpu->name));
    mcv_json_set(&object, "features", features);
    mcv_json_set(&object, "target", json_string(mcv_target_name(bench->target)));
    mcv_json_set(&object, "blas", mcv_blas_version() ? json_string(mcv_blas_version()) : json_null());
    mcv_json_set(&object, "limits", bench->limits);
    mcv_json_set(&object, "results", bench->results);
    bench->limits = bench->results = NULL;
    return mcv_json_print(object);
}

static void print_head(const Bench *bench) {
    printf("CPU     %s\ntarget  %s\nBLAS    %s\n\n", mcv_cpu_this()->name, mcv_target_name(bench->target),
           mcv_blas_version() ? mcv_blas_version() : "none");
    printf("%-14s %-11s %-36s %7s %10s %15s %16s\n", "kernel", "target", "shape", "threads", "ms", "rate", "of limit");
}

mcv_status mcv_bench_kernels(const char *target, const char *filter, int threads, bool json) {
    Bench bench = {.filter = filter, .json = json};
    MCV_TRY(check_filter(&bench));
    MCV_TRY(mcv_target_find(target, mcv_cpu_this(), &bench.target));
    MCV_TRY(mcv_kernels_select(target, &bench.kernels));
    bench.blas = bench.kernels;
    bench.has_blas = mcv_blas_version() && mcv_blas_select(&bench.blas) == MCV_OK;
    bench.limits = json_array();
    bench.results = json_array();
    if (!json)
        print_head(&bench);
    mcv_status status = bench_all(&bench, threads);
    if (status == MCV_OK && json)
        status = print_json(&bench);
    json_decref(bench.limits);
    json_decref(bench.results);
    return status;
}
