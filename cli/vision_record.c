#include "cli/vision_record.h"

#include <math.h>
#include <stdio.h>

void mcv_vision_record_start(mcv_vision_record *record, const MiniCPMVImageProcessor *processor) {
    *record = (mcv_vision_record){0};
    memcpy(record->mean, processor->mean, sizeof record->mean);
    memcpy(record->std, processor->std, sizeof record->std);
}

void mcv_vision_record_free(mcv_vision_record *record) {
    for (size_t i = 0; i < record->num_slices; i++)
        mcv_image_free(&record->slices[i].image);
    free(record->slices);
    free(record->groups);
    mcv_arena_free(&record->arena);
    *record = (mcv_vision_record){0};
}

/* ---- Slices ------------------------------------------------------------------------------------------------------ */

/* tgt_sizes.I: [slices, 2]. They come before the slices' pixels. */
static mcv_status take_sizes(mcv_vision_record *record, int conversation, const mcv_tensor *sizes) {
    for (int64_t i = 0; i < sizes->shape[0]; i++) {
        if (record->num_slices == MCV_MOST_SEEN_SLICES)
            continue;
        MCV_TRY(MCV_GROW(&record->slices, &record->slice_capacity, record->num_slices + 1));
        record->slices[record->num_slices++] =
            (mcv_seen_slice){.conversation = conversation,
                             .index = (int)i,
                             .grid_h = (int)mcv_tensor_get(sizes, (size_t)i * 2),
                             .grid_w = (int)mcv_tensor_get(sizes, (size_t)i * 2 + 1)};
    }
    return MCV_OK;
}

static uint8_t level_of(const mcv_vision_record *record, int channel, double value) {
    double level = rint((value * record->std[channel] + record->mean[channel]) * 255);
    return (uint8_t)fmin(fmax(level, 0), 255);
}

/* pixels: [3, patch, patches * patch], patches beside each other. */
static mcv_status take_pixels(const mcv_vision_record *record, mcv_seen_slice *slice, const mcv_tensor *pixels) {
    size_t patch = (size_t)pixels->shape[1], line = (size_t)pixels->shape[2], width = (size_t)slice->grid_w * patch;
    if (slice->image.rgb || pixels->shape[0] != 3 || line != (size_t)slice->grid_h * width)
        return MCV_OK;
    slice->image = (mcv_image){.width = (int)width, .height = slice->grid_h * (int)patch};
    MCV_TRY(MCV_NEW(&slice->image.rgb, 3 * patch * line));
    for (size_t i = 0; i < 3 * patch * line; i++) {
        size_t channel = i / line / patch, y = i / line % patch, across = i % line;
        size_t row = across / width * patch + y, column = across % width;
        slice->image.rgb[(row * width + column) * 3 + channel] =
            level_of(record, (int)channel, mcv_tensor_get(pixels, i));
    }
    return MCV_OK;
}

/* ---- Attention --------------------------------------------------------------------------------------------------- */

/* weights: [groups, queries, frames * length], of which a slice has its own patches' part. */
static mcv_status take_weights(mcv_vision_record *record, const mcv_tensor *weights) {
    int64_t queries = weights->shape[1], keys = weights->shape[2], frames = 1;
    for (size_t g = 0; g < record->num_groups; g++)
        frames = record->groups[g].count > frames ? record->groups[g].count : frames;
    int64_t length = keys / frames;
    for (int64_t g = 0; g < weights->shape[0] && g < (int64_t)record->num_groups; g++)
        for (int frame = 0; frame < record->groups[g].count; frame++) {
            size_t index = (size_t)(record->groups[g].first_slice + frame);
            if (index >= record->num_slices)
                return MCV_OK;
            mcv_seen_slice *slice = &record->slices[index];
            int64_t patches = (int64_t)slice->grid_h * slice->grid_w;
            float *part;
            if (patches > length)
                return MCV_OK;
            MCV_TRY(MCV_ARENA_NEW(&record->arena, &part, queries * patches));
            for (int64_t q = 0; q < queries; q++)
                mcv_tensor_to_f32(weights, (size_t)((g * queries + q) * keys + frame * length), (size_t)patches,
                                  part + q * patches);
            slice->weights = part;
            record->num_queries = (int)queries;
        }
    return MCV_OK;
}

/* ---- What a run shows -------------------------------------------------------------------------------------------- */

static mcv_status put_pixels(mcv_vision_record *record, int conversation, int index, const mcv_tensor *pixels) {
    for (size_t i = 0; i < record->num_slices; i++)
        if (record->slices[i].conversation == conversation && record->slices[i].index == index)
            return take_pixels(record, &record->slices[i], pixels);
    return MCV_OK;
}

mcv_status mcv_vision_record_tensor(mcv_vision_record *record, const char *name, const mcv_tensor *tensor) {
    int conversation, index;
    if (tensor->rank == 2 && tensor->shape[1] == 2 && sscanf(name, "tgt_sizes.%d", &conversation) == 1)
        return take_sizes(record, conversation, tensor);
    if (tensor->rank == 3 && sscanf(name, "pixel_values.%d.%d", &conversation, &index) == 2)
        return put_pixels(record, conversation, index, tensor);
    if (tensor->rank == 3 && strcmp(name, "resampler.attn.weights") == 0)
        return take_weights(record, tensor);
    return MCV_OK;
}

static mcv_status take_group(mcv_vision_record *record, const json_t *ids, int *first_slice) {
    int count = (int)json_array_size(ids);
    mcv_seen_group group = {.first_slice = *first_slice, .count = count};
    MCV_TRY(MCV_ARENA_NEW(&record->arena, &group.temporal_ids, count));
    for (int i = 0; i < count; i++)
        group.temporal_ids[i] = (int32_t)json_integer_value(json_array_get(ids, (size_t)i));
    MCV_TRY(MCV_GROW(&record->groups, &record->group_capacity, record->num_groups + 1));
    record->groups[record->num_groups++] = group;
    *first_slice += count;
    return MCV_OK;
}

mcv_status mcv_vision_record_text(mcv_vision_record *record, const char *name, const json_t *value) {
    int first_slice = 0;
    if (strcmp(name, "temporal_ids") != 0)
        return MCV_OK;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *groups = json_array_get(value, i);
        for (size_t j = 0; j < json_array_size(groups); j++)
            MCV_TRY(take_group(record, json_array_get(groups, j), &first_slice));
    }
    return MCV_OK;
}
