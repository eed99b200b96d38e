/* What the processor made of a conversation, as JSON and as safetensors. */
#ifndef MCV_CLI_MODEL_INPUTS_H
#define MCV_CLI_MODEL_INPUTS_H

#include "ref/processing_minicpmv.h"

/* A conversation and its inputs: a batch of one. */
typedef struct mcv_model_inputs {
    const MiniCPMVProcessor *processor;
    const ProcessorOptions *options;
    const char *prompt;
    size_t prompt_size;
    const MiniCPMVBatchFeature *features;
} mcv_model_inputs;

/* Prints a JSON object in a line. Its keys are HF's where HF has one; pixel values come as shapes and XXH3
 * fingerprints.
 */
mcv_status mcv_model_inputs_print(const mcv_model_inputs *inputs);

/* Writes the inputs under the names of a golden case: input_ids, attention_mask, image_bound.0, tgt_sizes.0,
 * pixel_values.0.J; prompts and temporal_ids as metadata. */
mcv_status mcv_model_inputs_write(const mcv_model_inputs *inputs, const char *path);

#endif
