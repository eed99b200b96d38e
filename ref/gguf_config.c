#include "ref/gguf_config.h"

#include <math.h>

#include "core/buffer.h"

/* Metadata numbers are checked where the JSON is read; here they have to be there. */
static mcv_status require_int(const mcv_gguf *file, const char *key, int64_t *value) {
    static const int64_t LIMIT = 1 << 30;
    if (!mcv_gguf_find_value(file, key))
        return mcv_gguf_fail(MCV_BAD_INPUT, file, key, "an integer");
    return mcv_gguf_get_int(file, key, 1, LIMIT, value);
}

static mcv_status require_double(const mcv_gguf *file, const char *key, double *value) {
    if (!mcv_gguf_find_value(file, key))
        return mcv_gguf_fail(MCV_BAD_INPUT, file, key, "a real number");
    return mcv_gguf_get_double(file, key, value);
}

static mcv_status expect_string(const mcv_gguf *file, const char *key, const char *expected) {
    mcv_gguf_string found = {"", 0};
    MCV_TRY(mcv_gguf_get_string(file, key, &found));
    if (found.size == strlen(expected) && memcmp(found.data, expected, found.size) == 0)
        return MCV_OK;
    return mcv_gguf_fail(MCV_UNSUPPORTED, file, key, expected);
}

static mcv_status require_tensor(const mcv_gguf *file, const char *name, int rank, const mcv_gguf_tensor **tensor) {
    *tensor = mcv_gguf_find_tensor(file, name);
    if (!*tensor)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: expected this tensor, found none of the name", mcv_gguf_path(file),
                        name);
    if ((*tensor)->rank == rank)
        return MCV_OK;
    return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: expected %d dimensions, found %d", mcv_gguf_path(file), name, rank,
                    (*tensor)->rank);
}

/* Takes `value`. */
static mcv_status make_json(const mcv_gguf *file, json_t *value, mcv_json *json) {
    *json = (mcv_json){0};
    mcv_status status = value ? mcv_strdup(&json->file, mcv_gguf_path(file))
                              : MCV_FAIL(MCV_NO_MEMORY, "out of memory (a model's configuration)");
    if (status == MCV_OK)
        json->value = value;
    else
        json_decref(value);
    return status;
}

/* ---- config.json --------------------------------------------------------------------------------------------- */

static mcv_status check_rope(const mcv_gguf *file) {
    return mcv_gguf_find_value(file, "qwen3.rope.scaling.type") ? expect_string(file, "qwen3.rope.scaling.type", "none")
                                                                : MCV_OK;
}

static mcv_status check_head_dims(const mcv_gguf *file, int64_t key_length) {
    int64_t value_length = key_length;
    MCV_TRY(mcv_gguf_get_int(file, "qwen3.attention.value_length", 1, INT64_MAX, &value_length));
    return value_length == key_length
               ? MCV_OK
               : mcv_gguf_fail(MCV_UNSUPPORTED, file, "qwen3.attention.value_length", "the same as key_length");
}

static mcv_status language_config(const mcv_gguf *file, json_t **config) {
    int64_t hidden = 0, intermediate = 0, layers = 0, heads = 0, kv_heads, head_dim, positions = 0;
    double eps = 0, rope_theta = 10000;
    const mcv_gguf_tensor *embeddings;
    MCV_TRY(expect_string(file, "general.architecture", "qwen3"));
    MCV_TRY(require_int(file, "qwen3.embedding_length", &hidden));
    MCV_TRY(require_int(file, "qwen3.feed_forward_length", &intermediate));
    MCV_TRY(require_int(file, "qwen3.block_count", &layers));
    MCV_TRY(require_int(file, "qwen3.context_length", &positions));
    MCV_TRY(require_int(file, "qwen3.attention.head_count", &heads));
    kv_heads = heads;
    head_dim = hidden / heads;
    MCV_TRY(mcv_gguf_get_int(file, "qwen3.attention.head_count_kv", 1, heads, &kv_heads));
    MCV_TRY(mcv_gguf_get_int(file, "qwen3.attention.key_length", 1, INT64_MAX, &head_dim));
    MCV_TRY(check_head_dims(file, head_dim));
    MCV_TRY(require_double(file, "qwen3.attention.layer_norm_rms_epsilon", &eps));
    MCV_TRY(mcv_gguf_get_double(file, "qwen3.rope.freq_base", &rope_theta));
    MCV_TRY(check_rope(file));
    MCV_TRY(require_tensor(file, "token_embd.weight", 2, &embeddings));
    *config = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:b, s:b}", "vocab_size", (json_int_t)embeddings->shape[0],
        "hidden_size", (json_int_t)hidden, "intermediate_size", (json_int_t)intermediate, "num_hidden_layers",
        (json_int_t)layers, "num_attention_heads", (json_int_t)heads, "num_key_value_heads", (json_int_t)kv_heads,
        "head_dim", (json_int_t)head_dim, "max_position_embeddings", (json_int_t)positions, "rms_norm_eps", eps,
        "rope_theta", rope_theta, "attention_bias", mcv_gguf_find_tensor(file, "blk.0.attn_q.bias") != NULL,
        "tie_word_embeddings", mcv_gguf_find_tensor(file, "output.weight") == NULL);
    return MCV_OK;
}

/* clip.vision.image_size is that of slices; the one of the configuration says how large the table of positions is. */
static mcv_status position_side(const mcv_gguf *file, int64_t *side) {
    const mcv_gguf_tensor *positions;
    MCV_TRY(require_tensor(file, "v.position_embd.weight", 2, &positions));
    *side = (int64_t)llround(sqrt((double)positions->shape[0]));
    if (*side > 0 && *side * *side == positions->shape[0])
        return MCV_OK;
    return MCV_FAIL(MCV_BAD_INPUT, "%s: v.position_embd.weight: expected a square number of rows, found %lld",
                    mcv_gguf_path(file), (long long)positions->shape[0]);
}

/* Adds the vision side's keys to *config. */
static mcv_status add_vision_config(const mcv_gguf *file, json_t *config) {
    int64_t hidden = 0, intermediate = 0, layers = 0, heads = 0, patch = 0, side;
    double eps = 0;
    const mcv_gguf_tensor *query;
    MCV_TRY(expect_string(file, "general.architecture", "clip"));
    MCV_TRY(expect_string(file, "clip.projector_type", "resampler"));
    MCV_TRY(require_int(file, "clip.vision.embedding_length", &hidden));
    MCV_TRY(require_int(file, "clip.vision.feed_forward_length", &intermediate));
    MCV_TRY(require_int(file, "clip.vision.block_count", &layers));
    MCV_TRY(require_int(file, "clip.vision.attention.head_count", &heads));
    MCV_TRY(require_int(file, "clip.vision.patch_size", &patch));
    MCV_TRY(require_double(file, "clip.vision.attention.layer_norm_epsilon", &eps));
    MCV_TRY(position_side(file, &side));
    MCV_TRY(require_tensor(file, "resampler.query", 2, &query));
    json_t *vision = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:s}", "hidden_size", (json_int_t)hidden,
                               "intermediate_size", (json_int_t)intermediate, "num_hidden_layers", (json_int_t)layers,
                               "num_attention_heads", (json_int_t)heads, "patch_size", (json_int_t)patch, "image_size",
                               (json_int_t)(side * patch), "layer_norm_eps", eps, "hidden_act", "gelu_pytorch_tanh");
    json_t *slices = json_pack("{s:i, s:I}", "max_slice_nums", 9, "patch_size", (json_int_t)patch);
    json_t *rest =
        json_pack("{s:s, s:I, s:b, s:o, s:o}", "model_type", "minicpmv", "query_num", (json_int_t)query->shape[0],
                  "drop_vision_last_layer", 0, "slice_config", slices, "vision_config", vision);
    bool added = rest && json_object_update(config, rest) == 0;
    json_decref(rest);
    return added ? MCV_OK : MCV_FAIL(MCV_NO_MEMORY, "out of memory (a model's configuration)");
}

/* ---- What quantize keeps in keys of its own ------------------------------------------------------------------ */

/* Copies members that there are. */
static bool copy_members(json_t *to, const json_t *from, const char *const *keys) {
    bool copied = to != NULL;
    for (; *keys && copied; keys++) {
        json_t *value = json_object_get(from, *keys);
        copied = !value || json_object_set(to, *keys, value) == 0;
    }
    return copied;
}

json_t *gguf_own_config(const mcv_json *config) {
    static const char *const KEYS[] = {"hidden_act",
                                       "batch_vision_input",
                                       "vision_batch_size",
                                       "batch_3d_resampler",
                                       "do_sample",
                                       "num_beams",
                                       "temperature",
                                       "top_k",
                                       "top_p",
                                       "min_p",
                                       "repetition_penalty",
                                       "length_penalty",
                                       "early_stopping",
                                       NULL};
    static const char *const VISION_KEYS[] = {"hidden_act", NULL};
    json_t *own = json_object(), *vision = json_object();
    bool made = copy_members(own, config->value, KEYS) &&
                copy_members(vision, json_object_get(config->value, "vision_config"), VISION_KEYS) &&
                json_object_set(own, "vision_config", vision) == 0;
    json_decref(vision);
    if (made)
        return own;
    json_decref(own);
    return NULL;
}

/* The JSON object under a key; json->value NULL: there is none. */
static mcv_status read_kept(const mcv_gguf *file, const char *key, mcv_json *json) {
    mcv_gguf_string text = {"", 0};
    mcv_buffer name = {0};
    *json = (mcv_json){0};
    if (!mcv_gguf_find_value(file, key))
        return MCV_OK;
    MCV_TRY(mcv_gguf_get_string(file, key, &text));
    mcv_status status = mcv_buffer_printf(&name, "%s: %s", mcv_gguf_path(file), key);
    if (status == MCV_OK)
        status = mcv_json_parse(text.data, text.size, mcv_buffer_text(&name), json);
    mcv_buffer_free(&name);
    if (status == MCV_OK && !json_is_object(json->value)) {
        mcv_json_free(json);
        status = mcv_gguf_fail(MCV_BAD_INPUT, file, key, "the text of a JSON object");
    }
    return status;
}

/* Lays what is kept over what the keys of the format say. */
static mcv_status add_kept_config(const mcv_gguf *file, json_t *config) {
    mcv_json kept;
    MCV_TRY(read_kept(file, GGUF_CONFIG_KEY, &kept));
    json_t *own = kept.value ? gguf_own_config(&kept) : json_object();
    bool laid = own && json_object_update_recursive(config, own) == 0;
    json_decref(own);
    mcv_json_free(&kept);
    return laid ? MCV_OK : MCV_FAIL(MCV_NO_MEMORY, "out of memory (a model's configuration)");
}

mcv_status gguf_config(const mcv_gguf *language, const mcv_gguf *vision, mcv_json *json) {
    json_t *config = NULL;
    *json = (mcv_json){0};
    mcv_status status = language_config(language, &config);
    if (status == MCV_OK)
        status = add_vision_config(vision, config);
    if (status == MCV_OK)
        status = add_kept_config(vision, config);
    if (status == MCV_OK)
        return make_json(language, config, json);
    json_decref(config);
    return status;
}

/* ---- preprocessor_config.json -------------------------------------------------------------------------------- */

/* *list = three numbers, 4.5's own where the key is missing. */
static mcv_status channels(const mcv_gguf *file, const char *key, mcv_arena *arena, json_t **list) {
    static const double STANDARD = 0.5;
    double *values;
    size_t count;
    MCV_TRY(mcv_gguf_get_doubles(file, key, arena, &values, &count));
    if (count != 3 && mcv_gguf_find_value(file, key))
        return mcv_gguf_fail(MCV_BAD_INPUT, file, key, "three numbers, one a channel");
    *list = json_pack("[f, f, f]", count ? values[0] : STANDARD, count ? values[1] : STANDARD,
                      count ? values[2] : STANDARD);
    return MCV_OK;
}

/* What the file says in the keys of the format, and 4.5's own values. */
static mcv_status assumed_preprocessor_config(const mcv_gguf *vision, mcv_json *json) {
    mcv_arena arena = {0};
    int64_t patch = 0;
    const mcv_gguf_tensor *query;
    json_t *mean = NULL, *deviation = NULL;
    *json = (mcv_json){0};
    mcv_status status = require_int(vision, "clip.vision.patch_size", &patch);
    if (status == MCV_OK)
        status = require_tensor(vision, "resampler.query", 2, &query);
    if (status == MCV_OK)
        status = channels(vision, "clip.vision.image_mean", &arena, &mean);
    if (status == MCV_OK)
        status = channels(vision, "clip.vision.image_std", &arena, &deviation);
    mcv_arena_free(&arena);
    if (status == MCV_OK)
        return make_json(vision,
                         json_pack("{s:i, s:i, s:I, s:b, s:b, s:I, s:o, s:o}", "max_slice_nums", 9, "scale_resolution",
                                   448, "patch_size", (json_int_t)patch, "use_image_id", 1, "slice_mode", 1,
                                   "image_feature_size", (json_int_t)query->shape[0], "norm_mean", mean, "norm_std",
                                   deviation),
                         json);
    json_decref(mean);
    return status;
}

mcv_status gguf_preprocessor_config(const mcv_gguf *vision, mcv_json *json) {
    MCV_TRY(read_kept(vision, GGUF_PREPROCESSOR_KEY, json));
    return json->value ? MCV_OK : assumed_preprocessor_config(vision, json);
}
