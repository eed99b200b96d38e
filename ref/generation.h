/* Decoding: greedy, sampling, beam search, with the logits processors that `chat` uses.
 * HF: transformers 4.51 generation/utils.py, logits_process.py, beam search. */
#ifndef MCV_REF_GENERATION_H
#define MCV_REF_GENERATION_H

#include "core/arena.h"
#include "ref/tokenization_qwen2.h"

/* HF: GenerationConfig. Defaults (GenerationConfig_default) are the library's. */
typedef struct GenerationConfig {
    int max_new_tokens;
    int min_new_tokens;
    bool do_sample;
    int num_beams;
    double temperature;
    int top_k;    /* 0: off */
    double top_p; /* 1: off */
    double min_p; /* 0: off */
    double repetition_penalty;
    double length_penalty;
    int early_stopping; /* 0: False, 1: True, 2: "never" */
    uint64_t seed;      /* of sampling; the same seed gives the same text on every machine */
    int32_t pad_token_id;
    const int32_t *eos_token_ids;
    int num_eos_token_ids;
} GenerationConfig;

GenerationConfig GenerationConfig_default(void);

/* What decoding needs of a language model whose prompts have been run. A row is a sequence that is being written: one a
 * prompt, num_beams a prompt in beam search. */
typedef struct GenerationModel {
    void *context;
    int vocab_size;
    /* Makes `rows` rows: row i goes on as a copy of row parents[i]. Before the first call row i is prompt i. */
    mcv_status (*select_rows)(void *context, const int32_t *parents, int rows);
    /* Appends ids[i] to row i and gives the logits behind it, [rows, vocab_size]. */
    mcv_status (*step)(void *context, const int32_t *ids, int rows, float *logits);
} GenerationModel;

/* Called with a row's new ids as soon as they are certain: one by one in greedy decoding and sampling, until the row
 * has ended; all of the row's at the end in beam search, with what fills it up. A return other than MCV_OK stops the
 * run with that status. */
typedef mcv_status (*GenerationStream)(void *context, int row, const int32_t *ids, int count);

/* prompt_logits: [batch_size, vocab_size], behind each prompt's last id.
 * sequences: [batch_size] lists, empty at first and of the same length in the end, as HF's generate returns them when
 * it starts from embeddings: rows that ended early are filled up with pad_token_id, in beam search with the first end
 * token where pad_token_id is 0. The caller releases them, after a failure too.
 * stream: may be NULL.
 * Row i of a batch draws its random numbers from sequence i of the seed (core/random.h): what is sampled for a prompt
 * depends on its place in the batch, not on the other prompts, unless these end a beam search earlier or later.
 * MCV_USAGE: a setting that HF refuses. MCV_BAD_INPUT: logits that are NaN or infinite, or all -inf.
 * HF: GenerationMixin.generate. */
mcv_status GenerationMixin_generate(const GenerationModel *model, const float *prompt_logits, int batch_size,
                                    const GenerationConfig *config, GenerationStream stream, void *stream_context,
                                    TokenIds *sequences);

#endif
