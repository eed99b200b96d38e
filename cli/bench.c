/* minicpmv bench: timings against what the machine can do. */
#include <string.h>

#include "cli/bench_kernels.h"
#include "cli/bench_model.h"
#include "cli/engine_options.h"
#include "cli/model_options.h"
#include "core/log.h"
#include "core/threads.h"

/* Every option belongs to one of the two or to both: what changes nothing is told. */
static void tell_useless(const mcv_arguments *arguments, bool kernels) {
    static const char *const OF_KERNELS[] = {"filter", "target", "threads", "json", "quiet"};
    for (int i = 0; i < arguments->num_given; i++) {
        const char *name = arguments->given[i].name;
        bool useful = !kernels && strcmp(name, "filter") != 0;
        for (size_t j = 0; j < sizeof OF_KERNELS / sizeof *OF_KERNELS; j++)
            useful = useful || (kernels && strcmp(name, OF_KERNELS[j]) == 0);
        if (!useful)
            mcv_log_remark("--%s changes nothing in bench %s", name, arguments->operands[0]);
    }
}

static mcv_status run(const mcv_arguments *arguments) {
    mcv_pool *pool;
    bool kernels = strcmp(arguments->operands[0], "kernels") == 0;
    if (!kernels && strcmp(arguments->operands[0], "model") != 0)
        return MCV_FAIL(MCV_USAGE, "%s: expected kernels or model", arguments->operands[0]);
    tell_useless(arguments, kernels);
    if (!kernels)
        return mcv_bench_model(arguments);
    MCV_TRY(mcv_pool_create(&pool, arguments->threads));
    int threads = mcv_pool_threads(pool);
    mcv_pool_free(pool);
    return mcv_bench_kernels(mcv_option_value(arguments, "target"), mcv_option_value(arguments, "filter"), threads,
                             arguments->json);
}

static const mcv_option OPTIONS[] = {
    {0, "target", "NAME", "the kernels of this target; default: the best that the CPU runs"},
    {0, "filter", "TEXT", "kernels: only those whose name contains it"},
    MCV_MODEL_OPTION,
    MCV_MODEL_FILE_OPTIONS,
    MCV_BENCH_MODEL_OPTIONS,
    MCV_ENGINE_OPTIONS,
    {0},
};

const mcv_command mcv_bench_command = {
    .name = "bench",
    .summary = "timings against measured limits of memory and arithmetic",
    .operands = "kernels|model",
    .min_operands = 1,
    .max_operands = 1,
    .details =
        "model: times the fast engine stage by stage: opening, encoder and resampler on a slice of 448 x 448,\n"
        "prompts, decoding; medians of some runs. Decoding takes turns with reading memory, token by token: shown are\n"
        "the bytes of weights, keys and values that a token reads, and the share of that read bandwidth.\n"
        "kernels: times every kernel at the model's shapes with one thread and with all (--threads), each in turn with "
        "the\n"
        "loop that limits it: multiply-adds of FP32, products of bytes, or reading memory. Prints medians and the\n"
        "share of the limit that is reached; with OpenBLAS in the build its entries too, in this program's\n"
        "threads (openblas), and its product in its own (sgemm). --json: one object, with the CPU's features.\n",
    .takes = MCV_TAKES_ALL,
    .options = OPTIONS,
    .run = run,
};
