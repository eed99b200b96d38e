#include "api/engine_attach.h"

#include <string.h>

#include "blas/blas.h"

mcv_status mcv_engine_attach(MiniCPMV *model, const mcv_model_options *options, mcv_engine **engine) {
    mcv_engine_options engine_options = {.llm = options->llm,
                                         .vpm = options->vpm,
                                         .resampler = options->resampler,
                                         .kv = options->kv,
                                         .group = options->group,
                                         .chunk = options->chunk,
                                         .target = options->target,
                                         .replace = options->blas ? mcv_blas_select : NULL,
                                         .cache = options->cache};
    *engine = NULL;
    if (options->blas && strcmp(options->blas, "openblas") != 0)
        return MCV_FAIL(MCV_USAGE, "products by \"%s\"; expected openblas", options->blas);
    return options->engine == MCV_ENGINE_FAST ? mcv_engine_create(engine, model, &engine_options) : MCV_OK;
}
