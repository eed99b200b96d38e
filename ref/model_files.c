#include "ref/model_files.h"

#include <string.h>

#include "core/file.h"
#include "formats/gguf.h"
#include "ref/chat_template.h"
#include "ref/gguf_config.h"

/* Both files of a pair; NULL for a folder, *vision NULL where no file was given. */
typedef struct Pair {
    mcv_gguf *language, *vision;
} Pair;

static void close_pair(Pair *pair) {
    mcv_gguf_close(pair->language);
    mcv_gguf_close(pair->vision);
}

/* Whether the model is a GGUF file; what is neither that nor a folder is none. */
static mcv_status find_layout(const ModelFiles *files, bool *is_gguf) {
    MCV_TRY(mcv_path_is_gguf(files->model, is_gguf));
    if (*is_gguf || mcv_path_is_folder(files->model))
        return MCV_OK;
    MCV_TRY(mcv_file_check_regular(files->model));
    return MCV_FAIL(MCV_BAD_INPUT, "%s: expected a model, which is a folder in Hugging Face layout or a GGUF file",
                    files->model);
}

static bool is_of_architecture(const mcv_gguf *file, const char *name) {
    mcv_gguf_string found = {"", 0};
    return mcv_gguf_get_string(file, "general.architecture", &found) == MCV_OK && found.size == strlen(name) &&
           memcmp(found.data, name, found.size) == 0;
}

/* The two files of a pair are easily taken for each other. */
static mcv_status expect_roles(const ModelFiles *files, const Pair *pair) {
    if (is_of_architecture(pair->language, "clip"))
        return MCV_FAIL(MCV_BAD_INPUT,
                        "%s is the vision side (architecture clip): name it with --mmproj, and with --model the GGUF "
                        "file of the language model",
                        files->model);
    if (pair->vision && is_of_architecture(pair->vision, "qwen3"))
        return MCV_FAIL(MCV_BAD_INPUT,
                        "%s is the language model (architecture qwen3): name it with --model, and with --mmproj the "
                        "GGUF file of the vision side",
                        files->mmproj);
    return MCV_OK;
}

static mcv_status open_pair(const ModelFiles *files, bool needs_vision, Pair *pair) {
    bool is_gguf;
    *pair = (Pair){0};
    MCV_TRY(find_layout(files, &is_gguf));
    if (!is_gguf && files->mmproj)
        return MCV_FAIL(MCV_USAGE, "%s is no GGUF file: --mmproj goes with one", files->model);
    if (!is_gguf)
        return MCV_OK;
    mcv_status status = mcv_gguf_open(files->model, &pair->language);
    if (status == MCV_OK && files->mmproj)
        status = mcv_gguf_open(files->mmproj, &pair->vision);
    if (status == MCV_OK)
        status = expect_roles(files, pair);
    if (status == MCV_OK && needs_vision && !pair->vision)
        status = MCV_FAIL(MCV_USAGE, "%s holds the language model alone: --mmproj FILE is needed for the vision side",
                          files->model);
    if (status != MCV_OK)
        close_pair(pair);
    return status;
}

static mcv_status load_from_folder(const char *folder, const char *name, mcv_json *json) {
    char *path;
    *json = (mcv_json){0};
    MCV_TRY(mcv_path_join(&path, folder, name));
    mcv_status status = mcv_json_load(path, json);
    free(path);
    return status;
}

/* ---- Configuration ------------------------------------------------------------------------------------------- */

/* What HF keeps twice, in config.json and in preprocessor_config.json, a pair has once. */
static mcv_status take_from_processor(const ModelFiles *files, MiniCPMVConfig *config) {
    MiniCPMVImageProcessor processor;
    mcv_status status = ModelFiles_image_processor(files, &processor);
    config->use_image_id = processor.use_image_id;
    config->slice_mode = processor.slice_mode;
    config->slice_config.max_slice_nums = processor.max_slice_nums;
    MiniCPMVImageProcessor_free(&processor);
    return status;
}

mcv_status ModelFiles_config_json(const ModelFiles *files, mcv_json *json) {
    Pair pair;
    MCV_TRY(open_pair(files, true, &pair));
    mcv_status status = pair.language ? gguf_config(pair.language, pair.vision, json)
                                      : load_from_folder(files->model, "config.json", json);
    close_pair(&pair);
    return status;
}

mcv_status ModelFiles_config(const ModelFiles *files, MiniCPMVConfig *config) {
    mcv_json json;
    bool is_gguf;
    MCV_TRY(find_layout(files, &is_gguf));
    if (!is_gguf && !files->mmproj)
        return MiniCPMVConfig_from_pretrained(config, files->model);
    MCV_TRY(ModelFiles_config_json(files, &json));
    mcv_status status = MiniCPMVConfig_from_json(config, &json);
    mcv_json_free(&json);
    return status == MCV_OK ? take_from_processor(files, config) : status;
}

/* ---- Processor ----------------------------------------------------------------------------------------------- */

mcv_status ModelFiles_preprocessor_config(const ModelFiles *files, mcv_json *json) {
    Pair pair;
    if (files->preprocessor_config)
        return mcv_json_load(files->preprocessor_config, json);
    MCV_TRY(open_pair(files, true, &pair));
    mcv_status status = pair.language ? gguf_preprocessor_config(pair.vision, json)
                                      : load_from_folder(files->model, "preprocessor_config.json", json);
    close_pair(&pair);
    return status;
}

mcv_status ModelFiles_image_processor(const ModelFiles *files, MiniCPMVImageProcessor *processor) {
    mcv_json json;
    *processor = (MiniCPMVImageProcessor){0};
    MCV_TRY(ModelFiles_preprocessor_config(files, &json));
    mcv_status status = MiniCPMVImageProcessor_from_json(processor, &json);
    mcv_json_free(&json);
    return status;
}

mcv_status ModelFiles_tokenizer(const ModelFiles *files, Qwen2Tokenizer **tokenizer) {
    Pair pair;
    MCV_TRY(open_pair(files, false, &pair));
    mcv_status status = pair.language ? Qwen2Tokenizer_from_gguf(tokenizer, pair.language)
                                      : Qwen2Tokenizer_from_pretrained(tokenizer, files->model);
    close_pair(&pair);
    return status;
}

mcv_status ModelFiles_processor(const ModelFiles *files, MiniCPMVProcessor *processor) {
    *processor = (MiniCPMVProcessor){0};
    mcv_status status = ModelFiles_image_processor(files, &processor->image_processor);
    if (status == MCV_OK)
        status = ModelFiles_tokenizer(files, &processor->tokenizer);
    if (status != MCV_OK)
        MiniCPMVProcessor_free(processor);
    return status;
}

mcv_status ModelFiles_chat_template(const ModelFiles *files, mcv_buffer *text) {
    Pair pair;
    mcv_gguf_string found = {0};
    MCV_TRY(open_pair(files, false, &pair));
    if (!pair.language)
        return chat_template_read(files->model, text);
    mcv_status status = mcv_gguf_get_string(pair.language, "tokenizer.chat_template", &found);
    if (status == MCV_OK && found.data)
        status = mcv_buffer_append(text, found.data, found.size);
    close_pair(&pair);
    return status;
}

mcv_status ModelFiles_check_chat_template(const ModelFiles *files) {
    mcv_buffer text = {0};
    bool is_gguf;
    MCV_TRY(find_layout(files, &is_gguf));
    if (!is_gguf)
        return chat_template_check(files->model);
    mcv_status status = ModelFiles_chat_template(files, &text);
    if (status == MCV_OK && text.data)
        status = chat_template_check_text(text.data, text.size, files->model);
    mcv_buffer_free(&text);
    return status;
}

/* ---- Weights ------------------------------------------------------------------------------------------------- */

mcv_status ModelFiles_weights(const ModelFiles *files, mcv_weights **weights) {
    return mcv_weights_open(files->model, files->mmproj, weights);
}
