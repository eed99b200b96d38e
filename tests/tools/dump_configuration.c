/* Reads folders, one a line, and prints the configuration of each as JSON, or "STATUS message" (tests/live/
 * configuration.py). */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ref/configuration_minicpm.h"

static const char *const ACTIVATIONS[] = {"silu", "gelu", "gelu_pytorch_tanh", "relu"};

static json_t *vision(const SiglipVisionConfig *c) {
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f}", "hidden_size", c->hidden_size,
                     "intermediate_size", c->intermediate_size, "num_hidden_layers", c->num_hidden_layers,
                     "num_attention_heads", c->num_attention_heads, "num_channels", c->num_channels, "image_size",
                     c->image_size, "patch_size", c->patch_size, "hidden_act", ACTIVATIONS[c->hidden_act],
                     "layer_norm_eps", c->layer_norm_eps);
}

static json_t *slices(const MiniCPMVSliceConfig *c) {
    return json_pack("{s:i, s:i, s:i}", "max_slice_nums", c->max_slice_nums, "patch_size", c->patch_size,
                     "scale_resolution", c->scale_resolution);
}

static json_t *generation(const MiniCPMVConfig *c) {
    static const char *const EARLY[] = {"False", "True", "never"};
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:i, s:i, s:s, s:b}", "temperature", c->generation.temperature, "top_p",
                     c->generation.top_p, "min_p", c->generation.min_p, "repetition_penalty",
                     c->generation.repetition_penalty, "length_penalty", c->generation.length_penalty, "top_k",
                     c->generation.top_k, "num_beams", c->generation.num_beams, "early_stopping",
                     EARLY[c->generation.early_stopping], "do_sample", c->generation.do_sample);
}

static json_t *model(const MiniCPMVConfig *c) {
    json_t *all =
        json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f, s:f, s:b, s:b, s:i}", "vocab_size", c->vocab_size,
                  "hidden_size", c->hidden_size, "intermediate_size", c->intermediate_size, "num_hidden_layers",
                  c->num_hidden_layers, "num_attention_heads", c->num_attention_heads, "num_key_value_heads",
                  c->num_key_value_heads, "head_dim", c->head_dim, "hidden_act", ACTIVATIONS[c->hidden_act],
                  "rms_norm_eps", c->rms_norm_eps, "rope_theta", c->rope_theta, "attention_bias", c->attention_bias,
                  "tie_word_embeddings", c->tie_word_embeddings, "max_position_embeddings", c->max_position_embeddings);
    json_object_update_new(all,
                           json_pack("{s:i, s:i, s:b, s:b, s:b, s:b, s:i, s:b, s:i}", "query_num", c->query_num,
                                     "image_size", c->image_size, "drop_vision_last_layer", c->drop_vision_last_layer,
                                     "batch_vision_input", c->batch_vision_input, "use_image_id", c->use_image_id,
                                     "slice_mode", c->slice_mode, "vision_batch_size", c->vision_batch_size,
                                     "batch_3d_resampler", c->batch_3d_resampler, "patch_size", c->patch_size));
    json_object_set_new(all, "vision_config", vision(&c->vision_config));
    json_object_set_new(all, "slice_config", slices(&c->slice_config));
    json_object_set_new(all, "generation", generation(c));
    return all;
}

int main(void) {
    char folder[4096];
    while (fgets(folder, sizeof folder, stdin)) {
        MiniCPMVConfig config;
        folder[strcspn(folder, "\n")] = 0;
        mcv_status status = MiniCPMVConfig_from_pretrained(&config, folder);
        if (status == MCV_OK) {
            json_t *all = model(&config);
            json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
            json_decref(all);
            printf("\n");
        } else {
            printf("%d %s\n", (int)status, mcv_error_message());
        }
        fflush(stdout);
    }
    return 0;
}
