/* Runs the image processor on raw pixels from standard input, for comparison with the Python original
 * (tests/live/image_processing.py). A request is a line of JSON {"folder", "images": [[width, height], ...],
 * "max_slice_nums", "use_image_id", "temporal_ids": [[...], ...] or null} and the pixels; the answer is a line of JSON
 * and the pixel values, or {"error": ...} alone. */
#include <stdio.h>

#include <jansson.h>

#include "ref/image_processing_minicpmv.h"

typedef struct Request {
    mcv_arena arena;
    json_t *json;
    MiniCPMVImageProcessor processor;
    int num_images, max_slice_nums, use_image_id;
    mcv_image *images;
    TemporalIds *temporal_ids;
} Request;

static int int_at(const json_t *list, size_t index) {
    return (int)json_integer_value(json_array_get(list, index));
}

static mcv_status read_images(Request *request) {
    json_t *sizes = json_object_get(request->json, "images");
    request->num_images = (int)json_array_size(sizes);
    MCV_TRY(MCV_ARENA_NEW(&request->arena, &request->images, request->num_images));
    for (int i = 0; i < request->num_images; i++) {
        mcv_image *image = &request->images[i];
        json_t *size = json_array_get(sizes, (size_t)i);
        *image = (mcv_image){.width = int_at(size, 0), .height = int_at(size, 1)};
        size_t bytes = (size_t)image->width * (size_t)image->height * 3;
        MCV_TRY(MCV_ARENA_NEW(&request->arena, &image->rgb, bytes));
        if (fread(image->rgb, 1, bytes, stdin) != bytes)
            return MCV_FAIL(MCV_BAD_INPUT, "expected %zu bytes of pixels", bytes);
    }
    return MCV_OK;
}

static mcv_status read_temporal_ids(Request *request) {
    json_t *groups = json_object_get(request->json, "temporal_ids");
    TemporalGroup *list;
    if (!json_is_array(groups))
        return MCV_OK;
    MCV_TRY(MCV_ARENA_NEW(&request->arena, &request->temporal_ids, 1));
    MCV_TRY(MCV_ARENA_NEW(&request->arena, &list, json_array_size(groups)));
    for (size_t i = 0; i < json_array_size(groups); i++) {
        json_t *group = json_array_get(groups, i);
        int32_t *ids;
        MCV_TRY(MCV_ARENA_NEW(&request->arena, &ids, json_array_size(group)));
        for (size_t j = 0; j < json_array_size(group); j++)
            ids[j] = int_at(group, j);
        list[i] = (TemporalGroup){(int)json_array_size(group), ids};
    }
    *request->temporal_ids = (TemporalIds){(int)json_array_size(groups), list};
    return MCV_OK;
}

static mcv_status read_request(const char *line, Request *request) {
    json_t *json = json_loads(line, 0, NULL);
    if (!json)
        return MCV_FAIL(MCV_BAD_INPUT, "a request that is no JSON");
    request->json = json;
    request->max_slice_nums = (int)json_integer_value(json_object_get(json, "max_slice_nums"));
    request->use_image_id = (int)json_integer_value(json_object_get(json, "use_image_id"));
    MCV_TRY(read_images(request));
    MCV_TRY(read_temporal_ids(request));
    return MiniCPMVImageProcessor_from_pretrained(&request->processor,
                                                  json_string_value(json_object_get(json, "folder")));
}

static json_t *list_slices(const ImageFeatures *features) {
    json_t *tgt_sizes = json_array();
    for (int i = 0; i < features->num_slices; i++)
        json_array_append_new(tgt_sizes, json_pack("[ii]", features->slices[i].grid_h, features->slices[i].grid_w));
    return tgt_sizes;
}

static json_t *list_groups(const ImageFeatures *features) {
    json_t *groups = json_array();
    for (int i = 0; i < features->num_groups; i++) {
        json_t *ids = json_array();
        for (int j = 0; j < features->groups[i].count; j++)
            json_array_append_new(ids, json_integer(features->groups[i].temporal_ids[j]));
        json_array_append_new(groups, ids);
    }
    return groups;
}

/* The numbers of the images without a placeholder, as HF lists them. */
static json_t *list_skipped(const ImageFeatures *features) {
    json_t *skipped = json_array();
    for (int i = 0; i < features->num_images; i++)
        if (features->skip_image[i])
            json_array_append_new(skipped, json_integer(i));
    return skipped;
}

static mcv_status list_placeholders(const Request *request, const ImageFeatures *features, json_t *placeholders) {
    for (int i = 0; i < features->num_images; i++) {
        mcv_buffer text = {0};
        mcv_status status = MiniCPMVImageProcessor_get_slice_image_placeholder(
            &request->processor, features->image_sizes[i][0], features->image_sizes[i][1], i, request->max_slice_nums,
            request->use_image_id, &text);
        json_array_append_new(placeholders, json_string(mcv_buffer_text(&text)));
        mcv_buffer_free(&text);
        MCV_TRY(status);
    }
    return MCV_OK;
}

static mcv_status answer(const char *line, Request *request, json_t *reply) {
    ImageFeatures features;
    json_t *placeholders = json_array();
    json_object_set_new(reply, "placeholders", placeholders);
    MCV_TRY(read_request(line, request));
    MCV_TRY(MiniCPMVImageProcessor_preprocess(&request->processor, &request->arena, request->images,
                                              request->num_images, request->max_slice_nums, request->temporal_ids,
                                              &features));
    MCV_TRY(list_placeholders(request, &features, placeholders));
    json_object_set_new(reply, "tgt_sizes", list_slices(&features));
    json_object_set_new(reply, "temporal_ids", list_groups(&features));
    json_object_set_new(reply, "skip_image_idx", list_skipped(&features));
    json_dumpf(reply, stdout, JSON_COMPACT);
    putchar('\n');
    for (int i = 0; i < features.num_slices; i++) {
        mcv_tensor values;
        size_t size;
        MCV_TRY(ImageSlice_pixel_values(&features.slices[i], &request->arena, &values));
        if (mcv_tensor_bytes(&values, &size))
            fwrite(values.data, 1, size, stdout);
    }
    return MCV_OK;
}

int main(void) {
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        Request request = {0};
        json_t *reply = json_object();
        if (answer(line, &request, reply) != MCV_OK) {
            json_object_clear(reply);
            json_object_set_new(reply, "error", json_string(mcv_error_message()));
            json_dumpf(reply, stdout, JSON_COMPACT);
            putchar('\n');
        }
        fflush(stdout);
        json_decref(reply);
        json_decref(request.json);
        MiniCPMVImageProcessor_free(&request.processor);
        mcv_arena_free(&request.arena);
    }
    free(line);
    return 0;
}
