/* From the public options to the engine. */
#ifndef MCV_API_ENGINE_ATTACH_H
#define MCV_API_ENGINE_ATTACH_H

#include "simd/engine/engine.h"

/* Makes the fast engine run a model where the options ask for it, to be released with mcv_engine_free; *engine is NULL
 * where they ask for the reference. */
mcv_status mcv_engine_attach(MiniCPMV *model, const mcv_model_options *options, mcv_engine **engine);

#endif
