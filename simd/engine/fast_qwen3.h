/* The decoder with packed weights and a paged KV cache. Mirrors ref/modeling_qwen3.c. */
#ifndef MCV_SIMD_ENGINE_FAST_QWEN3_H
#define MCV_SIMD_ENGINE_FAST_QWEN3_H

#include "ref/modeling_qwen3.h"
#include "simd/engine/kv_cache.h"
#include "simd/engine/ops.h"

typedef struct mcv_qwen3_layer {
    const Qwen3DecoderLayer *layer; /* names, norms */
    mcv_packed q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj;
} mcv_qwen3_layer;

typedef struct mcv_qwen3 {
    const Qwen3ForCausalLM *llm;
    mcv_qwen3_layer *layers;
    mcv_packed lm_head;
    size_t hidden, intermediate, num_heads, num_kv_heads, head_dim;
} mcv_qwen3;

mcv_status mcv_qwen3_pack(const Qwen3ForCausalLM *llm, mcv_precision precision, mcv_packer *packer, mcv_qwen3 *qwen3);

/* A token that goes through the layers. */
typedef struct mcv_token {
    mcv_kv_sequence *sequence; /* made long enough before */
    uint32_t visible;          /* it sees the positions before this one of its sequence */
    bool stored;               /* its keys and values become position visible - 1. Masked tokens' do not */
    int64_t position_id;
} mcv_token;

/* hidden: [count, hidden], the tokens' embeddings, replaced by the last layer's output. batch, length: the shape of
 * taps; count = batch * length where there is one. */
mcv_status mcv_qwen3_layers(const Run *run, const mcv_ops *ops, const mcv_qwen3 *qwen3, const mcv_kv_cache *cache,
                            const mcv_token *tokens, size_t count, int64_t batch, int64_t length, float *hidden);

/* The final norm, [rows, hidden] each; y may be x. */
void mcv_qwen3_norm(const mcv_ops *ops, const mcv_qwen3 *qwen3, const float *x, size_t rows, float *y);

/* normed: [rows, hidden] -> logits [rows, vocab_size]. */
mcv_status mcv_qwen3_logits(mcv_arena *arena, const mcv_ops *ops, const mcv_qwen3 *qwen3, const float *normed,
                            size_t rows, float *logits);

/* Bytes of packed weights, all of which each pass reads that asks for logits. */
size_t mcv_qwen3_bytes(const mcv_qwen3 *qwen3);

/* Bytes of temporaries that mcv_qwen3_layers and mcv_qwen3_logits take from the arena for `rows` tokens with `keys`
 * visible positions each, no tap. */
size_t mcv_qwen3_temporaries(const mcv_qwen3 *qwen3, size_t rows, size_t keys);

#endif
