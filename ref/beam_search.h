/* Beam search. HF: GenerationMixin._beam_search. */
#ifndef MCV_REF_BEAM_SEARCH_H
#define MCV_REF_BEAM_SEARCH_H

#include "ref/generation.h"

/* Arguments and results as GenerationMixin_generate's, num_beams > 1. */
mcv_status beam_search(const GenerationModel *model, const float *prompt_logits, int batch_size,
                       const GenerationConfig *config, TokenIds *sequences);

#endif
