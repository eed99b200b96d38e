/* The order in which the model makes the tensors of a dump. A safetensors file keeps another (by alignment, then by
 * name), and the first divergence means the first in this one. */
#ifndef MCV_CLI_EXECUTION_ORDER_H
#define MCV_CLI_EXECUTION_ORDER_H

/* As strcmp: below 0 where `a` is made before `b`. A module comes after the modules inside it. HF: the order of calls
 * in MiniCPMV.generate and the forward functions below it. */
int mcv_execution_order(const char *a, const char *b);

/* The stage of the model that makes a tensor: "inputs", "vision", "resampler", "embeddings", "llm", "generation";
 * "other" for a name that is none of the model's. */
const char *mcv_stage_of(const char *name);

#endif
