#include "api/engine_attach.h"

#include <string.h>

#include "blas/blas.h"

mcv_status mcv_engine_attach(MiniCPMV *model, const mcv_model_options *options, mcv_engine **engine) {
    *engine = NULL;
    if (options->blas && strcmp(options->blas, "openblas") != 0)
        return MCV_FAIL(MCV_USAGE, "products by \"%s\"; expected openblas", options->blas);
    if (options->engine != MCV_ENGINE_FAST)
        return MCV_OK;
    return mcv_engine_create(engine, model, options, options->blas ? mcv_blas_select : NULL);
}
