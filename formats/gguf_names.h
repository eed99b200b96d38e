/* What the tensors of GGUF files are called, and what they are called in the Hugging Face model.
 *
 * The vision side's file has some of them in another form: `resampler.proj` is turned ("resampler.proj.weight"), and
 * the resampler's attn.in_proj_weight and in_proj_bias are cut into "resampler.attn.q.weight" and so on. Those are in
 * no list here; see formats/weights_gguf.c. */
#ifndef MCV_FORMATS_GGUF_NAMES_H
#define MCV_FORMATS_GGUF_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum { MCV_GGUF_NAME_SIZE = 128 };

/* "blk.3.attn_q.weight" to "llm.model.layers.3.self_attn.q_proj.weight". false where the name is in no list.
 * hf_name: [MCV_GGUF_NAME_SIZE]. */
bool mcv_gguf_to_hf_name(const char *name, char *hf_name);

/* The other way. name: [MCV_GGUF_NAME_SIZE]. */
bool mcv_hf_to_gguf_name(const char *hf_name, char *name);

#endif
