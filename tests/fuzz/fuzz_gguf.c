/* libFuzzer: GGUF files. Every value is shown, every tensor of a known type dequantized, and the file taken for both
 * sides of a model. */
#include "formats/gguf.h"
#include "ref/configuration_minicpm.h"
#include "ref/gguf_config.h"
#include "ref/image_processing_minicpmv.h"
#include "ref/tokenization_qwen2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Seen from outside, so that the reads are not left out. */
float fuzz_sum;

static void read_tensor(const mcv_gguf_tensor *tensor) {
    size_t block_bytes = mcv_weight_block_bytes(tensor->weight_type);
    float values[256];
    for (size_t at = 0; tensor->has_weight_type && at < tensor->bytes; at += block_bytes) {
        mcv_dequantize(tensor->weight_type, tensor->data + at, 1, values);
        fuzz_sum += values[0];
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
            fuzz_sum += strings[i].size ? (float)strings[i].data[strings[i].size - 1] : 0;
}

static void read_model(const mcv_gguf *file) {
    mcv_json json;
    MiniCPMVConfig config;
    MiniCPMVImageProcessor processor;
    Qwen2Tokenizer *tokenizer;
    if (gguf_config(file, file, &json) == MCV_OK) {
        (void)!MiniCPMVConfig_from_json(&config, &json);
        mcv_json_free(&json);
    }
    if (gguf_preprocessor_config(file, &json) == MCV_OK) {
        (void)!MiniCPMVImageProcessor_from_json(&processor, &json);
        MiniCPMVImageProcessor_free(&processor);
        mcv_json_free(&json);
    }
    if (Qwen2Tokenizer_from_gguf(&tokenizer, file) == MCV_OK)
        Qwen2Tokenizer_free(tokenizer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mcv_gguf *file;
    mcv_arena arena = {0};
    if (mcv_gguf_read(data, size, "fuzz", &file) != MCV_OK)
        return 0;
    for (size_t i = 0; i < mcv_gguf_value_count(file); i++)
        read_value(file, mcv_gguf_value_at(file, i), &arena);
    for (size_t i = 0; i < mcv_gguf_tensor_count(file); i++) {
        const mcv_gguf_tensor *tensor = mcv_gguf_tensor_at(file, i);
        if (mcv_gguf_find_tensor(file, tensor->name) != tensor)
            abort();
        read_tensor(tensor);
    }
    read_model(file);
    mcv_arena_free(&arena);
    mcv_gguf_close(file);
    return 0;
}
