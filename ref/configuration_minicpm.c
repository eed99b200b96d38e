/* HF: configuration_minicpm.py; Qwen3Config, SiglipVisionConfig and GenerationConfig of transformers 4.51. */
#include "ref/configuration_minicpm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"

/* Sizes beyond these are damage, not models (see the header). */
enum {
    MAX_WIDTH = 1 << 20,
    MAX_HEADS = 1 << 14,
    MAX_HEAD_DIM = 1 << 14,
    MAX_LAYERS = 1 << 14,
    MAX_VOCAB = 1 << 26,
    MAX_BEAMS = 1 << 14,
    MAX_IMAGE_SIZE = 1 << 15,
    MAX_PATCH_SIZE = 1 << 10,
    MAX_COUNT = 1 << 30,
};

static mcv_status get_activation(const mcv_json *json, Activation *activation) {
    static const struct {
        const char *name;
        Activation activation;
    } ACT2FN[] = {
        {"silu", ACTIVATION_SILU}, {"swish", ACTIVATION_SILU},
        {"gelu", ACTIVATION_GELU}, {"gelu_pytorch_tanh", ACTIVATION_GELU_PYTORCH_TANH},
        {"relu", ACTIVATION_RELU},
    };
    const char *name = NULL;
    MCV_TRY(mcv_json_get_string(json, "hidden_act", &name));
    if (!name)
        return MCV_OK;
    for (size_t i = 0; i < sizeof ACT2FN / sizeof ACT2FN[0]; i++)
        if (strcmp(name, ACT2FN[i].name) == 0) {
            *activation = ACT2FN[i].activation;
            return MCV_OK;
        }
    mcv_json member = mcv_json_member(json, "hidden_act");
    return mcv_json_fail(MCV_UNSUPPORTED, &member, "silu, swish, gelu, gelu_pytorch_tanh or relu");
}

/* HF: SiglipVisionConfig.__init__. config holds the defaults. */
static mcv_status SiglipVisionConfig_init(SiglipVisionConfig *config, const mcv_json *json) {
    MCV_TRY(mcv_json_get_int(json, "hidden_size", 1, MAX_WIDTH, &config->hidden_size));
    MCV_TRY(mcv_json_get_int(json, "intermediate_size", 1, MAX_WIDTH, &config->intermediate_size));
    MCV_TRY(mcv_json_get_int(json, "num_hidden_layers", 1, MAX_LAYERS, &config->num_hidden_layers));
    MCV_TRY(mcv_json_get_int(json, "num_attention_heads", 1, MAX_HEADS, &config->num_attention_heads));
    MCV_TRY(mcv_json_get_int(json, "num_channels", 3, 3, &config->num_channels));
    MCV_TRY(mcv_json_get_int(json, "patch_size", 1, MAX_PATCH_SIZE, &config->patch_size));
    MCV_TRY(mcv_json_get_int(json, "image_size", config->patch_size, MAX_IMAGE_SIZE, &config->image_size));
    MCV_TRY(mcv_json_get_double(json, "layer_norm_eps", 0, 1, &config->layer_norm_eps));
    return get_activation(json, &config->hidden_act);
}

/* HF: MiniCPMVSliceConfig.__init__. config holds the defaults. */
static mcv_status MiniCPMVSliceConfig_init(MiniCPMVSliceConfig *config, const mcv_json *json) {
    MCV_TRY(mcv_json_get_int(json, "patch_size", 1, MAX_PATCH_SIZE, &config->patch_size));
    MCV_TRY(mcv_json_get_int(json, "max_slice_nums", 1, MAX_COUNT, &config->max_slice_nums));
    return mcv_json_get_int(json, "scale_resolution", 1, MAX_IMAGE_SIZE, &config->scale_resolution);
}

/* HF: rope_config_validation, ROPE_INIT_FUNCTIONS. "type" is the older name. */
static mcv_status check_rope_scaling(const mcv_json *json) {
    mcv_json scaling;
    const char *type = "default";
    MCV_TRY(mcv_json_get_object(json, "rope_scaling", &scaling));
    MCV_TRY(mcv_json_get_string(&scaling, "rope_type", &type));
    MCV_TRY(mcv_json_get_string(&scaling, "type", &type));
    if (strcmp(type, "default") == 0)
        return MCV_OK;
    mcv_json member = mcv_json_member(&scaling, mcv_json_member(&scaling, "type").value ? "type" : "rope_type");
    return mcv_json_fail(MCV_UNSUPPORTED, &member, "\"default\" (positions are not scaled here)");
}

static mcv_status check_sliding_window(const mcv_json *json, int max_position_embeddings) {
    bool use_sliding_window = false;
    int sliding_window = json_object_get(json->value, "sliding_window") ? MAX_COUNT : 4096;
    MCV_TRY(mcv_json_get_bool(json, "use_sliding_window", &use_sliding_window));
    MCV_TRY(mcv_json_get_int(json, "sliding_window", 1, MAX_COUNT, &sliding_window));
    if (!use_sliding_window || sliding_window >= max_position_embeddings)
        return MCV_OK;
    mcv_json member = mcv_json_member(json, "use_sliding_window");
    return mcv_json_fail(MCV_UNSUPPORTED, &member, "false (attention is not windowed here)");
}

/* HF: get_vllm_embedding, which scales the prompt's embeddings where the configuration has this key. */
static mcv_status check_scale_emb(const mcv_json *json) {
    mcv_json scale_emb = mcv_json_member(json, "scale_emb");
    if (!scale_emb.value || (json_is_number(scale_emb.value) && json_number_value(scale_emb.value) == 1))
        return MCV_OK;
    return mcv_json_fail(MCV_UNSUPPORTED, &scale_emb, "1 (embeddings are not scaled here)");
}

/* HF: Qwen3Config.__init__. */
static mcv_status Qwen3Config_init(MiniCPMVConfig *config, const mcv_json *json) {
    config->vocab_size = 151936;
    config->hidden_size = 4096;
    config->intermediate_size = 22016;
    config->num_hidden_layers = 32;
    config->num_attention_heads = 32;
    config->num_key_value_heads = 32;
    config->head_dim = 128;
    config->hidden_act = ACTIVATION_SILU;
    config->max_position_embeddings = 32768;
    config->rms_norm_eps = 1e-6;
    config->tie_word_embeddings = false;
    config->rope_theta = 10000.0;
    config->attention_bias = false;
    MCV_TRY(mcv_json_get_int(json, "vocab_size", 1, MAX_VOCAB, &config->vocab_size));
    MCV_TRY(mcv_json_get_int(json, "hidden_size", 1, MAX_WIDTH, &config->hidden_size));
    MCV_TRY(mcv_json_get_int(json, "intermediate_size", 1, MAX_WIDTH, &config->intermediate_size));
    MCV_TRY(mcv_json_get_int(json, "num_hidden_layers", 1, MAX_LAYERS, &config->num_hidden_layers));
    MCV_TRY(mcv_json_get_int(json, "num_attention_heads", 1, MAX_HEADS, &config->num_attention_heads));
    /* Missing, it is 32; null, it is the number of query heads. */
    if (json_is_null(json_object_get(json->value, "num_key_value_heads")))
        config->num_key_value_heads = config->num_attention_heads;
    MCV_TRY(mcv_json_get_int(json, "num_key_value_heads", 1, MAX_HEADS, &config->num_key_value_heads));
    MCV_TRY(mcv_json_get_int(json, "head_dim", 2, MAX_HEAD_DIM, &config->head_dim));
    MCV_TRY(get_activation(json, &config->hidden_act));
    MCV_TRY(mcv_json_get_int(json, "max_position_embeddings", 1, MAX_COUNT, &config->max_position_embeddings));
    MCV_TRY(mcv_json_get_double(json, "rms_norm_eps", 0, 1, &config->rms_norm_eps));
    MCV_TRY(mcv_json_get_bool(json, "tie_word_embeddings", &config->tie_word_embeddings));
    MCV_TRY(mcv_json_get_double(json, "rope_theta", 1, 1e30, &config->rope_theta));
    MCV_TRY(mcv_json_get_bool(json, "attention_bias", &config->attention_bias));
    MCV_TRY(check_rope_scaling(json));
    MCV_TRY(check_scale_emb(json));
    return check_sliding_window(json, config->max_position_embeddings);
}

/* HF: MiniCPMVConfig.__init__. PretrainedConfig.__init__, which runs last, sets slice_mode and patch_size from the file
 * where they are there. */
static mcv_status MiniCPMVConfig_init(MiniCPMVConfig *config, const mcv_json *json) {
    config->query_num = 64;
    config->image_size = 448;
    config->drop_vision_last_layer = true;
    config->batch_vision_input = true;
    config->use_image_id = true;
    config->vision_batch_size = 16;
    config->batch_3d_resampler = true;
    MCV_TRY(mcv_json_get_int(json, "query_num", 1, MAX_WIDTH, &config->query_num));
    MCV_TRY(mcv_json_get_int(json, "image_size", 1, MAX_IMAGE_SIZE, &config->image_size));
    MCV_TRY(mcv_json_get_bool(json, "drop_vision_last_layer", &config->drop_vision_last_layer));
    MCV_TRY(mcv_json_get_bool(json, "batch_vision_input", &config->batch_vision_input));
    MCV_TRY(mcv_json_get_bool(json, "use_image_id", &config->use_image_id));
    MCV_TRY(mcv_json_get_int(json, "vision_batch_size", 1, MAX_COUNT, &config->vision_batch_size));
    MCV_TRY(mcv_json_get_bool(json, "batch_3d_resampler", &config->batch_3d_resampler));

    mcv_json slice_config, vision_config;
    MCV_TRY(mcv_json_get_object(json, "slice_config", &slice_config));
    config->slice_config = (MiniCPMVSliceConfig){.patch_size = 14, .max_slice_nums = 9, .scale_resolution = 448};
    if (!slice_config.value)
        config->slice_config.max_slice_nums = 1;
    MCV_TRY(MiniCPMVSliceConfig_init(&config->slice_config, &slice_config));
    config->slice_mode = true;

    MCV_TRY(mcv_json_get_object(json, "vision_config", &vision_config));
    config->vision_config = (SiglipVisionConfig){
        .hidden_size = 768,
        .intermediate_size = 3072,
        .num_hidden_layers = 12,
        .num_attention_heads = 12,
        .num_channels = 3,
        .image_size = 224,
        .patch_size = 16,
        .hidden_act = ACTIVATION_GELU_PYTORCH_TANH,
        .layer_norm_eps = 1e-6,
    };
    if (!vision_config.value) { /* default_vision_config */
        config->vision_config.hidden_size = 1152;
        config->vision_config.image_size = 980;
        config->vision_config.intermediate_size = 4304;
        config->vision_config.num_attention_heads = 16;
        config->vision_config.num_hidden_layers = 27;
        config->vision_config.patch_size = 14;
    }
    MCV_TRY(SiglipVisionConfig_init(&config->vision_config, &vision_config));
    config->patch_size = config->vision_config.patch_size;

    MCV_TRY(Qwen3Config_init(config, json));
    MCV_TRY(mcv_json_get_bool(json, "slice_mode", &config->slice_mode));
    return mcv_json_get_int(json, "patch_size", 1, MAX_PATCH_SIZE, &config->patch_size);
}

/* Options of GenerationConfig that change the ids written and are not implemented, with the value that turns each off.
 * Lists and objects have none but null. */
static mcv_status check_generation_unsupported(const mcv_json *json) {
    static const struct {
        const char *key;
        double off;
    } OPTIONS[] = {
        {"min_length", 0},
        {"min_new_tokens", 0},
        {"max_time", NAN},
        {"stop_strings", NAN},
        {"num_beam_groups", 1},
        {"diversity_penalty", 0},
        {"penalty_alpha", 0},
        {"dola_layers", NAN},
        {"typical_p", 1},
        {"epsilon_cutoff", 0},
        {"eta_cutoff", 0},
        {"encoder_repetition_penalty", 1},
        {"no_repeat_ngram_size", 0},
        {"encoder_no_repeat_ngram_size", 0},
        {"bad_words_ids", NAN},
        {"force_words_ids", NAN},
        {"renormalize_logits", 0},
        {"constraints", NAN},
        {"forced_bos_token_id", NAN},
        {"forced_eos_token_id", NAN},
        {"remove_invalid_values", 0},
        {"exponential_decay_length_penalty", NAN},
        {"suppress_tokens", NAN},
        {"begin_suppress_tokens", NAN},
        {"sequence_bias", NAN},
        {"token_healing", 0},
        {"guidance_scale", 1},
        {"watermarking_config", NAN},
        {"num_return_sequences", 1},
        {"prompt_lookup_num_tokens", NAN},
    };
    for (size_t i = 0; i < sizeof OPTIONS / sizeof OPTIONS[0]; i++) {
        mcv_json option = mcv_json_member(json, OPTIONS[i].key);
        double number = json_is_boolean(option.value) ? json_is_true(option.value) : json_number_value(option.value);
        bool is_number = json_is_number(option.value) || json_is_boolean(option.value);
        if (option.value && !(is_number && number == OPTIONS[i].off))
            return mcv_json_fail(MCV_UNSUPPORTED, &option, "null (this option of generate is not implemented)");
    }
    return MCV_OK;
}

static mcv_status get_early_stopping(const mcv_json *json, int *early_stopping) {
    mcv_json member = mcv_json_member(json, "early_stopping");
    if (json_is_boolean(member.value))
        *early_stopping = json_is_true(member.value);
    else if (json_is_string(member.value) && strcmp(json_string_value(member.value), "never") == 0)
        *early_stopping = 2;
    else if (member.value)
        return mcv_json_fail(MCV_BAD_INPUT, &member, "true, false or \"never\"");
    return MCV_OK;
}

/* HF: GenerationConfig.from_model_config, GenerationConfig.__init__. */
static mcv_status GenerationConfig_from_model_config(MiniCPMVConfig *config, const mcv_json *json) {
    config->generation.temperature = 1.0;
    config->generation.top_k = 50;
    config->generation.top_p = 1.0;
    config->generation.min_p = 0.0;
    config->generation.repetition_penalty = 1.0;
    config->generation.length_penalty = 1.0;
    config->generation.num_beams = 1;
    config->generation.early_stopping = 0;
    config->generation.do_sample = false;
    MCV_TRY(mcv_json_get_bool(json, "do_sample", &config->generation.do_sample));
    MCV_TRY(mcv_json_get_int(json, "num_beams", 1, MAX_BEAMS, &config->generation.num_beams));
    MCV_TRY(mcv_json_get_double(json, "temperature", 0, 1e30, &config->generation.temperature));
    MCV_TRY(mcv_json_get_int(json, "top_k", 0, MAX_COUNT, &config->generation.top_k));
    MCV_TRY(mcv_json_get_double(json, "top_p", 0, 1, &config->generation.top_p));
    MCV_TRY(mcv_json_get_double(json, "min_p", 0, 1, &config->generation.min_p));
    MCV_TRY(mcv_json_get_double(json, "repetition_penalty", 1e-30, 1e30, &config->generation.repetition_penalty));
    MCV_TRY(mcv_json_get_double(json, "length_penalty", -1e30, 1e30, &config->generation.length_penalty));
    MCV_TRY(get_early_stopping(json, &config->generation.early_stopping));
    return check_generation_unsupported(json);
}

static mcv_status check_combinations(const MiniCPMVConfig *config, const char *path) {
    const SiglipVisionConfig *vision = &config->vision_config;
    if (config->num_attention_heads % config->num_key_value_heads != 0)
        return MCV_FAIL(MCV_BAD_INPUT,
                        "%s: num_key_value_heads: expected a divisor of num_attention_heads (%d), found %d", path,
                        config->num_attention_heads, config->num_key_value_heads);
    if (config->head_dim % 2 != 0) /* rotate_half */
        return MCV_FAIL(MCV_BAD_INPUT, "%s: head_dim: expected an even number, found %d", path, config->head_dim);
    if (vision->hidden_size % vision->num_attention_heads != 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: vision_config.hidden_size: expected a multiple of its %d heads, found %d",
                        path, vision->num_attention_heads, vision->hidden_size);
    int resampler_heads = config->hidden_size / 128; /* HF: MiniCPMV.init_resampler */
    if (resampler_heads == 0 || config->hidden_size % resampler_heads != 0)
        return MCV_FAIL(MCV_BAD_INPUT,
                        "%s: hidden_size: expected a multiple of the resampler's heads (hidden_size / 128), found %d",
                        path, config->hidden_size);
    if (config->hidden_size % 4 != 0) /* HF: get_2d_sincos_pos_embed */
        return MCV_FAIL(MCV_BAD_INPUT, "%s: hidden_size: expected a multiple of 4 (sine tables), found %d", path,
                        config->hidden_size);
    if (config->patch_size != vision->patch_size)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: patch_size: expected that of vision_config, %d, found %d", path,
                        vision->patch_size, config->patch_size);
    return MCV_OK;
}

static mcv_status check_model_type(const mcv_json *json) {
    const char *model_type = "minicpmv";
    MCV_TRY(mcv_json_get_string(json, "model_type", &model_type));
    if (strcmp(model_type, "minicpmv") == 0)
        return MCV_OK;
    mcv_json member = mcv_json_member(json, "model_type");
    return mcv_json_fail(MCV_UNSUPPORTED, &member, "minicpmv");
}

/* A model without one of these is more likely damaged than of the default's shape, which its weights will tell. */
static void list_missing_keys(const mcv_json *json, char *names, size_t size) {
    static const char *const KEYS[] = {"vocab_size",          "hidden_size", "intermediate_size",
                                       "num_hidden_layers",   "head_dim",    "num_attention_heads",
                                       "num_key_value_heads", "query_num",   "vision_config"};
    size_t used = 0;
    names[0] = 0;
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0] && used < size; i++)
        if (!mcv_json_member(json, KEYS[i]).value)
            used += (size_t)snprintf(names + used, size - used, "%s%s", used ? ", " : "", KEYS[i]);
}

mcv_status MiniCPMVConfig_from_json(MiniCPMVConfig *config, const mcv_json *json) {
    *config = (MiniCPMVConfig){0};
    MCV_TRY(check_model_type(json));
    MCV_TRY(MiniCPMVConfig_init(config, json));
    MCV_TRY(GenerationConfig_from_model_config(config, json));
    MCV_TRY(check_combinations(config, json->file));
    list_missing_keys(json, config->missing_keys, sizeof config->missing_keys);
    return MCV_OK;
}

mcv_status MiniCPMVConfig_from_pretrained(MiniCPMVConfig *config, const char *folder) {
    char *path;
    mcv_json json;
    MCV_TRY(mcv_path_join(&path, folder, "config.json"));
    mcv_status status = mcv_json_load(path, &json);
    if (status == MCV_OK)
        status = MiniCPMVConfig_from_json(config, &json);
    mcv_json_free(&json);
    free(path);
    return status;
}
