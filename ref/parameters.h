/* The parameters that a configuration implies: what a checkpoint of it holds. */
#ifndef MCV_REF_PARAMETERS_H
#define MCV_REF_PARAMETERS_H

#include "core/tensor.h"
#include "ref/configuration_minicpm.h"

/* One parameter: its full name and shape (dtype and data are not set). */
typedef mcv_status (*ParameterVisitor)(void *context, const char *name, const mcv_tensor *shape);

/* Calls `visit` for each parameter of the model in the order of its modules: llm, vpm, resampler. Stops at the first
 * status that is not MCV_OK and returns it. HF: MiniCPMV.named_parameters. */
mcv_status MiniCPMV_named_parameters(const MiniCPMVConfig *config, ParameterVisitor visit, void *context);

#endif
