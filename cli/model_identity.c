#include "cli/model_identity.h"

#include "core/file.h"
#include "formats/gguf.h"

/* Of a GGUF file: metadata comes first, and no tokenizer is larger. */
static const size_t HEAD = (size_t)1 << 24;

static mcv_status add_file(mcv_buffer *all, const char *path) {
    mcv_hash hash;
    MCV_TRY(mcv_hash_file(path, &hash));
    return mcv_buffer_append_string(all, hash.xxh3_128);
}

static mcv_status add_head(mcv_buffer *all, const char *path) {
    mcv_file_map map;
    MCV_TRY(mcv_file_open_map(path, &map));
    mcv_hash hash = mcv_hash_bytes(map.data, map.size < HEAD ? map.size : HEAD);
    mcv_file_close_map(&map);
    return mcv_buffer_append_string(all, hash.xxh3_128);
}

static mcv_status add_setting(mcv_buffer *all, const char *folder, const char *name) {
    char *path;
    MCV_TRY(mcv_path_join(&path, folder, name));
    mcv_status status = MCV_OK;
    if (mcv_file_exists(path)) {
        status = mcv_buffer_append_string(all, name);
        if (status == MCV_OK)
            status = add_file(all, path);
    }
    free(path);
    return status;
}

static mcv_status add_settings(mcv_buffer *all, const ModelFiles *files) {
    static const char *const NAMES[] = {"config.json",
                                        "preprocessor_config.json",
                                        "generation_config.json",
                                        "tokenizer.json",
                                        "tokenizer_config.json",
                                        "added_tokens.json",
                                        "special_tokens_map.json",
                                        "vocab.json",
                                        "merges.txt",
                                        "chat_template.jinja",
                                        "chat_template.json"};
    bool is_gguf;
    if (files->preprocessor_config)
        MCV_TRY(add_file(all, files->preprocessor_config));
    MCV_TRY(mcv_path_is_gguf(files->model, &is_gguf));
    if (is_gguf)
        MCV_TRY(add_head(all, files->model));
    if (files->mmproj)
        MCV_TRY(add_head(all, files->mmproj));
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES && !is_gguf; i++)
        MCV_TRY(add_setting(all, files->model, NAMES[i]));
    return MCV_OK;
}

static mcv_status add_rows(mcv_buffer *all, const mcv_weight *weight) {
    const size_t rows[] = {0, weight->rows / 2, weight->rows - 1};
    float *values;
    if (weight->rows == 0)
        return MCV_OK;
    MCV_TRY(MCV_NEW(&values, weight->columns));
    mcv_status status = MCV_OK;
    for (size_t i = 0; i < 3 && status == MCV_OK; i++) {
        mcv_weight_to_f32(weight, rows[i], 1, values);
        status = mcv_buffer_append_string(all, mcv_hash_bytes(values, weight->columns * sizeof *values).xxh3_64);
    }
    free(values);
    return status;
}

static mcv_status add_weights(mcv_buffer *all, const mcv_weights *weights) {
    for (size_t i = 0; i < mcv_weights_count(weights); i++) {
        mcv_weight weight;
        const char *unsupported;
        MCV_TRY(mcv_buffer_printf(all, " %s", mcv_weights_at(weights, i, &weight, &unsupported)));
        if (unsupported)
            continue;
        MCV_TRY(mcv_buffer_printf(all, " %s", mcv_weight_type_name(weight.type)));
        for (int axis = 0; axis < weight.rank; axis++)
            MCV_TRY(mcv_buffer_printf(all, " %lld", (long long)weight.shape[axis]));
        MCV_TRY(add_rows(all, &weight));
    }
    return MCV_OK;
}

mcv_status mcv_model_identity(const ModelFiles *files, mcv_hash *identity) {
    mcv_buffer all = {0};
    mcv_weights *weights = NULL;
    mcv_status status = add_settings(&all, files);
    if (status == MCV_OK)
        status = ModelFiles_weights(files, &weights);
    if (status == MCV_OK)
        status = add_weights(&all, weights);
    if (status == MCV_OK)
        *identity = mcv_hash_bytes(mcv_buffer_text(&all), all.size);
    mcv_weights_close(weights);
    mcv_buffer_free(&all);
    return status;
}
