/* The model's configuration: config.json. HF: configuration_minicpm.py, Qwen3Config, SiglipVisionConfig. */
#ifndef MCV_REF_CONFIGURATION_MINICPM_H
#define MCV_REF_CONFIGURATION_MINICPM_H

#include "core/memory.h"

/* HF: transformers.activations.ACT2FN, by the names that the configurations use. */
typedef enum Activation {
    ACTIVATION_SILU,
    ACTIVATION_GELU,              /* with erf */
    ACTIVATION_GELU_PYTORCH_TANH, /* the tanh approximation */
    ACTIVATION_RELU,
} Activation;

typedef struct SiglipVisionConfig {
    int hidden_size;
    int intermediate_size;
    int num_hidden_layers;
    int num_attention_heads;
    int num_channels;
    int image_size;
    int patch_size;
    Activation hidden_act;
    double layer_norm_eps;
} SiglipVisionConfig;

typedef struct MiniCPMVSliceConfig {
    int max_slice_nums;
    int patch_size;
    int scale_resolution;
} MiniCPMVSliceConfig;

typedef struct MiniCPMVConfig {
    /* Qwen3Config */
    int vocab_size;
    int hidden_size;
    int intermediate_size;
    int num_hidden_layers;
    int num_attention_heads;
    int num_key_value_heads;
    int head_dim;
    Activation hidden_act;
    double rms_norm_eps;
    double rope_theta;
    bool attention_bias;
    bool tie_word_embeddings;
    int max_position_embeddings;

    /* MiniCPMVConfig */
    int query_num;
    int image_size;
    bool drop_vision_last_layer;
    bool batch_vision_input;
    bool use_image_id;
    bool slice_mode;
    int vision_batch_size;
    bool batch_3d_resampler;
    int patch_size;
    MiniCPMVSliceConfig slice_config;
    SiglipVisionConfig vision_config;

    /* Generation defaults that config.json may hold; GenerationConfig's own where it does not.
     * HF: GenerationConfig.from_model_config. */
    struct {
        double temperature, top_p, min_p, repetition_penalty, length_penalty;
        int top_k, num_beams;
        bool early_stopping, do_sample;
    } generation;
} MiniCPMVConfig;

/* Reads folder/config.json. Unknown keys are passed over; a key that is missing and has no default in HF, a value of
 * the wrong type or a combination that has no meaning is MCV_BAD_INPUT with the key's name; a feature of Qwen3Config
 * that is not implemented (rope_scaling, sliding window in use) is MCV_UNSUPPORTED. */
mcv_status MiniCPMVConfig_from_pretrained(MiniCPMVConfig *config, const char *folder);

#endif
