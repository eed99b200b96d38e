#include "ref/parameters.h"

#include <stdio.h>

typedef struct Walk {
    ParameterVisitor visit;
    void *context;
    char prefix[128]; /* of the names that follow */
} Walk;

static mcv_status visit(const Walk *walk, const char *name, int64_t d0, int64_t d1) {
    char full[192];
    mcv_tensor shape = {.rank = d1 ? 2 : 1, .shape = {d0, d1}};
    snprintf(full, sizeof full, "%s%s", walk->prefix, name);
    return walk->visit(walk->context, full, &shape);
}

/* A linear layer: [out, in], and its bias. */
static mcv_status visit_linear(const Walk *walk, const char *name, int64_t in, int64_t out, bool bias) {
    char part[96];
    snprintf(part, sizeof part, "%s.weight", name);
    MCV_TRY(visit(walk, part, out, in));
    snprintf(part, sizeof part, "%s.bias", name);
    return bias ? visit(walk, part, out, 0) : MCV_OK;
}

static mcv_status visit_layer_norm(const Walk *walk, const char *name, int64_t columns) {
    char part[96];
    snprintf(part, sizeof part, "%s.weight", name);
    MCV_TRY(visit(walk, part, columns, 0));
    snprintf(part, sizeof part, "%s.bias", name);
    return visit(walk, part, columns, 0);
}

static mcv_status visit_decoder_layer(const Walk *walk, const MiniCPMVConfig *config) {
    int64_t hidden = config->hidden_size, intermediate = config->intermediate_size, head_dim = config->head_dim;
    int64_t q_dim = config->num_attention_heads * head_dim, kv_dim = config->num_key_value_heads * head_dim;
    MCV_TRY(visit_linear(walk, "self_attn.q_proj", hidden, q_dim, config->attention_bias));
    MCV_TRY(visit_linear(walk, "self_attn.k_proj", hidden, kv_dim, config->attention_bias));
    MCV_TRY(visit_linear(walk, "self_attn.v_proj", hidden, kv_dim, config->attention_bias));
    MCV_TRY(visit_linear(walk, "self_attn.o_proj", q_dim, hidden, config->attention_bias));
    MCV_TRY(visit(walk, "self_attn.q_norm.weight", head_dim, 0));
    MCV_TRY(visit(walk, "self_attn.k_norm.weight", head_dim, 0));
    MCV_TRY(visit_linear(walk, "mlp.gate_proj", hidden, intermediate, false));
    MCV_TRY(visit_linear(walk, "mlp.up_proj", hidden, intermediate, false));
    MCV_TRY(visit_linear(walk, "mlp.down_proj", intermediate, hidden, false));
    MCV_TRY(visit(walk, "input_layernorm.weight", hidden, 0));
    return visit(walk, "post_attention_layernorm.weight", hidden, 0);
}

static mcv_status visit_llm(Walk *walk, const MiniCPMVConfig *config) {
    snprintf(walk->prefix, sizeof walk->prefix, "llm.");
    MCV_TRY(visit(walk, "model.embed_tokens.weight", config->vocab_size, config->hidden_size));
    for (int i = 0; i < config->num_hidden_layers; i++) {
        snprintf(walk->prefix, sizeof walk->prefix, "llm.model.layers.%d.", i);
        MCV_TRY(visit_decoder_layer(walk, config));
    }
    snprintf(walk->prefix, sizeof walk->prefix, "llm.");
    MCV_TRY(visit(walk, "model.norm.weight", config->hidden_size, 0));
    return config->tie_word_embeddings ? MCV_OK
                                       : visit(walk, "lm_head.weight", config->vocab_size, config->hidden_size);
}

static mcv_status visit_encoder_layer(const Walk *walk, const SiglipVisionConfig *config) {
    int64_t hidden = config->hidden_size, intermediate = config->intermediate_size;
    MCV_TRY(visit_linear(walk, "self_attn.k_proj", hidden, hidden, true));
    MCV_TRY(visit_linear(walk, "self_attn.v_proj", hidden, hidden, true));
    MCV_TRY(visit_linear(walk, "self_attn.q_proj", hidden, hidden, true));
    MCV_TRY(visit_linear(walk, "self_attn.out_proj", hidden, hidden, true));
    MCV_TRY(visit_layer_norm(walk, "layer_norm1", hidden));
    MCV_TRY(visit_linear(walk, "mlp.fc1", hidden, intermediate, true));
    MCV_TRY(visit_linear(walk, "mlp.fc2", intermediate, hidden, true));
    return visit_layer_norm(walk, "layer_norm2", hidden);
}

static mcv_status visit_vpm(Walk *walk, const MiniCPMVConfig *config) {
    const SiglipVisionConfig *vision = &config->vision_config;
    int64_t hidden = vision->hidden_size, side = vision->image_size / vision->patch_size, patch = vision->patch_size;
    mcv_tensor kernel = {.rank = 4, .shape = {hidden, vision->num_channels, patch, patch}};
    snprintf(walk->prefix, sizeof walk->prefix, "vpm.");
    MCV_TRY(walk->visit(walk->context, "vpm.embeddings.patch_embedding.weight", &kernel));
    MCV_TRY(visit(walk, "embeddings.patch_embedding.bias", hidden, 0));
    MCV_TRY(visit(walk, "embeddings.position_embedding.weight", side * side, hidden));
    int layers = vision->num_hidden_layers - (config->drop_vision_last_layer ? 1 : 0);
    for (int i = 0; i < layers; i++) {
        snprintf(walk->prefix, sizeof walk->prefix, "vpm.encoder.layers.%d.", i);
        MCV_TRY(visit_encoder_layer(walk, vision));
    }
    snprintf(walk->prefix, sizeof walk->prefix, "vpm.");
    return visit_layer_norm(walk, "post_layernorm", hidden);
}

static mcv_status visit_resampler(Walk *walk, const MiniCPMVConfig *config) {
    int64_t dim = config->hidden_size, kv_dim = config->vision_config.hidden_size;
    snprintf(walk->prefix, sizeof walk->prefix, "resampler.");
    MCV_TRY(visit(walk, "query", config->query_num, dim));
    MCV_TRY(visit(walk, "proj", dim, dim));
    if (kv_dim != dim)
        MCV_TRY(visit_linear(walk, "kv_proj", kv_dim, dim, false));
    MCV_TRY(visit(walk, "attn.in_proj_weight", 3 * dim, dim));
    MCV_TRY(visit(walk, "attn.in_proj_bias", 3 * dim, 0));
    MCV_TRY(visit_linear(walk, "attn.out_proj", dim, dim, true));
    MCV_TRY(visit_layer_norm(walk, "ln_q", dim));
    MCV_TRY(visit_layer_norm(walk, "ln_kv", dim));
    return visit_layer_norm(walk, "ln_post", dim);
}

mcv_status MiniCPMV_named_parameters(const MiniCPMVConfig *config, ParameterVisitor visitor, void *context) {
    Walk walk = {visitor, context, ""};
    MCV_TRY(visit_llm(&walk, config));
    MCV_TRY(visit_vpm(&walk, config));
    return visit_resampler(&walk, config);
}
