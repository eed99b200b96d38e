/* The whole model: conversations and images in, text out. HF: modeling_minicpmv.py. */
#ifndef MCV_REF_MODELING_MINICPMV_H
#define MCV_REF_MODELING_MINICPMV_H

#include "ref/chat_template.h"
#include "ref/generation.h"
#include "ref/modeling_navit_siglip.h"
#include "ref/modeling_qwen3.h"
#include "ref/processing_minicpmv.h"
#include "ref/resampler.h"

typedef struct MiniCPMV {
    MiniCPMVConfig config;
    MiniCPMVProcessor processor;
    Qwen3ForCausalLM llm;
    SiglipVisionTransformer vpm;
    Resampler resampler;
    int32_t terminators[2]; /* ids of <|im_end|> and <|endoftext|> */
    bool fix_token_zero;    /* token id 0 ("!") is text like any other: not masked in prompts, kept in answers */

    mcv_safetensors *weights; /* mapped */
    mcv_arena arena;          /* what was copied out of the weights */
    mcv_pool *pool;           /* the caller's; NULL: one thread */
} MiniCPMV;

/* Opens a folder in HF's layout: config.json, preprocessor_config.json, tokenizer, safetensors. */
mcv_status MiniCPMV_from_pretrained(MiniCPMV **model, const char *folder, mcv_pool *pool);
void MiniCPMV_free(MiniCPMV *model);

/* ---- Inputs ------------------------------------------------------------------------------------------------- */

/* A piece of a message: text or an image, the other is NULL. */
typedef struct ChatPart {
    const char *text;
    const mcv_image *image;
} ChatPart;

typedef struct ChatMessage {
    const char *role; /* "user" or "assistant" */
    const ChatPart *parts;
    int num_parts;
} ChatMessage;

typedef struct ChatConversation {
    const ChatMessage *messages;
    int num_messages;
    const TemporalIds *temporal_ids; /* NULL: images stand for themselves */
} ChatConversation;

/* How prompts are made. HF: the parameters of chat() of the same names. */
typedef struct PromptOptions {
    const char *system_prompt; /* NULL or "": none */
    EnableThinking enable_thinking;
    int max_inp_length; /* 0: no limit */
    int max_slice_nums; /* 0: the model's own */
    int use_image_id;   /* -1: the model's own */
} PromptOptions;

PromptOptions PromptOptions_default(void);

/* A batch that is ready to run. */
typedef struct PreparedBatch {
    mcv_buffer *prompts; /* [batch_size]: the chat template's text, images as "(<image>./</image>)" */
    MiniCPMVBatchFeature features;
} PreparedBatch;

/* HF: chat(), up to the processor's call. Everything is allocated in `arena` but the prompts; see PreparedBatch_free.
 */
mcv_status MiniCPMV_prepare(const MiniCPMV *model, mcv_arena *arena, const ChatConversation *conversations,
                            int batch_size, const PromptOptions *options, PreparedBatch *batch);
void PreparedBatch_free(PreparedBatch *batch);

/* ---- Forward ------------------------------------------------------------------------------------------------ */

/* A batch behind its prompts: what decoding starts from, as often as wanted. */
typedef struct Prefill {
    const MiniCPMV *model;
    int batch_size;
    DynamicCache cache;
    float *logits; /* [batch_size, vocab_size] */
} Prefill;

/* Runs the prompts. `tap` (NULL: nobody) sees input_ids, attention_mask, image_bound.I, tgt_sizes.I, pixel_values.I.J,
 * then each module's output in the order of execution. HF: generate(), up to the first new token. */
mcv_status MiniCPMV_prefill(const MiniCPMV *model, const MiniCPMVBatchFeature *features, mcv_tap_fn tap,
                            void *tap_context, Prefill *prefill);
void Prefill_free(Prefill *prefill);

/* Continues a prefill. *sequences: [batch_size] lists, to be released with TokenIds_free. HF: _decode. */
mcv_status MiniCPMV_generate(Prefill *prefill, const GenerationConfig *config, GenerationStream stream,
                             void *stream_context, TokenIds *sequences);

/* The library's defaults with those of config.json, this model's terminators and padding. */
GenerationConfig MiniCPMV_generation_config(const MiniCPMV *model);

/* Appends the answer's text: id 0 and a closing terminator left out, white space around it stripped.
 * HF: _decode_text. */
mcv_status MiniCPMV_decode_text(const MiniCPMV *model, const int32_t *ids, size_t count, mcv_buffer *text);

/* ---- Chat --------------------------------------------------------------------------------------------------- */

/* The presets of chat(): what `sampling` and `enable_thinking` make of a configuration. */
void MiniCPMV_chat_preset(GenerationConfig *config, bool sampling, bool enable_thinking);

/* Sees a new piece of the answer to conversation `row`, in whole UTF-8 characters. */
typedef mcv_status (*TextStream)(void *context, int row, const char *text, size_t size);

/* Answers a batch of conversations. *answers: [batch_size] texts (buffers to be freed by the caller), "<think>\n" in
 * front where thinking is on. With a stream the same text comes in pieces, too. HF: chat(). */
mcv_status MiniCPMV_chat(const MiniCPMV *model, const ChatConversation *conversations, int batch_size,
                         const PromptOptions *prompt_options, const GenerationConfig *config, TextStream stream,
                         void *stream_context, mcv_buffer *answers);

#endif
