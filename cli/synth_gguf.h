/* minicpmv synth --format gguf. */
#ifndef MCV_CLI_SYNTH_GGUF_H
#define MCV_CLI_SYNTH_GGUF_H

#include "core/threads.h"
#include "formats/quantize_mix.h"

/* Writes folder/model.gguf in the types of a mix and folder/mmproj.gguf in F16, with random weights, for the
 * configuration and tokenizer that lie in the folder. *bytes: of both files' weights. */
mcv_status mcv_synth_gguf(const char *folder, const mcv_mix *mix, uint64_t seed, mcv_pool *pool, size_t *bytes);

#endif
