#include "cli/model_inputs.h"

#include <stdio.h>

#include "formats/hash.h"
#include "formats/safetensors.h"

/* ---- JSON --------------------------------------------------------------------------------------------------- */

/* Appends a value, NULL where it could not be made. */
static mcv_status append(json_t *list, json_t *value) {
    return json_array_append_new(list, value) == 0 ? MCV_OK : MCV_FAIL(MCV_NO_MEMORY, "out of memory (JSON)");
}

/* Adds an empty list to an object. */
static mcv_status add_list(json_t *object, const char *key, json_t **list) {
    *list = json_array();
    return json_object_set_new(object, key, *list) == 0 ? MCV_OK : MCV_FAIL(MCV_NO_MEMORY, "out of memory (JSON)");
}

static mcv_status append_groups(json_t *list, const ImageFeatures *images) {
    for (int i = 0; i < images->num_groups; i++) {
        json_t *ids = json_array();
        MCV_TRY(append(list, ids));
        for (int j = 0; j < images->groups[i].count; j++)
            MCV_TRY(append(ids, json_integer(images->groups[i].temporal_ids[j])));
    }
    return MCV_OK;
}

/* null for a frame that shares the placeholder of the one before. */
static mcv_status append_placeholder(const mcv_model_inputs *inputs, int index, json_t *list) {
    const ImageFeatures *images = inputs->features->images;
    if (images->skip_image[index])
        return append(list, json_null());
    mcv_buffer text = {0};
    mcv_status status = MiniCPMVImageProcessor_get_slice_image_placeholder(
        &inputs->processor->image_processor, images->image_sizes[index][0], images->image_sizes[index][1], index,
        inputs->options->max_slice_nums, inputs->options->use_image_id, &text);
    if (status == MCV_OK)
        status = append(list, json_stringn(mcv_buffer_text(&text), text.size));
    mcv_buffer_free(&text);
    return status;
}

static mcv_status add_images(const mcv_model_inputs *inputs, json_t *object) {
    const ImageFeatures *images = inputs->features->images;
    json_t *image_sizes, *grids, *placeholders, *skip_image_idx, *temporal_ids;
    MCV_TRY(add_list(object, "image_sizes", &image_sizes));
    MCV_TRY(add_list(object, "grids", &grids));
    MCV_TRY(add_list(object, "placeholders", &placeholders));
    MCV_TRY(add_list(object, "skip_image_idx", &skip_image_idx));
    MCV_TRY(add_list(object, "temporal_ids", &temporal_ids));
    for (int i = 0; i < images->num_images; i++) {
        SliceGrid grid = images->grids[i];
        MCV_TRY(append(image_sizes, json_pack("[ii]", images->image_sizes[i][0], images->image_sizes[i][1])));
        MCV_TRY(append(grids, grid.rows > 0 ? json_pack("[ii]", grid.columns, grid.rows) : json_null()));
        MCV_TRY(append_placeholder(inputs, i, placeholders));
        if (images->skip_image[i])
            MCV_TRY(append(skip_image_idx, json_integer(i)));
    }
    return append_groups(temporal_ids, images);
}

static mcv_tensor pixel_values(const mcv_model_inputs *inputs, const ImageSlice *slice) {
    int patch_size = inputs->processor->image_processor.patch_size;
    return MCV_TENSOR(MCV_F32, slice->pixel_values, 3, patch_size, (int64_t)slice->grid_h * slice->grid_w * patch_size);
}

static mcv_status add_slices(const mcv_model_inputs *inputs, json_t *object) {
    const ImageFeatures *images = inputs->features->images;
    int patch_size = inputs->processor->image_processor.patch_size;
    json_t *slice_sizes, *tgt_sizes, *values;
    MCV_TRY(add_list(object, "slice_sizes", &slice_sizes));
    MCV_TRY(add_list(object, "tgt_sizes", &tgt_sizes));
    MCV_TRY(add_list(object, "pixel_values", &values));
    for (int i = 0; i < images->num_slices; i++) {
        const ImageSlice *slice = &images->slices[i];
        mcv_tensor tensor = pixel_values(inputs, slice);
        mcv_hash hash;
        MCV_TRY(mcv_hash_tensor(&tensor, &hash));
        MCV_TRY(append(slice_sizes, json_pack("[ii]", slice->grid_w * patch_size, slice->grid_h * patch_size)));
        MCV_TRY(append(tgt_sizes, json_pack("[ii]", slice->grid_h, slice->grid_w)));
        MCV_TRY(append(values,
                       json_pack("{s:[III], s:s}", "shape", (json_int_t)tensor.shape[0], (json_int_t)tensor.shape[1],
                                 (json_int_t)tensor.shape[2], "xxh3_64", hash.xxh3_64)));
    }
    return MCV_OK;
}

static mcv_status add_ids(const MiniCPMVBatchFeature *features, json_t *object) {
    json_t *input_ids, *attention_mask, *image_bound;
    MCV_TRY(add_list(object, "input_ids", &input_ids));
    MCV_TRY(add_list(object, "attention_mask", &attention_mask));
    MCV_TRY(add_list(object, "image_bound", &image_bound));
    for (int i = 0; i < features->length; i++) {
        MCV_TRY(append(input_ids, json_integer(features->input_ids[i])));
        MCV_TRY(append(attention_mask, json_integer(features->attention_mask[i])));
    }
    for (int i = 0; i < features->num_bounds[0]; i++)
        MCV_TRY(append(image_bound, json_pack("[ii]", features->image_bound[0][i][0], features->image_bound[0][i][1])));
    return MCV_OK;
}

mcv_status mcv_model_inputs_to_json(const mcv_model_inputs *inputs, json_t **json) {
    *json = json_object();
    mcv_status status = MCV_OK;
    if (json_object_set_new(*json, "prompt", json_stringn(inputs->prompt, inputs->prompt_size)) != 0)
        status = MCV_FAIL(MCV_NO_MEMORY, "out of memory (JSON)");
    if (status == MCV_OK)
        status = add_images(inputs, *json);
    if (status == MCV_OK)
        status = add_slices(inputs, *json);
    if (status == MCV_OK)
        status = add_ids(inputs->features, *json);
    if (status != MCV_OK) {
        json_decref(*json);
        *json = NULL;
    }
    return status;
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
    for (int i = 0; i < images->num_slices && status == MCV_OK; i++) {
        char name[48];
        snprintf(name, sizeof name, "pixel_values.0.%d", i);
        mcv_tensor tensor = pixel_values(inputs, &images->slices[i]);
        status = mcv_safetensors_add(writer, name, &tensor);
    }
    return status;
}

static mcv_status add_all(const mcv_model_inputs *inputs, mcv_safetensors_writer *writer) {
    json_t *groups = json_array();
    mcv_status status = append_groups(groups, inputs->features->images);
    if (status != MCV_OK) {
        json_decref(groups);
        return status;
    }
    MCV_TRY(add_metadata(writer, "temporal_ids", groups));
    MCV_TRY(add_metadata(writer, "prompts", json_stringn(inputs->prompt, inputs->prompt_size)));
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
