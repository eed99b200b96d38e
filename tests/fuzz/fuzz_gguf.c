/* libFuzzer: GGUF files. Every value is shown, every tensor of a known type dequantized, and the file taken for both
 * sides of a model, for its weights and for importance weights. Several files (input_parts.h) are a split model and its
 * vision side. */
#include "formats/gguf.h"
#include "formats/importance.h"
#include "ref/chat_template.h"
#include "ref/configuration_minicpm.h"
#include "ref/gguf_config.h"
#include "ref/image_processing_minicpmv.h"
#include "ref/tokenization_qwen2.h"
#include "tests/fuzz/input_parts.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/read_weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

double fuzz_sum;

static void read_tensor(const mcv_gguf_tensor *tensor) {
    size_t block_bytes = mcv_weight_block_bytes(tensor->weight_type);
    float values[256];
    for (size_t at = 0; tensor->has_weight_type && at < tensor->bytes; at += block_bytes) {
        mcv_dequantize(tensor->weight_type, tensor->data + at, 1, values);
        fuzz_sum += (double)values[0];
    }
}

static void read_value(const mcv_gguf *file, const mcv_gguf_value *value, mcv_arena *arena) {
    char text[64];
    mcv_gguf_string *strings;
    size_t count;
    if (value->count > 0)
        mcv_gguf_element_text(value, value->count - 1, text, sizeof text);
    if (mcv_gguf_find_value(file, value->key) != value)
        abort();
    if (mcv_gguf_get_strings(file, value->key, arena, &strings, &count) == MCV_OK)
        for (size_t i = 0; i < count; i++)
            fuzz_sum += strings[i].size ? strings[i].data[strings[i].size - 1] : 0;
}

static void read_tokenizer(const mcv_gguf *file) {
    static const char TEXT[] = "he <|im_end|><think>\n  12\xc3\xa9";
    Qwen2Tokenizer *tokenizer;
    TokenIds ids = {0};
    mcv_buffer text = {0};
    if (Qwen2Tokenizer_from_gguf(&tokenizer, file) != MCV_OK)
        return;
    if (Qwen2Tokenizer_encode(tokenizer, TEXT, sizeof TEXT - 1, &ids) == MCV_OK)
        (void)!Qwen2Tokenizer_decode(tokenizer, ids.data, ids.count, false, &text);
    TokenIds_free(&ids);
    mcv_buffer_free(&text);
    Qwen2Tokenizer_free(tokenizer);
}

static void read_settings(const mcv_gguf *language, const mcv_gguf *vision) {
    mcv_json json;
    MiniCPMVConfig config;
    MiniCPMVImageProcessor processor;
    mcv_gguf_string template = {"", 0};
    if (gguf_config(language, vision, &json) == MCV_OK) {
        (void)!MiniCPMVConfig_from_json(&config, &json);
        mcv_json_free(&json);
    }
    if (gguf_preprocessor_config(vision, &json) == MCV_OK) {
        (void)!MiniCPMVImageProcessor_from_json(&processor, &json);
        MiniCPMVImageProcessor_free(&processor);
        mcv_json_free(&json);
    }
    if (mcv_gguf_get_string(language, "tokenizer.chat_template", &template) == MCV_OK)
        (void)!chat_template_check_text(template.data, template.size, "fuzz");
    read_tokenizer(language);
}

static void read_file(const mcv_gguf *file) {
    mcv_arena arena = {0};
    for (size_t i = 0; i < mcv_gguf_value_count(file); i++)
        read_value(file, mcv_gguf_value_at(file, i), &arena);
    for (size_t i = 0; i < mcv_gguf_tensor_count(file); i++) {
        const mcv_gguf_tensor *tensor = mcv_gguf_tensor_at(file, i);
        if (mcv_gguf_find_tensor(file, tensor->name) != tensor)
            abort();
        read_tensor(tensor);
    }
    mcv_arena_free(&arena);
}

/* The matrix "NAME" of a tensor "NAME.in_sum2". */
static void read_importance(const char *path, const mcv_gguf *file) {
    mcv_importance *importance;
    mcv_arena arena = {0};
    const float *weights;
    if (mcv_importance_open(path, &importance) != MCV_OK)
        return;
    for (size_t i = 0; i < mcv_gguf_tensor_count(file); i++) {
        const mcv_gguf_tensor *tensor = mcv_gguf_tensor_at(file, i);
        char name[128];
        snprintf(name, sizeof name, "%s", tensor->name);
        *strchrnul(name, '.') = 0;
        int64_t columns = tensor->rank ? tensor->shape[tensor->rank - 1] : 1;
        if (mcv_importance_find(importance, name, columns, &arena, &weights) == MCV_OK && weights)
            fuzz_sum += (double)weights[columns - 1];
    }
    mcv_arena_free(&arena);
    mcv_importance_close(importance);
}

static void read_one(const uint8_t *data, size_t size) {
    mcv_gguf *file;
    if (mcv_gguf_read(data, size, "fuzz", &file) != MCV_OK)
        return;
    MemoryFile again = memory_file(data, size);
    read_file(file);
    read_settings(file, file);
    read_weights(again.path, NULL, NULL);
    read_importance(again.path, file);
    close(again.descriptor);
    mcv_gguf_close(file);
}

static void read_pair(const uint8_t *data, size_t size) {
    static const char *const FILES[] = {"model-00001-of-00002.gguf", "model-00002-of-00002.gguf", "mmproj.gguf"};
    mcv_gguf *language, *vision;
    folder_of_parts(FILES, 3, data, size);
    if (mcv_gguf_open(temporary_path(FILES[1]), &language) != MCV_OK)
        return;
    read_file(language);
    if (mcv_gguf_open(temporary_path(FILES[2]), &vision) == MCV_OK) {
        read_settings(language, vision);
        read_weights(temporary_path(FILES[0]), temporary_path(FILES[2]), NULL);
        mcv_gguf_close(vision);
    }
    mcv_gguf_close(language);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (is_input_of_parts(data, size))
        read_pair(data, size);
    else
        read_one(data, size);
    return 0;
}
