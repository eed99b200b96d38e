#include "simd/engine/prefix.h"

#include <string.h>
#include <xxhash.h>

/* ---- Keys --------------------------------------------------------------------------------------------------- */

mcv_status mcv_prefix_keys_add(mcv_prefix_keys *keys, uint64_t key) {
    MCV_TRY(MCV_GROW(&keys->keys, &keys->capacity, keys->count + 1));
    keys->keys[keys->count++] = key;
    return MCV_OK;
}

void mcv_prefix_keys_truncate(mcv_prefix_keys *keys, size_t count) {
    if (keys->count > count)
        keys->count = count;
}

void mcv_prefix_keys_free(mcv_prefix_keys *keys) {
    free(keys->keys);
    *keys = (mcv_prefix_keys){0};
}

/* A place in an image whose pixels need not be read for that. */
static uint64_t hash_unread(const ImageSlice *slice, uint64_t seed) {
    const UnreadSlice *unread = &slice->unread;
    uint64_t place[] = {unread->image->hash, (uint64_t)unread->width, (uint64_t)unread->height, slice->pixels.offset};
    return XXH3_64bits_withSeed(place, sizeof place, seed);
}

/* A slice's levels, row by row, whatever lies between them. */
static uint64_t hash_slice(const ImageSlice *slice, int32_t temporal_id, uint64_t seed, uint8_t *row) {
    const Pixels *pixels = &slice->pixels;
    int32_t shape[] = {slice->grid_h, slice->grid_w, temporal_id};
    size_t width = (size_t)slice->grid_w * (size_t)slice->patch_size,
           height = (size_t)slice->grid_h * (size_t)slice->patch_size;
    seed = XXH3_64bits_withSeed(shape, sizeof shape, seed);
    if (!pixels->image)
        return hash_unread(slice, seed);
    const uint8_t *first = pixels->image + pixels->offset;
    for (size_t y = 0; y < height; y++) {
        for (size_t x = 0; x < width; x++)
            for (size_t c = 0; c < 3; c++)
                row[3 * x + c] = first[c * pixels->channel_step + y * pixels->row_step + x * pixels->column_step];
        seed = XXH3_64bits_withSeed(row, 3 * width, seed);
    }
    return seed;
}

/* hashes: [num_groups]. */
static mcv_status hash_groups(const MiniCPMV *model, mcv_arena *arena, const ImageFeatures *images, uint64_t *hashes) {
    size_t width = 0, longest = 0;
    uint8_t *row;
    for (int i = 0; i < images->num_slices; i++) {
        size_t slice_width = (size_t)images->slices[i].grid_w * (size_t)images->slices[i].patch_size;
        size_t patches = (size_t)images->slices[i].grid_h * (size_t)images->slices[i].grid_w;
        width = slice_width > width ? slice_width : width;
        longest = patches > longest ? patches : longest;
    }
    MCV_TRY(MCV_ARENA_NEW(arena, &row, 3 * width));
    const ImageSlice *slice = images->slices;
    for (int g = 0; g < images->num_groups; g++) {
        /* Without batch_3d_resampler what is attended to depends on how far slices are padded: to the longest. */
        hashes[g] = model->config.batch_3d_resampler ? 0 : longest;
        for (int i = 0; i < images->groups[g].count; i++)
            hashes[g] = hash_slice(slice++, images->groups[g].temporal_ids[i], hashes[g], row);
    }
    return MCV_OK;
}

/* The number of the image feature that stands at each token, -1 for text. features: [length]. */
static void list_features(const MiniCPMVBatchFeature *data, int query_num, int64_t *features) {
    int64_t used = 0, available = (int64_t)data->images[0].num_groups * query_num;
    for (int t = 0; t < data->length; t++)
        features[t] = -1;
    for (int i = 0; i < data->num_bounds[0]; i++)
        for (int t = data->image_bound[0][i][0]; t < data->image_bound[0][i][1]; t++)
            if (used < available && t >= 0 && t < data->length)
                features[t] = used++;
}

mcv_status mcv_prefix_make_keys(const MiniCPMV *model, mcv_arena *arena, const MiniCPMVBatchFeature *data,
                                mcv_prefix_keys *keys) {
    int query_num = model->config.query_num;
    uint64_t *hashes;
    int64_t *features;
    MCV_TRY(MCV_ARENA_NEW(arena, &hashes, data->images[0].num_groups));
    MCV_TRY(MCV_ARENA_NEW(arena, &features, data->length));
    MCV_TRY(hash_groups(model, arena, &data->images[0], hashes));
    list_features(data, query_num, features);
    for (int t = 0; t < data->length; t++) {
        if (!data->attention_mask[t])
            continue;
        uint64_t key = (uint64_t)(uint32_t)data->input_ids[t];
        if (features[t] >= 0) {
            uint64_t place[] = {hashes[features[t] / query_num], (uint64_t)(features[t] % query_num)};
            key = XXH3_64bits(place, sizeof place) | (uint64_t)1 << 63; /* never an id */
        }
        MCV_TRY(mcv_prefix_keys_add(keys, key));
    }
    return MCV_OK;
}

/* ---- The prefix --------------------------------------------------------------------------------------------- */

mcv_status mcv_prefix_take(const mcv_prefix *prefix, const mcv_prefix_keys *keys, const MiniCPMVBatchFeature *data,
                           int query_num, mcv_arena *arena, mcv_kv_sequence *sequence, int *first, bool **needed) {
    int64_t *features;
    bool last_stored = data->attention_mask[data->length - 1] != 0;
    size_t limit = keys->count - (last_stored ? 1 : 0), common = 0;
    MCV_TRY(MCV_ARENA_NEW(arena, &features, data->length));
    MCV_TRY(MCV_ARENA_NEW(arena, needed, data->images[0].num_groups));
    memset(*needed, 0, (size_t)data->images[0].num_groups * sizeof **needed);
    while (common < limit && common < prefix->keys.count && keys->keys[common] == prefix->keys.keys[common])
        common++;
    MCV_TRY(mcv_kv_fork(&prefix->sequence, sequence));
    mcv_kv_truncate(sequence, (uint32_t)common);

    *first = data->padding[0];
    for (size_t seen = 0; seen < common; (*first)++)
        seen += data->attention_mask[*first] != 0;
    list_features(data, query_num, features);
    for (int t = *first; t < data->length; t++)
        if (features[t] >= 0)
            (*needed)[features[t] / query_num] = true;
    return MCV_OK;
}

void mcv_prefix_keep(mcv_prefix *prefix, mcv_kv_sequence *sequence, mcv_prefix_keys *keys) {
    mcv_prefix_free(prefix);
    prefix->sequence = *sequence;
    prefix->keys = *keys;
    *sequence = (mcv_kv_sequence){0};
    *keys = (mcv_prefix_keys){0};
}

void mcv_prefix_free(mcv_prefix *prefix) {
    mcv_kv_free(&prefix->sequence);
    mcv_prefix_keys_free(&prefix->keys);
}
