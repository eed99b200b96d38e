/* The whole model: conversations and images in, text out. HF: modeling_minicpmv.py. */
#ifndef MCV_REF_MODELING_MINICPMV_H
#define MCV_REF_MODELING_MINICPMV_H

#include "ref/chat_template.h"
#include "ref/generation.h"
#include "ref/model_files.h"
#include "ref/modeling_navit_siglip.h"
#include "ref/modeling_qwen3.h"
#include "ref/processing_minicpmv.h"
#include "ref/resampler.h"

typedef struct MiniCPMV MiniCPMV;
typedef struct Prefill Prefill;

/* What runs the modules: the reference itself, unless another implementation of them takes its place. */
typedef struct Executor {
    void *context;
    /* Runs the prompts of `data`, whose attention_mask says what is masked, and fills logits, decoder, reset and free
     * of the prefill. Module outputs go to the run's tap from inputs_embeds' modules on. */
    mcv_status (*prefill)(void *context, const Run *run, const MiniCPMVBatchFeature *data, Prefill *prefill);
} Executor;

struct MiniCPMV {
    MiniCPMVConfig config;
    MiniCPMVProcessor processor;
    Qwen3ForCausalLM llm;
    SiglipVisionTransformer vpm;
    Resampler resampler;
    int32_t terminators[2]; /* ids of <|im_end|> and <|endoftext|> */
    bool fix_token_zero;    /* token id 0 ("!") is text like any other: not masked in prompts, kept in answers */

    mcv_weights *weights; /* mapped */
    mcv_arena arena;      /* what was copied out of the weights */
    mcv_pool *pool;       /* the caller's; NULL: one thread */
    Executor executor;
    LinearInput linear_input; /* of prompts, by the reference; NULL: nobody listens */
    void *linear_input_context;
};

/* Opens a model: a folder in HF's layout (config.json, preprocessor_config.json, tokenizer, safetensors) or a pair of
 * GGUF files. */
mcv_status MiniCPMV_from_files(MiniCPMV **model, const ModelFiles *files, mcv_pool *pool);
/* The same for a folder. */
mcv_status MiniCPMV_from_pretrained(MiniCPMV **model, const char *folder, mcv_pool *pool);
void MiniCPMV_free(MiniCPMV *model);

/* ---- Inputs ------------------------------------------------------------------------------------------------- */

/* A batch that is ready to run. */
typedef struct PreparedBatch {
    mcv_buffer *prompts; /* [batch_size]: the chat template's text, images as "(<image>./</image>)" */
    MiniCPMVBatchFeature features;
} PreparedBatch;

/* HF: chat(), up to the processor's call. Everything is allocated in `arena` but the prompts; see PreparedBatch_free.
 */
mcv_status MiniCPMV_prepare(const MiniCPMV *model, mcv_arena *arena, const mcv_conversation *conversations,
                            int batch_size, const mcv_prompt_options *options, PreparedBatch *batch);
void PreparedBatch_free(PreparedBatch *batch);

/* ---- Forward ------------------------------------------------------------------------------------------------ */

/* A batch behind its prompts: what decoding starts from, as often as wanted. */
struct Prefill {
    const MiniCPMV *model;
    int batch_size;
    float *logits;                      /* [batch_size, vocab_size] */
    GenerationModel decoder;            /* its context is the state behind the prompts */
    mcv_status (*reset)(void *context); /* back to the end of the prompts */
    void (*free)(void *context);
};

/* Runs the prompts. The observer's tap, if there is one, sees input_ids, attention_mask, image_bound.I, tgt_sizes.I,
 * pixel_values.I.J, then each module's output in the order of execution. HF: generate(), up to the first new token. */
mcv_status MiniCPMV_prefill(const MiniCPMV *model, const MiniCPMVBatchFeature *features, const mcv_observer *observer,
                            Prefill *prefill);
void Prefill_free(Prefill *prefill);

/* Continues a prefill. *sequences: [batch_size] lists, to be released with TokenIds_free. HF: _decode. */
mcv_status MiniCPMV_generate(Prefill *prefill, const GenerationConfig *config, GenerationStream stream,
                             void *stream_context, TokenIds *sequences);

/* The library's defaults with those of config.json, this model's terminators and padding. */
GenerationConfig MiniCPMV_generation_config(const MiniCPMV *model);

/* Appends the answer's text: id 0 and a closing terminator left out, white space around it stripped.
 * HF: _decode_text. */
mcv_status MiniCPMV_decode_text(const MiniCPMV *model, const int32_t *ids, size_t count, mcv_buffer *text);

/* ---- Vision inputs ------------------------------------------------------------------------------------------ */

/* All slices of a batch, and the groups they form. */
typedef struct VisionInputs {
    int num_slices, num_groups;
    const ImageSlice **slices; /* [num_slices] */
    TemporalGroup *groups;     /* [num_groups] */
    int64_t max_patches;
} VisionInputs;

/* Allocated in the run's arena. */
mcv_status MiniCPMV_vision_inputs(const Run *run, const MiniCPMVBatchFeature *data, VisionInputs *inputs);

/* Puts a conversation's image features into the places of its image_bound.
 * features: [num_groups * query_num, hidden_size], embedding: [length, hidden_size].
 * Where max_length has cut whole images off, there are fewer places than features, and the first features are used. */
mcv_status MiniCPMV_scatter_features(const MiniCPMV *model, const MiniCPMVBatchFeature *data, int conversation,
                                     const float *features, float *embedding);

/* ---- Chat --------------------------------------------------------------------------------------------------- */

/* The presets of chat(): what `sampling` and `enable_thinking` make of a configuration. */
void MiniCPMV_chat_preset(GenerationConfig *config, bool sampling, bool enable_thinking);

/* Answers a batch of conversations. *answers: [batch_size] texts (buffers to be freed by the caller), "<think>\n" in
 * front where thinking is on. observer->text sees the same text in pieces. HF: chat(). */
mcv_status MiniCPMV_chat(const MiniCPMV *model, const mcv_conversation *conversations, int batch_size,
                         const mcv_prompt_options *prompt_options, const GenerationConfig *config,
                         const mcv_observer *observer, mcv_buffer *answers);

#endif
