#include "ref/gguf_export.h"

#include <jansson.h>

#include "ref/gguf_config.h"

#include <stdio.h>

/* The number that the format's readers know the encoder and resampler of this model by. */
enum { VERSION_OF_RESAMPLER = 6, QUANTIZATION_VERSION = 2 };

static mcv_status add_int(mcv_gguf_writer *writer, const char *prefix, const char *key, int value) {
    char full[96];
    snprintf(full, sizeof full, "%s.%s", prefix, key);
    return mcv_gguf_add_u32(writer, full, (uint32_t)value);
}

/* ---- Language model ------------------------------------------------------------------------------------------ */

static mcv_status add_general(mcv_gguf_writer *writer, const char *architecture, const char *name, uint32_t file_type) {
    MCV_TRY(mcv_gguf_add_string(writer, "general.architecture", architecture));
    MCV_TRY(mcv_gguf_add_string(writer, "general.type", "model"));
    MCV_TRY(mcv_gguf_add_string(writer, "general.name", name));
    MCV_TRY(mcv_gguf_add_u32(writer, "general.file_type", file_type));
    return mcv_gguf_add_u32(writer, "general.quantization_version", QUANTIZATION_VERSION);
}

static mcv_status add_qwen3(mcv_gguf_writer *writer, const MiniCPMVConfig *config) {
    static const char PREFIX[] = "qwen3";
    MCV_TRY(add_int(writer, PREFIX, "block_count", config->num_hidden_layers));
    MCV_TRY(add_int(writer, PREFIX, "context_length", config->max_position_embeddings));
    MCV_TRY(add_int(writer, PREFIX, "embedding_length", config->hidden_size));
    MCV_TRY(add_int(writer, PREFIX, "feed_forward_length", config->intermediate_size));
    MCV_TRY(add_int(writer, PREFIX, "attention.head_count", config->num_attention_heads));
    MCV_TRY(add_int(writer, PREFIX, "attention.head_count_kv", config->num_key_value_heads));
    MCV_TRY(add_int(writer, PREFIX, "attention.key_length", config->head_dim));
    MCV_TRY(add_int(writer, PREFIX, "attention.value_length", config->head_dim));
    MCV_TRY(add_int(writer, PREFIX, "vocab_size", config->vocab_size));
    MCV_TRY(mcv_gguf_add_f32(writer, "qwen3.rope.freq_base", (float)config->rope_theta));
    return mcv_gguf_add_f32(writer, "qwen3.attention.layer_norm_rms_epsilon", (float)config->rms_norm_eps);
}

static mcv_status add_tokenizer(mcv_gguf_writer *writer, const ModelFiles *files, int vocab_size) {
    Qwen2Tokenizer *tokenizer;
    MCV_TRY(ModelFiles_tokenizer(files, &tokenizer));
    mcv_status status = Qwen2Tokenizer_to_gguf(tokenizer, vocab_size, writer);
    Qwen2Tokenizer_free(tokenizer);
    return status;
}

static mcv_status add_chat_template(mcv_gguf_writer *writer, const ModelFiles *files) {
    mcv_buffer text = {0};
    mcv_status status = ModelFiles_chat_template(files, &text);
    if (status == MCV_OK && text.size > 0)
        status = mcv_gguf_add_string(writer, "tokenizer.chat_template", text.data);
    mcv_buffer_free(&text);
    return status;
}

mcv_status gguf_add_language_metadata(mcv_gguf_writer *writer, const ModelFiles *files, const MiniCPMVConfig *config,
                                      uint32_t file_type) {
    MCV_TRY(add_general(writer, "qwen3", "MiniCPM-V language model", file_type));
    MCV_TRY(add_qwen3(writer, config));
    MCV_TRY(add_tokenizer(writer, files, config->vocab_size));
    return add_chat_template(writer, files);
}

/* ---- Vision side --------------------------------------------------------------------------------------------- */

static mcv_status add_encoder(mcv_gguf_writer *writer, const MiniCPMVConfig *config) {
    static const char PREFIX[] = "clip.vision";
    const SiglipVisionConfig *vision = &config->vision_config;
    int layers = vision->num_hidden_layers - (config->drop_vision_last_layer ? 1 : 0);
    MCV_TRY(add_int(writer, PREFIX, "image_size", config->image_size));
    MCV_TRY(add_int(writer, PREFIX, "patch_size", vision->patch_size));
    MCV_TRY(add_int(writer, PREFIX, "embedding_length", vision->hidden_size));
    MCV_TRY(add_int(writer, PREFIX, "feed_forward_length", vision->intermediate_size));
    MCV_TRY(add_int(writer, PREFIX, "projection_dim", 0));
    MCV_TRY(add_int(writer, PREFIX, "attention.head_count", vision->num_attention_heads));
    MCV_TRY(add_int(writer, PREFIX, "block_count", layers));
    return mcv_gguf_add_f32(writer, "clip.vision.attention.layer_norm_epsilon", (float)vision->layer_norm_eps);
}

static mcv_status add_channels(mcv_gguf_writer *writer, const char *key, const double values[3]) {
    const float channels[3] = {(float)values[0], (float)values[1], (float)values[2]};
    return mcv_gguf_add_f32s(writer, key, channels, 3);
}

static mcv_status add_normalization(mcv_gguf_writer *writer, const ModelFiles *files) {
    MiniCPMVImageProcessor processor;
    mcv_status status = ModelFiles_image_processor(files, &processor);
    if (status == MCV_OK)
        status = add_channels(writer, "clip.vision.image_mean", processor.mean);
    if (status == MCV_OK)
        status = add_channels(writer, "clip.vision.image_std", processor.std);
    MiniCPMVImageProcessor_free(&processor);
    return status;
}

/* Takes `value`. */
static mcv_status add_json(mcv_gguf_writer *writer, const char *key, json_t *value) {
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    json_decref(value);
    mcv_status status = text ? mcv_gguf_add_string(writer, key, text) : MCV_FAIL_MEMORY(0);
    free(text);
    return status;
}

/* What the format has no keys for, so that a pair does what the model's own files say. */
static mcv_status add_own_settings(mcv_gguf_writer *writer, const ModelFiles *files) {
    mcv_json config, preprocessor;
    MCV_TRY(ModelFiles_config_json(files, &config));
    mcv_status status = add_json(writer, GGUF_CONFIG_KEY, gguf_own_config(&config));
    mcv_json_free(&config);
    MCV_TRY(status);
    MCV_TRY(ModelFiles_preprocessor_config(files, &preprocessor));
    status = add_json(writer, GGUF_PREPROCESSOR_KEY, json_incref(preprocessor.value));
    mcv_json_free(&preprocessor);
    return status;
}

mcv_status gguf_add_vision_metadata(mcv_gguf_writer *writer, const ModelFiles *files, const MiniCPMVConfig *config,
                                    uint32_t file_type) {
    MCV_TRY(add_general(writer, "clip", "MiniCPM-V vision encoder and resampler", file_type));
    MCV_TRY(mcv_gguf_add_bool(writer, "clip.has_text_encoder", false));
    MCV_TRY(mcv_gguf_add_bool(writer, "clip.has_vision_encoder", true));
    MCV_TRY(mcv_gguf_add_bool(writer, "clip.has_minicpmv_projector", true));
    MCV_TRY(mcv_gguf_add_string(writer, "clip.projector_type", "resampler"));
    MCV_TRY(mcv_gguf_add_i32(writer, "clip.minicpmv_version", VERSION_OF_RESAMPLER));
    MCV_TRY(add_int(writer, "clip", "minicpmv_query_num", config->query_num));
    MCV_TRY(mcv_gguf_add_bool(writer, "clip.use_gelu", true));
    MCV_TRY(add_encoder(writer, config));
    MCV_TRY(add_normalization(writer, files));
    return add_own_settings(writer, files);
}
