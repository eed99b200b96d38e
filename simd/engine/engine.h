/* The fast engine: runs the modules of a loaded model with packed weights and the kernels of this CPU.
 *
 * It takes the reference's place behind the same prompts, decoding and taps (Executor in ref/modeling_minicpmv.h). Its
 * results depend on the options' precisions alone: not on the target, the number of threads, how a prompt is cut into
 * chunks, what it is batched with (but for models without batch_3d_resampler, where HF's padding counts), or whether
 * its beginning was still in the cache. */
#ifndef MCV_SIMD_ENGINE_ENGINE_H
#define MCV_SIMD_ENGINE_ENGINE_H

#include "ref/modeling_minicpmv.h"
#include "simd/engine/packed.h"

typedef struct mcv_engine mcv_engine;

/* As in mcv_model_options. */
typedef struct mcv_engine_options {
    mcv_precision llm, vpm, resampler, kv;
    int group, chunk;
    const char *target, *cache;
    mcv_status (*replace)(mcv_kernels *kernels); /* puts other kernels in place of the target's; NULL: none */
} mcv_engine_options;

/* Packs the model's weights and becomes its executor. The model has to live as long, and frees nothing of the engine.
 * Runs use the pool that the model has then.
 * MCV_USAGE: options without meaning, MCV_UNSUPPORTED: what this CPU, or no kernel, can do. */
mcv_status mcv_engine_create(mcv_engine **engine, MiniCPMV *model, const mcv_engine_options *options);
void mcv_engine_free(mcv_engine *engine);

/* The target that was chosen. */
const char *mcv_engine_target(const mcv_engine *engine);

/* Where the time went; to be set back by whoever wants it. */
mcv_times *mcv_engine_times(mcv_engine *engine);

/* Positions that the last prompt found in the cache. */
uint32_t mcv_engine_reused(const mcv_engine *engine);

#endif
