/* HF: processing_minicpmv.py. */
#include "ref/processing_minicpmv.h"

#include <limits.h>
#include <string.h>

#include "ref/python_text.h"

/* What stands for an image in a prompt. HF splits prompts at this text but counts images with it as a regular
 * expression, in which the parentheses make a group and the point is any character but a line feed. */
static const char PATTERN[] = "(<image>./</image>)";

mcv_status MiniCPMVProcessor_from_pretrained(MiniCPMVProcessor *processor, const char *folder) {
    *processor = (MiniCPMVProcessor){0};
    mcv_status status = MiniCPMVImageProcessor_from_pretrained(&processor->image_processor, folder);
    if (status == MCV_OK)
        status = Qwen2Tokenizer_from_pretrained(&processor->tokenizer, folder);
    if (status != MCV_OK)
        MiniCPMVProcessor_free(processor);
    return status;
}

void MiniCPMVProcessor_free(MiniCPMVProcessor *processor) {
    MiniCPMVImageProcessor_free(&processor->image_processor);
    Qwen2Tokenizer_free(processor->tokenizer);
    *processor = (MiniCPMVProcessor){0};
}

/* ---- Prompts ------------------------------------------------------------------------------------------------ */

static bool starts_with(PythonText text, const char *start) {
    return text.size >= strlen(start) && memcmp(text.data, start, strlen(start)) == 0;
}

/* Bytes of the match of "<image>./</image>" at the front, 0 where there is none. */
static size_t image_tag_size(PythonText text) {
    static const char START[] = "<image>", END[] = "/</image>";
    size_t at = strlen(START);
    if (!starts_with(text, START) || text.size == at || text.data[at] == '\n')
        return 0;
    at += python_character_size(python_from(text, at));
    return starts_with(python_from(text, at), END) ? at + strlen(END) : 0;
}

/* Python: len(re.findall(PATTERN, text)). */
static int count_image_tags(PythonText text) {
    int count = 0;
    while (text.size > 0) {
        size_t tag = image_tag_size(text);
        count += tag > 0;
        text = python_from(text, tag > 0 ? tag : 1);
    }
    return count;
}

/* The text up to the next PATTERN, which is taken off *rest together with it. False where there is no other: *chunk is
 * then all of *rest, which stays. */
static bool next_chunk(PythonText *rest, PythonText *chunk) {
    const char *found = memmem(rest->data, rest->size, PATTERN, strlen(PATTERN));
    *chunk = *rest;
    if (!found)
        return false;
    chunk->size = (size_t)(found - rest->data);
    *rest = python_from(*rest, chunk->size + strlen(PATTERN));
    return true;
}

/* The prompt with each image's placeholder in its place. */
static mcv_status fill_in_placeholders(const MiniCPMVProcessor *processor, const ProcessorInput *input,
                                       const ImageFeatures *images, const ProcessorOptions *options,
                                       mcv_buffer *final_text) {
    PythonText rest = {input->prompt, input->prompt_size}, text_chunk;
    int image_tags = count_image_tags(rest);
    if (image_tags != images->num_images)
        return MCV_FAIL(MCV_USAGE, "the prompt has places for %d images, found %d images", image_tags,
                        images->num_images);
    bool more = true;
    for (int i = 0; i < image_tags; i++) {
        if (!more)
            return MCV_FAIL(MCV_USAGE, "the prompt has %d image tags, but only %d of them written \"%s\"", image_tags,
                            i - 1, PATTERN);
        more = next_chunk(&rest, &text_chunk);
        if (images->skip_image[i]) {
            text_chunk = python_strip(text_chunk);
            MCV_TRY(mcv_buffer_append(final_text, text_chunk.data, text_chunk.size));
            continue;
        }
        MCV_TRY(mcv_buffer_append(final_text, text_chunk.data, text_chunk.size));
        MCV_TRY(MiniCPMVImageProcessor_get_slice_image_placeholder(
            &processor->image_processor, images->image_sizes[i][0], images->image_sizes[i][1], i,
            options->max_slice_nums, options->use_image_id, final_text));
    }
    /* With an image tag in other words the last chunk has been used already; HF appends it once more. */
    return mcv_buffer_append(final_text, rest.data, rest.size);
}

/* ---- Ids ---------------------------------------------------------------------------------------------------- */

/* One conversation's ids and the bounds of its image blocks. */
typedef struct ConvertedInput {
    TokenIds input_ids;
    int num_bounds;
    int32_t (*image_bounds)[2]; /* [num_bounds] */
} ConvertedInput;

typedef struct BoundIds {
    int32_t im_start, im_end, slice_start, slice_end;
} BoundIds;

static bool is_start(const BoundIds *bound, int32_t id) {
    return id == bound->im_start || id == bound->slice_start;
}

static bool is_end(const BoundIds *bound, int32_t id) {
    return id == bound->im_end || id == bound->slice_end;
}

static mcv_status find_image_bounds(const BoundIds *bound, mcv_arena *arena, ConvertedInput *converted) {
    const TokenIds *ids = &converted->input_ids;
    int starts = 0, ends = 0;
    for (size_t i = 0; i < ids->count; i++) {
        starts += is_start(bound, ids->data[i]);
        ends += is_end(bound, ids->data[i]);
    }
    if (starts != ends)
        return MCV_FAIL(MCV_USAGE,
                        "the %zu ids of the prompt open %d image blocks and close %d: a limit on the prompt's length "
                        "may cut one in two",
                        ids->count, starts, ends);
    converted->num_bounds = starts;
    MCV_TRY(MCV_ARENA_NEW(arena, &converted->image_bounds, starts));
    starts = ends = 0;
    for (size_t i = 0; i < ids->count; i++) {
        if (is_start(bound, ids->data[i]))
            converted->image_bounds[starts++][0] = (int32_t)i + 1;
        if (is_end(bound, ids->data[i]))
            converted->image_bounds[ends++][1] = (int32_t)i;
    }
    return MCV_OK;
}

/* HF: _convert. It would put bos_id in front for a tokenizer with an attribute add_bos_token, which the model's has
 * not. */
static mcv_status convert(const MiniCPMVProcessor *processor, const mcv_buffer *text, int max_length, mcv_arena *arena,
                          ConvertedInput *converted) {
    const Qwen2Tokenizer *tokenizer = processor->tokenizer;
    TokenIds *ids = &converted->input_ids;
    MCV_TRY(Qwen2Tokenizer_encode(tokenizer, mcv_buffer_text(text), text->size, ids));
    if (max_length > 0 && ids->count > (size_t)max_length)
        ids->count = (size_t)max_length;
    if (ids->count > INT_MAX)
        return MCV_FAIL(MCV_USAGE, "a prompt of %zu ids", ids->count);
    BoundIds bound = {.im_start = Qwen2Tokenizer_token_to_id(tokenizer, "<image>"),
                      .im_end = Qwen2Tokenizer_token_to_id(tokenizer, "</image>"),
                      .slice_start = Qwen2Tokenizer_token_to_id(tokenizer, "<slice>"),
                      .slice_end = Qwen2Tokenizer_token_to_id(tokenizer, "</slice>")};
    return find_image_bounds(&bound, arena, converted);
}

static mcv_status convert_input(const MiniCPMVProcessor *processor, const ProcessorInput *input,
                                const ProcessorOptions *options, mcv_arena *arena, ImageFeatures *images,
                                ConvertedInput *converted) {
    MCV_TRY(MiniCPMVImageProcessor_preprocess(&processor->image_processor, arena, input->images, input->num_images,
                                              options->max_slice_nums, input->temporal_ids, images));
    mcv_buffer final_text = {0};
    mcv_status status = fill_in_placeholders(processor, input, images, options, &final_text);
    if (status == MCV_OK)
        status = convert(processor, &final_text, options->max_length, arena, converted);
    mcv_buffer_free(&final_text);
    return status;
}

/* ---- Batches ------------------------------------------------------------------------------------------------ */

static mcv_status allocate(mcv_arena *arena, int batch_size, size_t length, MiniCPMVBatchFeature *features) {
    size_t ids = (size_t)batch_size * length; /* both below 2^31 */
    features->length = (int)length;
    MCV_TRY(MCV_ARENA_NEW(arena, &features->input_ids, ids));
    MCV_TRY(MCV_ARENA_NEW(arena, &features->attention_mask, ids));
    MCV_TRY(MCV_ARENA_NEW(arena, &features->padding, batch_size));
    MCV_TRY(MCV_ARENA_NEW(arena, &features->num_bounds, batch_size));
    return MCV_ARENA_NEW(arena, &features->image_bound, batch_size);
}

/* Puts a conversation into its row of the batch, behind ids 0. HF: pad, and the shift of image_bounds after it. */
static void pad_row(const ConvertedInput *converted, int row, MiniCPMVBatchFeature *features) {
    size_t length = (size_t)features->length, count = converted->input_ids.count;
    int32_t *ids = features->input_ids + (size_t)row * length;
    uint8_t *mask = features->attention_mask + (size_t)row * length;
    int padding = (int)(length - count);
    for (size_t i = 0; i < length; i++) {
        ids[i] = i < length - count ? 0 : converted->input_ids.data[i - (length - count)];
        mask[i] = ids[i] != 0;
    }
    for (int i = 0; i < converted->num_bounds; i++) {
        converted->image_bounds[i][0] += padding;
        converted->image_bounds[i][1] += padding;
    }
    features->padding[row] = padding;
    features->num_bounds[row] = converted->num_bounds;
    features->image_bound[row] = converted->image_bounds;
}

static mcv_status pad(mcv_arena *arena, const ConvertedInput *converted, int batch_size,
                      MiniCPMVBatchFeature *features) {
    size_t length = 0;
    for (int i = 0; i < batch_size; i++)
        length = converted[i].input_ids.count > length ? converted[i].input_ids.count : length;
    MCV_TRY(allocate(arena, batch_size, length, features));
    for (int i = 0; i < batch_size; i++) {
        if (length > 0 && converted[i].input_ids.count == 0)
            return MCV_FAIL(MCV_USAGE, "the prompt of conversation %d is empty, another one's is not", i + 1);
        pad_row(&converted[i], i, features);
    }
    return MCV_OK;
}

mcv_status MiniCPMVProcessor_call(const MiniCPMVProcessor *processor, mcv_arena *arena, const ProcessorInput *inputs,
                                  int batch_size, const ProcessorOptions *options, MiniCPMVBatchFeature *features) {
    *features = (MiniCPMVBatchFeature){.batch_size = batch_size};
    if (batch_size < 1)
        return MCV_FAIL(MCV_USAGE, "a batch without conversations");
    if (options->max_length < 0)
        return MCV_FAIL(MCV_USAGE, "max_length %d: expected 0 or more", options->max_length);
    ConvertedInput *converted;
    MCV_TRY(MCV_ARENA_NEW(arena, &features->images, batch_size));
    MCV_TRY(MCV_NEW(&converted, (size_t)batch_size));
    mcv_status status = MCV_OK;
    for (int i = 0; i < batch_size && status == MCV_OK; i++) {
        status = convert_input(processor, &inputs[i], options, arena, &features->images[i], &converted[i]);
        if (status != MCV_OK && batch_size > 1)
            mcv_fail_context(status, "conversation %d", i + 1);
    }
    if (status == MCV_OK)
        status = pad(arena, converted, batch_size, features);
    for (int i = 0; i < batch_size; i++)
        TokenIds_free(&converted[i].input_ids);
    free(converted);
    return status;
}
