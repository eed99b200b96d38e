#include "cli/model_inputs.h"

#include <stdio.h>

#include "cli/json_output.h"
#include "formats/hash.h"
#include "formats/safetensors.h"

/* ---- JSON --------------------------------------------------------------------------------------------------- */

static json_t *pair(int64_t first, int64_t second) {
    return json_pack("[II]", (json_int_t)first, (json_int_t)second);
}

static json_t *list_groups(const ImageFeatures *images) {
    json_t *list = json_array();
    for (int i = 0; i < images->num_groups; i++) {
        json_t *ids = json_array();
        for (int j = 0; j < images->groups[i].count; j++)
            mcv_json_append(&ids, json_integer(images->groups[i].temporal_ids[j]));
        mcv_json_append(&list, ids);
    }
    return list;
}

/* null for a frame that shares the placeholder of the one before. */
static json_t *placeholder(const mcv_model_inputs *inputs, int index) {
    const ImageFeatures *images = inputs->features->images;
    if (images->skip_image[index])
        return json_null();
    mcv_buffer text = {0};
    mcv_status status = MiniCPMVImageProcessor_get_slice_image_placeholder(
        &inputs->processor->image_processor, images->image_sizes[index][0], images->image_sizes[index][1], index,
        inputs->options->max_slice_nums, inputs->options->use_image_id, &text);
    json_t *value = status == MCV_OK ? json_stringn(mcv_buffer_text(&text), text.size) : NULL;
    mcv_buffer_free(&text);
    return value;
}

static void set_images(const mcv_model_inputs *inputs, json_t **object) {
    const ImageFeatures *images = inputs->features->images;
    json_t *image_sizes = json_array(), *grids = json_array(), *placeholders = json_array(), *skipped = json_array();
    for (int i = 0; i < images->num_images; i++) {
        SliceGrid grid = images->grids[i];
        mcv_json_append(&image_sizes, pair(images->image_sizes[i][0], images->image_sizes[i][1]));
        mcv_json_append(&grids, grid.rows > 0 ? pair(grid.columns, grid.rows) : json_null());
        mcv_json_append(&placeholders, placeholder(inputs, i));
        if (images->skip_image[i])
            mcv_json_append(&skipped, json_integer(i));
    }
    mcv_json_set(object, "image_sizes", image_sizes);
    mcv_json_set(object, "grids", grids);
    mcv_json_set(object, "placeholders", placeholders);
    mcv_json_set(object, "skip_image_idx", skipped);
    mcv_json_set(object, "temporal_ids", list_groups(images));
}

static json_t *describe_pixels(const ImageSlice *slice) {
    json_t *object = json_object();
    mcv_arena arena = {0};
    mcv_tensor tensor = {0};
    mcv_hash hash;
    bool hashed =
        ImageSlice_pixel_values(slice, &arena, &tensor) == MCV_OK && mcv_hash_tensor(&tensor, &hash) == MCV_OK;
    mcv_json_set(&object, "shape", mcv_json_shape(&tensor));
    mcv_json_set(&object, "xxh3_64", hashed ? json_string(hash.xxh3_64) : NULL);
    mcv_arena_free(&arena);
    return object;
}

static void set_slices(const mcv_model_inputs *inputs, json_t **object) {
    const ImageFeatures *images = inputs->features->images;
    int64_t patch_size = inputs->processor->image_processor.patch_size;
    json_t *slice_sizes = json_array(), *tgt_sizes = json_array(), *values = json_array();
    for (int i = 0; i < images->num_slices; i++) {
        const ImageSlice *slice = &images->slices[i];
        mcv_json_append(&slice_sizes, pair(slice->grid_w * patch_size, slice->grid_h * patch_size));
        mcv_json_append(&tgt_sizes, pair(slice->grid_h, slice->grid_w));
        mcv_json_append(&values, describe_pixels(slice));
    }
    mcv_json_set(object, "slice_sizes", slice_sizes);
    mcv_json_set(object, "tgt_sizes", tgt_sizes);
    mcv_json_set(object, "pixel_values", values);
}

static void set_ids(const MiniCPMVBatchFeature *features, json_t **object) {
    json_t *input_ids = json_array(), *attention_mask = json_array(), *image_bound = json_array();
    for (int i = 0; i < features->length; i++) {
        mcv_json_append(&input_ids, json_integer(features->input_ids[i]));
        mcv_json_append(&attention_mask, json_integer(features->attention_mask[i]));
    }
    for (int i = 0; i < features->num_bounds[0]; i++)
        mcv_json_append(&image_bound, pair(features->image_bound[0][i][0], features->image_bound[0][i][1]));
    mcv_json_set(object, "input_ids", input_ids);
    mcv_json_set(object, "attention_mask", attention_mask);
    mcv_json_set(object, "image_bound", image_bound);
}

mcv_status mcv_model_inputs_print(const mcv_model_inputs *inputs) {
    json_t *object = json_object();
    mcv_json_set(&object, "prompt", json_stringn(inputs->prompt, inputs->prompt_size));
    set_images(inputs, &object);
    set_slices(inputs, &object);
    set_ids(inputs->features, &object);
    return mcv_json_print(object);
}

/* ---- safetensors -------------------------------------------------------------------------------------------- */

/* Adds "[VALUE]" as JSON, one conversation of a batch, and releases the value. */
static mcv_status add_metadata(mcv_safetensors_writer *writer, const char *key, json_t *value) {
    json_t *batch = json_pack("[o]", value);
    char *text = batch ? json_dumps(batch, JSON_COMPACT) : NULL;
    mcv_status status =
        text ? mcv_safetensors_add_metadata(writer, key, text) : MCV_FAIL(MCV_NO_MEMORY, "out of memory (JSON)");
    free(text);
    json_decref(batch);
    return status;
}

static mcv_status add_slice(const ImageSlice *slice, int index, mcv_safetensors_writer *writer) {
    char name[48];
    mcv_arena arena = {0};
    mcv_tensor tensor;
    snprintf(name, sizeof name, "pixel_values.0.%d", index);
    mcv_status status = ImageSlice_pixel_values(slice, &arena, &tensor);
    if (status == MCV_OK)
        status = mcv_safetensors_add(writer, name, &tensor);
    mcv_arena_free(&arena);
    return status;
}

static mcv_status add_tensors(const mcv_model_inputs *inputs, mcv_safetensors_writer *writer) {
    const MiniCPMVBatchFeature *features = inputs->features;
    const ImageFeatures *images = features->images;
    MCV_TRY(mcv_safetensors_add(writer, "input_ids", &MCV_TENSOR(MCV_I32, features->input_ids, 1, features->length)));
    MCV_TRY(mcv_safetensors_add(writer, "attention_mask",
                                &MCV_TENSOR(MCV_U8, features->attention_mask, 1, features->length)));
    MCV_TRY(mcv_safetensors_add(writer, "image_bound.0",
                                &MCV_TENSOR(MCV_I32, features->image_bound[0], features->num_bounds[0], 2)));
    int32_t(*tgt_sizes)[2];
    MCV_TRY(MCV_NEW(&tgt_sizes, (size_t)images->num_slices));
    for (int i = 0; i < images->num_slices; i++) {
        tgt_sizes[i][0] = images->slices[i].grid_h;
        tgt_sizes[i][1] = images->slices[i].grid_w;
    }
    mcv_status status =
        mcv_safetensors_add(writer, "tgt_sizes.0", &MCV_TENSOR(MCV_I32, tgt_sizes, images->num_slices, 2));
    free(tgt_sizes);
    for (int i = 0; i < images->num_slices && status == MCV_OK; i++)
        status = add_slice(&images->slices[i], i, writer);
    return status;
}

static mcv_status add_all(const mcv_model_inputs *inputs, mcv_safetensors_writer *writer) {
    MCV_TRY(add_metadata(writer, "prompts", json_stringn(inputs->prompt, inputs->prompt_size)));
    MCV_TRY(add_metadata(writer, "temporal_ids", list_groups(inputs->features->images)));
    return add_tensors(inputs, writer);
}

mcv_status mcv_model_inputs_write(const mcv_model_inputs *inputs, const char *path) {
    mcv_safetensors_writer *writer;
    MCV_TRY(mcv_safetensors_create(path, &writer));
    mcv_status status = add_all(inputs, writer);
    if (status == MCV_OK)
        return mcv_safetensors_commit(writer);
    mcv_safetensors_abandon(writer);
    return status;
}
