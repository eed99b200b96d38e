/* How large the random weights of `synth` are. */
#ifndef MCV_CLI_SYNTH_RANGE_H
#define MCV_CLI_SYNTH_RANGE_H

#include "core/tensor.h"

/* Numbers of the tensor of this name are to lie in *middle +- *span: norm weights around 1, biases around 0, and a
 * matrix so that it keeps the size of what it multiplies. */
void mcv_synth_range(const char *name, const mcv_tensor *shape, float *middle, float *span);

#endif
