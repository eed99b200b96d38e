#include <criterion/criterion.h>

#include "core/file.h"
#include "ref/configuration_minicpm.h"
#include "tests/temporary.h"

static mcv_status load(const char *text, MiniCPMVConfig *config) {
    temporary_text("config.json", text);
    return MiniCPMVConfig_from_pretrained(config, temporary_folder());
}

static MiniCPMVConfig load_good(const char *text) {
    MiniCPMVConfig config;
    cr_assert_eq(load(text, &config), MCV_OK, "%s", mcv_error_message());
    return config;
}

/* What HF's MiniCPMVConfig() holds. */
Test(configuration, defaults_are_those_of_hf) {
    MiniCPMVConfig c = load_good("{}");
    cr_expect_eq(c.vocab_size, 151936);
    cr_expect_eq(c.hidden_size, 4096);
    cr_expect_eq(c.intermediate_size, 22016);
    cr_expect_eq(c.num_hidden_layers, 32);
    cr_expect_eq(c.num_attention_heads, 32);
    cr_expect_eq(c.num_key_value_heads, 32);
    cr_expect_eq(c.head_dim, 128);
    cr_expect_eq(c.hidden_act, ACTIVATION_SILU);
    cr_expect_eq(c.rms_norm_eps, 1e-6);
    cr_expect_eq(c.rope_theta, 10000.0);
    cr_expect_eq(c.max_position_embeddings, 32768);
    cr_expect(!c.attention_bias && !c.tie_word_embeddings);
    cr_expect_eq(c.query_num, 64);
    cr_expect_eq(c.image_size, 448);
    cr_expect(c.drop_vision_last_layer && c.batch_vision_input && c.use_image_id && c.slice_mode);
    cr_expect(c.batch_3d_resampler);
    cr_expect_eq(c.vision_batch_size, 16);
    cr_expect_eq(c.patch_size, 14);
    cr_expect(c.slice_config.patch_size == 14 && c.slice_config.max_slice_nums == 1);
    cr_expect_eq(c.slice_config.scale_resolution, 448);
    cr_expect(c.vision_config.hidden_size == 1152 && c.vision_config.intermediate_size == 4304);
    cr_expect(c.vision_config.num_hidden_layers == 27 && c.vision_config.num_attention_heads == 16);
    cr_expect(c.vision_config.num_channels == 3 && c.vision_config.image_size == 980);
    cr_expect_eq(c.vision_config.hidden_act, ACTIVATION_GELU_PYTORCH_TANH);
    cr_expect_eq(c.vision_config.layer_norm_eps, 1e-6);
    cr_expect(!c.generation.do_sample && c.generation.num_beams == 1 && c.generation.early_stopping == 0);
    cr_expect(c.generation.top_k == 50 && c.generation.top_p == 1.0 && c.generation.min_p == 0.0);
    cr_expect(c.generation.temperature == 1.0 && c.generation.repetition_penalty == 1.0);
    cr_expect_eq(c.generation.length_penalty, 1.0);
}

/* An empty object is not a missing one: the classes' own defaults hold then. */
Test(configuration, empty_parts_have_other_defaults_than_missing_ones) {
    MiniCPMVConfig c = load_good("{\"slice_config\": {}, \"vision_config\": {}}");
    cr_expect_eq(c.slice_config.max_slice_nums, 9);
    cr_expect(c.vision_config.hidden_size == 768 && c.vision_config.intermediate_size == 3072);
    cr_expect(c.vision_config.num_hidden_layers == 12 && c.vision_config.num_attention_heads == 12);
    cr_expect(c.vision_config.image_size == 224 && c.vision_config.patch_size == 16);
    cr_expect_eq(c.patch_size, 16);
}

Test(configuration, null_key_value_heads_are_the_query_heads) {
    cr_expect_eq(load_good("{\"num_attention_heads\": 64}").num_key_value_heads, 32);
    cr_expect_eq(load_good("{\"num_attention_heads\": 64, \"num_key_value_heads\": null}").num_key_value_heads, 64);
}

Test(configuration, values_are_read) {
    MiniCPMVConfig c = load_good(
        "{\"vocab_size\": 11, \"hidden_size\": 256, \"intermediate_size\": 12, \"num_hidden_layers\": 2,"
        "\"num_attention_heads\": 6, \"num_key_value_heads\": 3, \"head_dim\": 20, \"hidden_act\": \"gelu\","
        "\"rms_norm_eps\": 1e-5, \"rope_theta\": 1000000, \"attention_bias\": true, \"tie_word_embeddings\": true,"
        "\"max_position_embeddings\": 99, \"query_num\": 7, \"image_size\": 100, \"drop_vision_last_layer\": false,"
        "\"batch_vision_input\": false, \"use_image_id\": false, \"slice_mode\": false, \"vision_batch_size\": 3,"
        "\"batch_3d_resampler\": false, \"patch_size\": 8, \"top_k\": 20, \"early_stopping\": \"never\","
        "\"slice_config\": {\"patch_size\": 8, \"max_slice_nums\": 5, \"scale_resolution\": 64},"
        "\"vision_config\": {\"hidden_size\": 48, \"intermediate_size\": 9, \"num_hidden_layers\": 4,"
        "\"num_attention_heads\": 4, \"image_size\": 33, \"patch_size\": 8, \"hidden_act\": \"relu\","
        "\"layer_norm_eps\": 0.001}, \"unknown\": {}, \"sliding_window\": 17, \"use_sliding_window\": false}");
    cr_expect(c.vocab_size == 11 && c.hidden_size == 256 && c.intermediate_size == 12 && c.num_hidden_layers == 2);
    cr_expect(c.num_attention_heads == 6 && c.num_key_value_heads == 3 && c.head_dim == 20);
    cr_expect(c.hidden_act == ACTIVATION_GELU && c.rms_norm_eps == 1e-5 && c.rope_theta == 1e6);
    cr_expect(c.attention_bias && c.tie_word_embeddings && c.max_position_embeddings == 99);
    cr_expect(c.query_num == 7 && c.image_size == 100 && c.vision_batch_size == 3 && c.patch_size == 8);
    cr_expect(!c.drop_vision_last_layer && !c.batch_vision_input && !c.use_image_id && !c.slice_mode);
    cr_expect(!c.batch_3d_resampler && c.generation.top_k == 20 && c.generation.early_stopping == 2);
    cr_expect(c.slice_config.patch_size == 8 && c.slice_config.max_slice_nums == 5);
    cr_expect_eq(c.slice_config.scale_resolution, 64);
    cr_expect(c.vision_config.hidden_size == 48 && c.vision_config.intermediate_size == 9);
    cr_expect(c.vision_config.num_hidden_layers == 4 && c.vision_config.num_attention_heads == 4);
    cr_expect(c.vision_config.image_size == 33 && c.vision_config.patch_size == 8);
    cr_expect(c.vision_config.hidden_act == ACTIVATION_RELU && c.vision_config.layer_norm_eps == 0.001);
}

Test(configuration, mistakes_are_named) {
    static const struct {
        mcv_status status;
        const char *text, *words;
    } CASES[] = {
        {MCV_BAD_INPUT, "{\"hidden_size\": \"4096\"}", "hidden_size: expected an integer from 1 to"},
        {MCV_BAD_INPUT, "{\"hidden_size\": 0}", "hidden_size: expected an integer from 1 to"},
        {MCV_BAD_INPUT, "{\"hidden_size\": 4611686018427387904}", "found 4611686018427387904"},
        {MCV_BAD_INPUT, "{\"hidden_size\": 100}", "hidden_size: expected a multiple of the resampler's heads"},
        {MCV_BAD_INPUT, "{\"hidden_size\": 383}", "hidden_size: expected a multiple of the resampler's heads"},
        {MCV_BAD_INPUT, "{\"hidden_size\": 130}", "hidden_size: expected a multiple of 4"},
        {MCV_BAD_INPUT, "{\"num_key_value_heads\": 5}", "num_key_value_heads: expected a divisor"},
        {MCV_BAD_INPUT, "{\"num_hidden_layers\": -1}", "num_hidden_layers: expected an integer"},
        {MCV_BAD_INPUT, "{\"head_dim\": 127}", "head_dim: expected an even number, found 127"},
        {MCV_BAD_INPUT, "{\"rope_theta\": 0}", "rope_theta: expected a number"},
        {MCV_BAD_INPUT, "{\"attention_bias\": 1}", "attention_bias: expected true or false, found 1"},
        {MCV_BAD_INPUT, "{\"patch_size\": 16}", "patch_size: expected that of vision_config, 14, found 16"},
        {MCV_BAD_INPUT, "{\"vision_config\": []}", "vision_config: expected an object"},
        {MCV_BAD_INPUT, "{\"vision_config\": {\"patch_size\": 0}}", "vision_config.patch_size: expected"},
        {MCV_BAD_INPUT, "{\"vision_config\": {\"image_size\": 15}}", "vision_config.image_size: expected"},
        {MCV_BAD_INPUT, "{\"vision_config\": {\"num_channels\": 1}}", "vision_config.num_channels: expected"},
        {MCV_BAD_INPUT, "{\"vision_config\": {\"num_attention_heads\": 7}}", "vision_config.hidden_size: expected"},
        {MCV_BAD_INPUT, "{\"slice_config\": {\"max_slice_nums\": 1.5}}", "slice_config.max_slice_nums: expected"},
        {MCV_BAD_INPUT, "{\"early_stopping\": \"always\"}", "early_stopping: expected true, false or \"never\""},
        {MCV_BAD_INPUT, "{\"top_p\": 1.5}", "top_p: expected a number from 0 to 1"},
        {MCV_BAD_INPUT, "{\"hidden_act\": 3}", "hidden_act: expected a string"},
        {MCV_UNSUPPORTED, "{\"hidden_act\": \"mish\"}", "hidden_act: expected silu"},
        {MCV_UNSUPPORTED, "{\"model_type\": \"llama\"}", "model_type: expected minicpmv, found the string \"llama\""},
        {MCV_UNSUPPORTED, "{\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4}}", "rope_scaling.rope_type:"},
        {MCV_UNSUPPORTED, "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}}", "rope_scaling.type:"},
        {MCV_UNSUPPORTED, "{\"use_sliding_window\": true}", "use_sliding_window:"},
        {MCV_UNSUPPORTED, "{\"use_sliding_window\": true, \"sliding_window\": 32767}", "use_sliding_window:"},
        {MCV_UNSUPPORTED, "{\"scale_emb\": 12}", "scale_emb: expected 1"},
        {MCV_UNSUPPORTED, "{\"no_repeat_ngram_size\": 3}", "no_repeat_ngram_size: expected null"},
        {MCV_UNSUPPORTED, "{\"bad_words_ids\": [[1]]}", "bad_words_ids: expected null"},
        {MCV_UNSUPPORTED, "{\"renormalize_logits\": true}", "renormalize_logits: expected null"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        MiniCPMVConfig config;
        cr_expect_eq(load(CASES[i].text, &config), CASES[i].status, "%s", CASES[i].text);
        cr_expect(strstr(mcv_error_message(), CASES[i].words), "%s: %s", CASES[i].text, mcv_error_message());
        cr_expect(strstr(mcv_error_message(), "/config.json: "), "%s", mcv_error_message());
    }
}

Test(configuration, options_that_change_nothing_are_taken) {
    load_good("{\"rope_scaling\": {\"rope_type\": \"default\"}}");
    load_good("{\"rope_scaling\": null, \"use_sliding_window\": true, \"sliding_window\": null}");
    load_good("{\"use_sliding_window\": true, \"sliding_window\": 32768}");
    load_good("{\"scale_emb\": 1.0}");
    load_good(
        "{\"no_repeat_ngram_size\": 0, \"typical_p\": 1.0, \"renormalize_logits\": false, \"bad_words_ids\": null}");
    load_good("{\"model_type\": \"minicpmv\", \"max_length\": 20, \"hidden_act\": \"swish\"}");
}

Test(configuration, a_missing_file_is_named) {
    MiniCPMVConfig config;
    cr_expect_eq(MiniCPMVConfig_from_pretrained(&config, temporary_path("nowhere")), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "nowhere/config.json: cannot be opened"), "%s", mcv_error_message());
}

static const char PUBLIC[] = "../shared/minicpm-v-4.5";

Test(configuration, the_public_model) {
    if (!mcv_file_exists(PUBLIC))
        cr_skip_test("the public configuration is not there");
    MiniCPMVConfig c;
    cr_assert_eq(MiniCPMVConfig_from_pretrained(&c, PUBLIC), MCV_OK, "%s", mcv_error_message());
    cr_expect(c.vocab_size == 151748 && c.hidden_size == 4096 && c.intermediate_size == 12288);
    cr_expect(c.num_hidden_layers == 36 && c.num_attention_heads == 32 && c.num_key_value_heads == 8);
    cr_expect(c.head_dim == 128 && c.rope_theta == 1e6 && c.max_position_embeddings == 40960);
    cr_expect(!c.drop_vision_last_layer && c.slice_config.max_slice_nums == 9 && c.query_num == 64);
    cr_expect(c.vision_config.hidden_size == 1152 && c.vision_config.num_hidden_layers == 27);
}
