/* libFuzzer: GGUF files. Every value is shown, and every tensor of a known type dequantized. */
#include "formats/gguf.h"

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
    mcv_arena_free(&arena);
    mcv_gguf_close(file);
    return 0;
}
