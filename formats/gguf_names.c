#include "formats/gguf_names.h"

#include <stdio.h>
#include <string.h>

/* Modules, without ".weight" and ".bias"; # is a layer's number. */
static const struct {
    const char *gguf, *hf;
} MODULES[] = {
    {"token_embd", "llm.model.embed_tokens"},
    {"output_norm", "llm.model.norm"},
    {"output", "llm.lm_head"},
    {"blk.#.attn_norm", "llm.model.layers.#.input_layernorm"},
    {"blk.#.attn_q", "llm.model.layers.#.self_attn.q_proj"},
    {"blk.#.attn_k", "llm.model.layers.#.self_attn.k_proj"},
    {"blk.#.attn_v", "llm.model.layers.#.self_attn.v_proj"},
    {"blk.#.attn_output", "llm.model.layers.#.self_attn.o_proj"},
    {"blk.#.attn_q_norm", "llm.model.layers.#.self_attn.q_norm"},
    {"blk.#.attn_k_norm", "llm.model.layers.#.self_attn.k_norm"},
    {"blk.#.ffn_norm", "llm.model.layers.#.post_attention_layernorm"},
    {"blk.#.ffn_gate", "llm.model.layers.#.mlp.gate_proj"},
    {"blk.#.ffn_up", "llm.model.layers.#.mlp.up_proj"},
    {"blk.#.ffn_down", "llm.model.layers.#.mlp.down_proj"},
    {"v.patch_embd", "vpm.embeddings.patch_embedding"},
    {"v.position_embd", "vpm.embeddings.position_embedding"},
    {"v.blk.#.ln1", "vpm.encoder.layers.#.layer_norm1"},
    {"v.blk.#.ln2", "vpm.encoder.layers.#.layer_norm2"},
    {"v.blk.#.attn_q", "vpm.encoder.layers.#.self_attn.q_proj"},
    {"v.blk.#.attn_k", "vpm.encoder.layers.#.self_attn.k_proj"},
    {"v.blk.#.attn_v", "vpm.encoder.layers.#.self_attn.v_proj"},
    {"v.blk.#.attn_out", "vpm.encoder.layers.#.self_attn.out_proj"},
    /* The converter of this model family gives the two the names that others have the other way round. */
    {"v.blk.#.ffn_down", "vpm.encoder.layers.#.mlp.fc1"},
    {"v.blk.#.ffn_up", "vpm.encoder.layers.#.mlp.fc2"},
    {"v.post_ln", "vpm.post_layernorm"},
    {"resampler.kv", "resampler.kv_proj"},
    {"resampler.attn.out", "resampler.attn.out_proj"},
    {"resampler.ln_q", "resampler.ln_q"},
    {"resampler.ln_kv", "resampler.ln_kv"},
    {"resampler.ln_post", "resampler.ln_post"},
};

enum { MODULE_COUNT = sizeof MODULES / sizeof *MODULES };

/* Whether `pattern` stands for the first `size` characters of `name`; *number, *digits: the layer's number there. */
static bool matches(const char *pattern, const char *name, size_t size, const char **number, int *digits) {
    const char *end = name + size;
    *number = "";
    *digits = 0;
    for (; *pattern; pattern++) {
        if (*pattern != '#') {
            if (name == end || *name++ != *pattern)
                return false;
            continue;
        }
        *number = name;
        while (name < end && *name >= '0' && *name <= '9')
            name++;
        *digits = (int)(name - *number);
        if (*digits == 0)
            return false;
    }
    return name == end;
}

static bool put_name(const char *pattern, const char *number, int digits, const char *suffix, char *out) {
    const char *hash = strchr(pattern, '#');
    int front = hash ? (int)(hash - pattern) : (int)strlen(pattern);
    int size =
        snprintf(out, MCV_GGUF_NAME_SIZE, "%.*s%.*s%s%s", front, pattern, digits, number, hash ? hash + 1 : "", suffix);
    return size < MCV_GGUF_NAME_SIZE;
}

static bool rename_tensor(const char *name, bool to_hf, char *out) {
    const char *suffix = strrchr(name, '.'), *number;
    int digits;
    if (!suffix || (strcmp(suffix, ".weight") != 0 && strcmp(suffix, ".bias") != 0))
        return false;
    for (int i = 0; i < MODULE_COUNT; i++) {
        const char *from = to_hf ? MODULES[i].gguf : MODULES[i].hf, *to = to_hf ? MODULES[i].hf : MODULES[i].gguf;
        if (matches(from, name, (size_t)(suffix - name), &number, &digits))
            return put_name(to, number, digits, suffix, out);
    }
    return false;
}

bool mcv_gguf_to_hf_name(const char *name, char *hf_name) {
    return rename_tensor(name, true, hf_name);
}

bool mcv_hf_to_gguf_name(const char *hf_name, char *name) {
    return rename_tensor(hf_name, false, name);
}
