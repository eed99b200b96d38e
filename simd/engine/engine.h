/* The fast engine: runs the modules of a loaded model with packed weights and the kernels of this CPU.
 *
 * It takes the reference's place behind the same prompts, decoding and taps (Executor in ref/modeling_minicpmv.h). Its
 * results depend on the options' precisions alone (with exact numerics): not on the target, the number of threads, how
 * a prompt is cut into chunks, what it is batched with (but for models without batch_3d_resampler, where HF's padding
 * counts), or whether its beginning was still in the cache. */
#ifndef MCV_SIMD_ENGINE_ENGINE_H
#define MCV_SIMD_ENGINE_ENGINE_H

#include "ref/modeling_minicpmv.h"
#include "simd/engine/packed.h"

typedef struct mcv_engine mcv_engine;

/* Puts other kernels in place of a target's. */
typedef mcv_status (*mcv_replace_kernels_fn)(mcv_kernels *kernels);

/* Packs the model's weights and becomes its executor, with kernels for its image processor. The model has to live as
 * long, and frees nothing of the engine. Runs use the pool that the model has then. options: those of the fast engine.
 * replace: NULL: nobody does. MCV_USAGE: options without meaning, MCV_UNSUPPORTED: what this CPU, or no kernel, can do.
 */
mcv_status mcv_engine_create(mcv_engine **engine, MiniCPMV *model, const mcv_model_options *options,
                             mcv_replace_kernels_fn replace);
void mcv_engine_free(mcv_engine *engine);

/* What was asked for and could not be had as it was; NULL: nothing. */
const char *mcv_engine_remark(const mcv_engine *engine);

/* Where the time went; to be set back by whoever wants it. */
mcv_times *mcv_engine_times(mcv_engine *engine);

#endif
