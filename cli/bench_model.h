/* minicpmv bench model: how long a model takes to open, to see a slice, to read a prompt and to write an answer. */
#ifndef MCV_CLI_BENCH_MODEL_H
#define MCV_CLI_BENCH_MODEL_H

#include "cli/cli.h"

/* For the command's list of options. */
#define MCV_BENCH_MODEL_OPTIONS                                                                                        \
    {0, "prompts", "N[,N...]", "model: tokens of the prompts, about (default 64,512)"},                                \
        {0, "answer", "N", "model: tokens of the answer (default 16)"}, {                                              \
        0, "repeats", "N", "model: runs of each, of which the median is shown (default 3)"                             \
    }

mcv_status mcv_bench_model(const mcv_arguments *arguments);

#endif
