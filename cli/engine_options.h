/* How the commands that run a model let their users choose the engine. */
#ifndef MCV_CLI_ENGINE_OPTIONS_H
#define MCV_CLI_ENGINE_OPTIONS_H

#include "cli/cli.h"

/* For a command's list of options. */
#define MCV_ENGINE_OPTIONS                                                                                             \
    {0, "llm-dtype", "TYPE", "the decoder's weights (default: --dtype)"},                                              \
        {0, "vision-dtype", "TYPE", "the encoder's weights (default: --dtype, int8 for int4)"},                        \
        {0, "resampler-dtype", "TYPE", "the resampler's weights (default: --dtype, int8 for int4)"},                   \
        {0, "kv-dtype", "TYPE", "keys and values as f32 (default), bf16 or int8"},                                     \
        {0, "group", "N", "int4: weights that share a scale, 32, 64 (default) or 128"},                                \
        {0, "chunk", "N", "tokens of a prompt that are run at a time (default 512)"},                                  \
        {0, "numerics", "HOW",                                                                                         \
         "exact (default), or fast: inputs of bf16 layers rounded, too; bits depend on the CPU"},                      \
        {0, "blas", "NAME", "products of f32, bf16 and int4, and attention, by openblas: bits depend on the CPU"}, {   \
        0, "cache", "FILE", "keep packed weights there, and take them from there the next time"                        \
    }

/* engine, threads and what is above. `engine`: what runs where --engine is not given. MCV_UNSUPPORTED where the
 * reference is to do what only the fast engine can. */
mcv_status mcv_engine_options_read(const mcv_arguments *arguments, mcv_engine_kind engine, mcv_model_options *options);

/* --dtype as tables of tolerances and kept logits have it: "bf16-fast" with --numerics fast. `engine`: the name of what
 * runs where --engine is not given. The reference makes f32 of whatever is stored. */
const char *mcv_dtype_and_numerics(const mcv_arguments *arguments, const char *engine);

#endif
