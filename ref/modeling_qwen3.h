/* The decoder: Qwen3 with grouped queries, norms of queries and keys, rotary positions and a KV cache.
 * HF: transformers modeling_qwen3.py. */
#ifndef MCV_REF_MODELING_QWEN3_H
#define MCV_REF_MODELING_QWEN3_H

#include "ref/nn.h"

typedef struct Qwen3RMSNorm {
    char name[NAME_SIZE];
    const float *weight; /* [columns] */
    double variance_epsilon;
} Qwen3RMSNorm;

typedef struct Qwen3MLP {
    char name[NAME_SIZE], act_fn_name[NAME_SIZE];
    Activation act_fn;
    Linear gate_proj, up_proj, down_proj;
} Qwen3MLP;

typedef struct Qwen3Attention {
    char name[NAME_SIZE];
    int layer_idx, num_heads, num_key_value_heads, head_dim;
    double scaling;
    Linear q_proj, k_proj, v_proj, o_proj;
    Qwen3RMSNorm q_norm, k_norm; /* over head_dim */
} Qwen3Attention;

typedef struct Qwen3DecoderLayer {
    char name[NAME_SIZE];
    Qwen3Attention self_attn;
    Qwen3MLP mlp;
    Qwen3RMSNorm input_layernorm, post_attention_layernorm;
} Qwen3DecoderLayer;

typedef struct Qwen3Model {
    Embedding embed_tokens;
    int num_layers, head_dim;
    double rope_theta;
    Qwen3DecoderLayer *layers;
    Qwen3RMSNorm norm;
} Qwen3Model;

typedef struct Qwen3ForCausalLM {
    Qwen3Model model;
    Linear lm_head; /* shares embed_tokens' weight where tie_word_embeddings is set */
    int vocab_size, hidden_size;
} Qwen3ForCausalLM;

mcv_status Qwen3ForCausalLM_load(Qwen3ForCausalLM *self, const Weights *weights, const char *name,
                                 const MiniCPMVConfig *config);

/* ---- KV cache ----------------------------------------------------------------------------------------------- */

/* Keys (rotated) and values of a run of positions, [positions, layers, 2, num_key_value_heads * head_dim]. */
typedef struct KVSegment {
    float *data;
    bool *mask; /* [positions]: false where attention_mask is 0 */
    size_t capacity, mask_capacity;
    int64_t positions;
} KVSegment;

/* A sequence: a prompt, which beams share, and what was written since. */
typedef struct KVRow {
    int prompt;
    KVSegment written;
} KVRow;

/* HF: DynamicCache. */
typedef struct DynamicCache {
    int num_layers, kv_dim;
    int num_prompts, num_rows;
    KVSegment *prompts; /* [num_prompts] */
    KVRow *rows;        /* [num_rows] */
} DynamicCache;

/* `rows` empty sequences with empty prompts. */
mcv_status DynamicCache_create(DynamicCache *cache, const Qwen3ForCausalLM *llm, int rows);
void DynamicCache_free(DynamicCache *cache);
/* Makes what each row holds the prompt that it and its copies share. To be called once, behind the prefill. */
void DynamicCache_end_prompt(DynamicCache *cache);
/* Back to one row a prompt with nothing written. */
mcv_status DynamicCache_reset_rows(DynamicCache *cache);
/* Row i goes on as a copy of row parents[i]. HF: DynamicCache.reorder_cache. */
mcv_status DynamicCache_select_rows(DynamicCache *cache, const int32_t *parents, int rows);
/* Positions of a row that are not masked. */
int64_t DynamicCache_unmasked(const DynamicCache *cache, int row);

/* cos and sin of a position's angles, [head_dim / 2] each, in FP32 as the model defines them. HF: Qwen3RotaryEmbedding.
 */
void Qwen3RotaryEmbedding_at(const Qwen3Model *model, int64_t position, float *cosines, float *sines);

/* ---- Forward ------------------------------------------------------------------------------------------------ */

/* inputs_embeds: [rows, length, hidden_size], the new positions of each row of the cache, to which they are appended.
 * attention_mask: [rows, length], position_ids: [rows, length].
 * *logits: [rows, 1, vocab_size], behind the last position. HF: Qwen3ForCausalLM.forward with logits_to_keep = 1. */
mcv_status Qwen3ForCausalLM_forward(const Run *run, const Qwen3ForCausalLM *self, const Tensor *inputs_embeds,
                                    const uint8_t *attention_mask, const int64_t *position_ids, DynamicCache *cache,
                                    Tensor *logits);

#endif
