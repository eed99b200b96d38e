/* The model's configuration: config.json. HF: configuration_minicpm.py, Qwen3Config, SiglipVisionConfig. */
#ifndef MCV_REF_CONFIGURATION_MINICPM_H
#define MCV_REF_CONFIGURATION_MINICPM_H

#include "core/memory.h"
#include "formats/json.h"

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

    /* Keys of the model's shape that config.json does not hold, "a, b": the library's defaults stand for them. */
    char missing_keys[160];

    /* Generation defaults that config.json may hold; GenerationConfig's own where it does not.
     * HF: GenerationConfig.from_model_config. */
    struct {
        double temperature, top_p, min_p, repetition_penalty, length_penalty;
        int top_k, num_beams;
        int early_stopping; /* as in GenerationConfig: 0: False, 1: True, 2: "never" */
        bool do_sample;
    } generation;
} MiniCPMVConfig;

/* Reads folder/config.json. A key that is missing has HF's default, unknown keys are passed over. A value of the wrong
 * type or out of range and a combination that has no meaning are MCV_BAD_INPUT with the key's name; what HF has and
 * this project has not (rope_scaling, a sliding window in use, scale_emb, other activations, other ways of generating)
 * is MCV_UNSUPPORTED.
 *
 * Sizes are limited so that products of a few of them fit: a row of any activation (heads * head_dim, channels *
 * patch_size^2, patches of an image) an int, a weight matrix a size_t.
 *
 * `use_sliding_window: false` turns the window off here. transformers 4.51 looks at the flag in its attention but not
 * in its mask, where a `sliding_window` of n hides what lies n or more tokens back all the same; later versions do not.
 */
mcv_status MiniCPMVConfig_from_pretrained(MiniCPMVConfig *config, const char *folder);
/* The same from the root of a file that has been read. */
mcv_status MiniCPMVConfig_from_json(MiniCPMVConfig *config, const mcv_json *json);

#endif
