/* What `dump` makes of a run's tensors: a safetensors file, a folder of .npy files, or numbers about each. */
#ifndef MCV_CLI_DUMP_OUTPUT_H
#define MCV_CLI_DUMP_OUTPUT_H

#include "core/tensor.h"

typedef struct mcv_dump_output {
    mcv_status (*tensor)(void *context, const char *name, const mcv_tensor *tensor);
    /* A text of the metadata; NULL: it is not kept. */
    mcv_status (*text)(void *context, const char *name, const char *text);
    /* Completes the output (where the run was right) or removes it, and releases the context. */
    mcv_status (*finish)(void *context, bool complete);
    void *context;
} mcv_dump_output;

/* A file; "-" is standard output. */
mcv_status mcv_dump_to_safetensors(const char *path, mcv_dump_output *output);
/* A new folder: NAME.npy each, texts in metadata.json. Types that NumPy lacks are widened to FP32. */
mcv_status mcv_dump_to_npy(const char *path, mcv_dump_output *output);
/* On standard output: name, type, shape, least, greatest, mean and root mean square of the finite elements, how many
 * are not finite, XXH3 of the data. A line each, or one JSON object. */
mcv_status mcv_dump_to_stats(bool json, mcv_dump_output *output);

#endif
