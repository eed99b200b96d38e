/* Timings of kernels against what the machine can do, measured in the same run. */
#ifndef MCV_CLI_BENCH_KERNELS_H
#define MCV_CLI_BENCH_KERNELS_H

#include "cli/cli.h"

/* Every kernel of the table at the model's shapes, with one thread and with `threads`; OpenBLAS's product, where the
 * build has it, for comparison. Each timing alternates with the loop that limits it (peaks.h, or reading memory), so
 * that a change of clock or a busy machine slows both; what is printed are medians. Prints a table, or with `json` one
 * object: cpu, features, target, blas, limits (name, threads, value, unit) and results (kernel, target, shape,
 * threads, seconds, operations, bytes, rate, unit, limit, of_limit).
 * target: NULL for the best; filter: only kernels whose name contains it, NULL for all. */
mcv_status mcv_bench_kernels(const char *target, const char *filter, int threads, bool json);

#endif
