/* libFuzzer: what a model's folder holds beside its weights: configuration, tokenizer in both forms, chat template; and
 * the picture, texts, ids and conversations that are given to them. */
#include "ref/chat_template.h"
#include "ref/configuration_minicpm.h"
#include "ref/image_processing_minicpmv.h"
#include "ref/tokenization_qwen2.h"
#include "tests/fuzz/input_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const FILES[] = {"config.json",       "preprocessor_config.json", "vocab.json",
                                    "merges.txt",        "tokenizer.json",           "tokenizer_config.json",
                                    "added_tokens.json", "special_tokens_map.json",  "messages.json",
                                    "tools.json",        "chat_template.jinja",      "text"};

/* The file's bytes; empty where there is none. */
static mcv_buffer read_part(const char *name) {
    mcv_buffer text = {0};
    FILE *stream = fopen(temporary_path(name), "rb");
    char bytes[4096];
    size_t count;
    while (stream && (count = fread(bytes, 1, sizeof bytes, stream)) > 0)
        if (mcv_buffer_append(&text, bytes, count) != MCV_OK)
            abort();
    if (stream)
        fclose(stream);
    return text;
}

/* Streamed pieces are the text that all ids give at once. */
static void decode(const Qwen2Tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special_tokens) {
    mcv_buffer whole = {0}, pieces = {0};
    TextStreamer streamer = {.tokenizer = tokenizer, .skip_special_tokens = skip_special_tokens};
    mcv_status status = Qwen2Tokenizer_decode(tokenizer, ids, count, skip_special_tokens, &whole);
    for (size_t i = 0; i < count && status == MCV_OK; i++)
        status = TextStreamer_put(&streamer, ids[i], &pieces);
    if (TextStreamer_end(&streamer, &pieces) != MCV_OK || status != MCV_OK)
        abort();
    if (strcmp(mcv_buffer_text(&whole), mcv_buffer_text(&pieces)) != 0 || whole.size != pieces.size)
        abort();
    mcv_buffer_free(&whole);
    mcv_buffer_free(&pieces);
}

static void use_tokenizer(const Qwen2Tokenizer *tokenizer, const mcv_buffer *text) {
    TokenIds ids = {0};
    if (Qwen2Tokenizer_encode(tokenizer, mcv_buffer_text(text), text->size, &ids) == MCV_OK) {
        decode(tokenizer, ids.data, ids.count, false);
        decode(tokenizer, ids.data, ids.count, true);
    }
    for (size_t i = 0; i < ids.count; i++)
        if (!Qwen2Tokenizer_id_to_token(tokenizer, ids.data[i]))
            abort();
    ids.count = 0;
    for (size_t i = 0; i < text->size; i++)
        if (TokenIds_append(&ids, (int8_t)text->data[i] * (i % 3 ? 1 : 7)) != MCV_OK)
            abort();
    decode(tokenizer, ids.data, ids.count, false);
    TokenIds_free(&ids);
}

static void use_template(void) {
    mcv_buffer text = read_part("messages.json"), tools_text = read_part("tools.json"), prompt = {0};
    json_t *messages = json_loadb(mcv_buffer_text(&text), text.size, JSON_DECODE_ANY, NULL);
    json_t *tools = json_loadb(mcv_buffer_text(&tools_text), tools_text.size, JSON_DECODE_ANY, NULL);
    for (int thinking = THINKING_UNSET; messages && thinking <= THINKING_ON; thinking++)
        (void)!apply_chat_template(messages, tools, thinking != THINKING_ON, (EnableThinking)thinking, &prompt);
    json_decref(messages);
    json_decref(tools);
    mcv_buffer_free(&text);
    mcv_buffer_free(&tools_text);
    mcv_buffer_free(&prompt);
}

/* Of a picture with settings that do not make it a large one. */
static void use_processor(const MiniCPMVImageProcessor *processor) {
    enum { WIDTH = 40, HEIGHT = 30, MOST_RESOLUTION = 256, MOST_PATCH_SIZE = 64 };
    static uint8_t rgb[HEIGHT * WIDTH * 3];
    const mcv_image image = {.width = WIDTH, .height = HEIGHT, .rgb = rgb};
    mcv_arena arena = {0};
    mcv_buffer text = {0};
    ImageFeatures features;
    mcv_tensor pixels;
    if (processor->scale_resolution > MOST_RESOLUTION || processor->patch_size > MOST_PATCH_SIZE)
        return;
    (void)!MiniCPMVImageProcessor_get_slice_image_placeholder(processor, WIDTH, HEIGHT, 0, 0, -1, &text);
    if (MiniCPMVImageProcessor_preprocess(processor, &arena, &image, 1, 0, NULL, &features) == MCV_OK)
        for (int i = 0; i < features.num_slices; i++)
            (void)!ImageSlice_pixel_values(&features.slices[i], &arena, &pixels);
    mcv_buffer_free(&text);
    mcv_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *folder = folder_of_parts(FILES, sizeof FILES / sizeof *FILES, data, size);
    MiniCPMVConfig config;
    MiniCPMVImageProcessor processor;
    Qwen2Tokenizer *tokenizer;
    (void)!MiniCPMVConfig_from_pretrained(&config, folder);
    if (MiniCPMVImageProcessor_from_pretrained(&processor, folder) == MCV_OK)
        use_processor(&processor);
    MiniCPMVImageProcessor_free(&processor);
    if (Qwen2Tokenizer_from_pretrained(&tokenizer, folder) == MCV_OK) {
        mcv_buffer text = read_part("text");
        use_tokenizer(tokenizer, &text);
        mcv_buffer_free(&text);
        Qwen2Tokenizer_free(tokenizer);
    }
    (void)!chat_template_check(folder);
    use_template();
    return 0;
}
