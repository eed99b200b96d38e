/* HF: image_processing_minicpmv.py. */
#include "ref/image_processing_minicpmv.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "core/file.h"

/* Numbers beyond these are damage, not image processors. */
enum {
    MAX_SLICES = 1 << 30,
    MAX_RESOLUTION = 1 << 15,
    MAX_PATCH_SIZE = 1 << 10,
    MAX_FEATURE_SIZE = 1 << 16,
};

static const int32_t NO_TIME = -1; /* the temporal id of an image */

/* Sizes as Python computes with them: whole numbers, for find_best_resize fractions too. Doubles hold both exactly. */
typedef struct Size {
    double width, height;
} Size;

static SliceGrid get_sliced_grid(const MiniCPMVImageProcessor *processor, int width, int height, int max_slice_nums);

/* ---- __init__ ----------------------------------------------------------------------------------------------- */

static mcv_status get_token(const mcv_json *json, const char *key, const char *standard, mcv_arena *arena,
                            const char **token) {
    const char *text = standard;
    char *copy;
    MCV_TRY(mcv_json_get_string(json, key, &text));
    MCV_TRY(MCV_ARENA_NEW(arena, &copy, strlen(text) + 1));
    strcpy(copy, text);
    *token = copy;
    return MCV_OK;
}

static mcv_status get_channels(const mcv_json *json, const char *key, bool zero_allowed, double values[3]) {
    static const char EXPECTED[] = "a list of 3 numbers, one a channel";
    mcv_json list;
    MCV_TRY(mcv_json_get_array(json, key, &list));
    if (!list.value)
        return MCV_OK;
    if (mcv_json_count(&list) != 3)
        return mcv_json_fail(MCV_BAD_INPUT, &list, EXPECTED);
    for (size_t i = 0; i < 3; i++) {
        mcv_json item = mcv_json_item(&list, i);
        values[i] = json_number_value(item.value);
        if (!json_is_number(item.value) || (values[i] == 0 && !zero_allowed))
            return mcv_json_fail(MCV_BAD_INPUT, &item, zero_allowed ? "a number" : "a number other than 0");
    }
    return MCV_OK;
}

static mcv_status get_tokens(MiniCPMVImageProcessor *processor, const mcv_json *json) {
    mcv_arena *arena = &processor->strings;
    MCV_TRY(get_token(json, "im_start", "<image>", arena, &processor->im_start_token));
    MCV_TRY(get_token(json, "im_end", "</image>", arena, &processor->im_end_token));
    MCV_TRY(get_token(json, "slice_start", "<slice>", arena, &processor->slice_start_token));
    MCV_TRY(get_token(json, "slice_end", "</slice>", arena, &processor->slice_end_token));
    MCV_TRY(get_token(json, "unk", "<unk>", arena, &processor->unk_token));
    MCV_TRY(get_token(json, "im_id_start", "<image_id>", arena, &processor->im_id_start));
    return get_token(json, "im_id_end", "</image_id>", arena, &processor->im_id_end);
}

/* HF: __init__. Its `version` decides whether the tokenizer puts a first token in front of prompts, which the model's
 * tokenizer does in no version. */
static mcv_status MiniCPMVImageProcessor_init(MiniCPMVImageProcessor *processor, const mcv_json *json) {
    MCV_TRY(mcv_json_get_int(json, "max_slice_nums", 1, MAX_SLICES, &processor->max_slice_nums));
    MCV_TRY(mcv_json_get_int(json, "scale_resolution", 1, MAX_RESOLUTION, &processor->scale_resolution));
    MCV_TRY(mcv_json_get_int(json, "patch_size", 1, MAX_PATCH_SIZE, &processor->patch_size));
    MCV_TRY(mcv_json_get_bool(json, "use_image_id", &processor->use_image_id));
    MCV_TRY(mcv_json_get_int(json, "image_feature_size", 1, MAX_FEATURE_SIZE, &processor->image_feature_size));
    MCV_TRY(get_tokens(processor, json));
    MCV_TRY(mcv_json_get_bool(json, "slice_mode", &processor->slice_mode));
    MCV_TRY(get_channels(json, "norm_mean", true, processor->mean));
    return get_channels(json, "norm_std", false, processor->std);
}

mcv_status MiniCPMVImageProcessor_from_json(MiniCPMVImageProcessor *processor, const mcv_json *json) {
    *processor = (MiniCPMVImageProcessor){
        .max_slice_nums = 9,
        .scale_resolution = 448,
        .patch_size = 14,
        .use_image_id = false,
        .slice_mode = true,
        .image_feature_size = 64,
        .mean = {0.5, 0.5, 0.5},
        .std = {0.5, 0.5, 0.5},
        .pillow = PILLOW_13,
        .passes = &PILLOW_PASSES,
    };
    return MiniCPMVImageProcessor_init(processor, json);
}

mcv_status MiniCPMVImageProcessor_from_pretrained(MiniCPMVImageProcessor *processor, const char *folder) {
    char *path;
    *processor = (MiniCPMVImageProcessor){0};
    MCV_TRY(mcv_path_join(&path, folder, "preprocessor_config.json"));
    mcv_json json;
    mcv_status status = mcv_json_load(path, &json);
    free(path);
    if (status == MCV_OK)
        status = MiniCPMVImageProcessor_from_json(processor, &json);
    mcv_json_free(&json);
    return status;
}

void MiniCPMVImageProcessor_free(MiniCPMVImageProcessor *processor) {
    mcv_arena_free(&processor->strings);
    *processor = (MiniCPMVImageProcessor){0};
}

/* ---- Sizes -------------------------------------------------------------------------------------------------- */

/* Python's round() takes ties to the even number, as rint() does. */
static double ensure_divide(double length, double patch_size) {
    return fmax(rint(length / patch_size) * patch_size, patch_size);
}

static Size find_best_resize(Size original_size, int scale_resolution, int patch_size, bool allow_upscale) {
    double width = original_size.width, height = original_size.height;
    if (width * height > (double)scale_resolution * scale_resolution || allow_upscale) {
        double r = width / height;
        height = trunc(scale_resolution / sqrt(r));
        width = trunc(height * r);
    }
    return (Size){ensure_divide(width, patch_size), ensure_divide(height, patch_size)};
}

static Size get_refine_size(Size original_size, SliceGrid grid, int scale_resolution, int patch_size,
                            bool allow_upscale) {
    double refine_width = ensure_divide(original_size.width, grid.columns);
    double refine_height = ensure_divide(original_size.height, grid.rows);
    Size cell = {refine_width / grid.columns, refine_height / grid.rows};
    Size best = find_best_resize(cell, scale_resolution, patch_size, allow_upscale);
    return (Size){best.width * grid.columns, best.height * grid.rows};
}

/* ---- Cutting ------------------------------------------------------------------------------------------------ */

static Pixels crop(const mcv_image *image, int x, int y, int width, int height) {
    size_t row_step = (size_t)image->width * 3;
    return (Pixels){.image = image->rgb,
                    .offset = (size_t)y * row_step + (size_t)x * 3,
                    .channels = 3,
                    .height = height,
                    .width = width,
                    .channel_step = 1,
                    .row_step = row_step,
                    .column_step = 3};
}

static Pixels whole(const mcv_image *image) {
    return crop(image, 0, 0, image->width, image->height);
}

/* Patch number `index`, row by row. get_refine_size has made the grid divide the image: there are no partial ones. */
static Pixels split_to_patches(const mcv_image *image, SliceGrid grid, int index) {
    int grid_x = image->width / grid.columns, grid_y = image->height / grid.rows;
    return crop(image, index % grid.columns * grid_x, index / grid.columns * grid_y, grid_x, grid_y);
}

static mcv_status check_size(Size size) {
    if (size.width > INT_MAX || size.height > INT_MAX)
        return MCV_FAIL(MCV_BAD_INPUT, "its slices would need %.0f x %.0f pixels, more than an image can have",
                        size.width, size.height);
    return MCV_OK;
}

static mcv_status resize(const MiniCPMVImageProcessor *processor, const mcv_image *image, int width, int height,
                         mcv_image *out) {
    return pillow_resize_bicubic(image, width, height, processor->pillow, processor->passes, out);
}

/* *out is the image itself where it has that size, else allocated in `arena`; of an image that is not kept, a size
 * without pixels. */
static mcv_status resize_to_keep(const MiniCPMVImageProcessor *processor, mcv_arena *arena, const mcv_image *image,
                                 Size size, mcv_image *out) {
    *out = *image;
    if (size.width == image->width && size.height == image->height)
        return MCV_OK;
    MCV_TRY(check_size(size));
    if (image->unread) {
        out->width = (int)size.width;
        out->height = (int)size.height;
        return MCV_OK;
    }
    mcv_image resized;
    MCV_TRY(resize(processor, image, (int)size.width, (int)size.height, &resized));
    size_t bytes = (size_t)resized.width * (size_t)resized.height * 3;
    *out = resized;
    mcv_status status = MCV_ARENA_NEW(arena, &out->rgb, bytes);
    if (status == MCV_OK)
        memcpy(out->rgb, resized.rgb, bytes);
    mcv_image_free(&resized);
    return status;
}

/* HF chooses the grid in here; a frame of a group may get the grid of the group's first. */
static mcv_status slice_image(const MiniCPMVImageProcessor *processor, mcv_arena *arena, const mcv_image *image,
                              SliceGrid best_grid, mcv_image *source_image, mcv_image *refine_image) {
    int scale_resolution = processor->scale_resolution, patch_size = processor->patch_size;
    Size original_size = {image->width, image->height};
    bool is_cut = best_grid.rows > 0;
    Size best_size = find_best_resize(original_size, scale_resolution, patch_size, !is_cut);
    MCV_TRY(resize_to_keep(processor, arena, image, best_size, source_image));
    if (!is_cut)
        return MCV_OK;
    Size refine_size = get_refine_size(original_size, best_grid, scale_resolution, patch_size, true);
    return resize_to_keep(processor, arena, image, refine_size, refine_image);
}

/* ---- Placeholders ------------------------------------------------------------------------------------------- */

static mcv_status append_block(const MiniCPMVImageProcessor *processor, const char *start, const char *end,
                               mcv_buffer *text) {
    MCV_TRY(mcv_buffer_append_string(text, start));
    for (int i = 0; i < processor->image_feature_size; i++)
        MCV_TRY(mcv_buffer_append_string(text, processor->unk_token));
    return mcv_buffer_append_string(text, end);
}

static mcv_status get_grid_placeholder(const MiniCPMVImageProcessor *processor, SliceGrid grid, mcv_buffer *text) {
    for (int row = 0; row < grid.rows; row++) {
        if (row > 0)
            MCV_TRY(mcv_buffer_append_string(text, "\n"));
        for (int column = 0; column < grid.columns; column++)
            MCV_TRY(append_block(processor, processor->slice_start_token, processor->slice_end_token, text));
    }
    return MCV_OK;
}

static mcv_status get_image_id_placeholder(const MiniCPMVImageProcessor *processor, int idx, mcv_buffer *text) {
    return mcv_buffer_printf(text, "%s%d%s", processor->im_id_start, idx, processor->im_id_end);
}

/* ---- Grids -------------------------------------------------------------------------------------------------- */

static int num_slices(SliceGrid grid) {
    return 1 + grid.columns * grid.rows;
}

/* The grid of `slices` cells whose aspect ratio is nearer to the image's than *min_error, the first one of equals. */
static void choose_grid(double log_ratio, int slices, SliceGrid *best_grid, double *min_error) {
    for (int columns = 1; columns <= slices; columns++) {
        if (slices % columns != 0)
            continue;
        SliceGrid grid = {columns, slices / columns};
        double error = fabs(log_ratio - log((double)grid.columns / grid.rows));
        if (error < *min_error) {
            *best_grid = grid;
            *min_error = error;
        }
    }
}

static SliceGrid get_sliced_grid(const MiniCPMVImageProcessor *processor, int width, int height, int max_slice_nums) {
    double log_ratio = log((double)width / height);
    double area = (double)width * height, one = (double)processor->scale_resolution * processor->scale_resolution;
    int multiple = (int)fmin(ceil(area / one), max_slice_nums);
    if (multiple <= 1)
        return (SliceGrid){0, 0};
    SliceGrid best_grid = {1, 1};
    double min_error = INFINITY;
    for (int slices = multiple - 1; slices <= multiple + 1; slices++)
        if (slices > 1 && slices <= max_slice_nums)
            choose_grid(log_ratio, slices, &best_grid, &min_error);
    return best_grid;
}

static mcv_status choose_max_slice_nums(const MiniCPMVImageProcessor *processor, int *max_slice_nums) {
    if (*max_slice_nums < 0 || *max_slice_nums > MAX_SLICES)
        return MCV_FAIL(MCV_USAGE, "max_slice_nums %d: expected 1 to %d", *max_slice_nums, MAX_SLICES);
    if (*max_slice_nums == 0)
        *max_slice_nums = processor->max_slice_nums;
    return MCV_OK;
}

mcv_status MiniCPMVImageProcessor_get_slice_image_placeholder(const MiniCPMVImageProcessor *processor, int width,
                                                              int height, int image_idx, int max_slice_nums,
                                                              int use_image_id, mcv_buffer *text) {
    MCV_TRY(choose_max_slice_nums(processor, &max_slice_nums));
    if (use_image_id < 0 ? processor->use_image_id : use_image_id)
        MCV_TRY(get_image_id_placeholder(processor, image_idx, text));
    MCV_TRY(append_block(processor, processor->im_start_token, processor->im_end_token, text));
    if (!processor->slice_mode)
        return MCV_OK;
    return get_grid_placeholder(processor, get_sliced_grid(processor, width, height, max_slice_nums), text);
}

/* ---- Pixel values ------------------------------------------------------------------------------------------- */

static void normalize_levels(const MiniCPMVImageProcessor *processor, Levels *levels) {
    for (int channel = 0; channel < 3; channel++) {
        float mean = (float)processor->mean[channel], std = (float)processor->std[channel];
        levels->mean[channel] = mean;
        levels->std[channel] = std;
        for (int level = 0; level < 256; level++)
            levels->normalized[channel][level] = ((float)level / 255.0f - mean) / std;
    }
}

/* [3, H, W] to [3, patch_size, HW/patch_size]: patches beside each other, rows and columns that fill none left out. */
static void reshape_by_patch(const ImageSlice *slice, float *out) {
    const Pixels *image = &slice->pixels;
    int patch_size = slice->patch_size, columns = slice->grid_w * patch_size;
    for (int channel = 0; channel < 3; channel++)
        for (int y = 0; y < patch_size; y++)
            for (int patch_row = 0; patch_row < slice->grid_h; patch_row++) {
                const float *normalized = slice->levels->normalized[channel];
                const uint8_t *row = image->image + image->offset + (size_t)channel * image->channel_step +
                                     ((size_t)patch_row * (size_t)patch_size + (size_t)y) * image->row_step;
                for (int x = 0; x < columns; x++)
                    *out++ = normalized[row[(size_t)x * image->column_step]];
            }
}

mcv_status ImageSlice_read(const ImageSlice *slice, ImageSlice *read, mcv_image *resized) {
    const UnreadSlice *unread = &slice->unread;
    mcv_image image;
    *read = *slice;
    *resized = (mcv_image){0};
    if (slice->pixels.image)
        return MCV_OK;
    MCV_TRY(unread->image->read(unread->image, &image));
    MCV_TRY(resize(unread->processor, &image, unread->width, unread->height, resized));
    read->pixels.image = resized->rgb;
    return MCV_OK;
}

mcv_status ImageSlice_pixel_values(const ImageSlice *slice, mcv_arena *arena, mcv_tensor *pixel_values) {
    int64_t patch_size = slice->patch_size, width = (int64_t)slice->grid_h * slice->grid_w * patch_size;
    float *values;
    ImageSlice read;
    mcv_image resized;
    MCV_TRY(MCV_ARENA_NEW(arena, &values, 3 * patch_size * width));
    MCV_TRY(ImageSlice_read(slice, &read, &resized));
    reshape_by_patch(&read, values);
    mcv_image_free(&resized);
    *pixel_values = MCV_TENSOR(MCV_F32, values, 3, patch_size, width);
    return MCV_OK;
}

/* HF asks the first image's array [height, width, 3] alone whether its channels come first or last, and finds them
 * first where it is 1 or 3 pixels high. */
static bool channels_seem_first(const mcv_image *first_image) {
    return first_image->height == 1 || first_image->height == 3;
}

static Pixels take_rows_for_channels(Pixels image) {
    return (Pixels){.image = image.image,
                    .offset = image.offset,
                    .channels = image.height,
                    .height = image.width,
                    .width = image.channels,
                    .channel_step = image.row_step,
                    .row_step = image.column_step,
                    .column_step = image.channel_step};
}

typedef struct Preprocessing {
    const MiniCPMVImageProcessor *processor;
    mcv_arena *arena;
    const Levels *levels;
    bool channels_first;
} Preprocessing;

/* `image`: a part of the resized image. */
static mcv_status new_slice(const Preprocessing *run, const mcv_image *resized, Pixels image, ImageSlice *slice) {
    int patch_size = run->processor->patch_size;
    if (run->channels_first)
        image = take_rows_for_channels(image);
    if (image.channels != 3)
        return MCV_FAIL(MCV_BAD_INPUT,
                        "the first image of a conversation is 1 or 3 pixels high: its rows are taken for channels, as "
                        "in HF, and with %d of them no image can be normalized",
                        image.channels);
    *slice = (ImageSlice){.grid_h = image.height / patch_size,
                          .grid_w = image.width / patch_size,
                          .patch_size = patch_size,
                          .pixels = image,
                          .levels = run->levels,
                          .unread = {resized->unread, resized->width, resized->height, run->processor}};
    if (slice->grid_h < 1 || slice->grid_w < 1)
        return MCV_FAIL(MCV_BAD_INPUT, "%d x %d pixels (width, height) are less than one patch of %d x %d", image.width,
                        image.height, patch_size, patch_size);
    return MCV_OK;
}

/* Slice i of the image goes to slices[i * stride]. HF: get_sliced_images and what preprocess does with each of them. */
static mcv_status get_sliced_images(const Preprocessing *run, const mcv_image *image, SliceGrid grid,
                                    ImageSlice *slices, size_t stride) {
    if (!run->processor->slice_mode)
        return new_slice(run, image, whole(image), slices);
    mcv_image source_image, refine_image;
    MCV_TRY(slice_image(run->processor, run->arena, image, grid, &source_image, &refine_image));
    MCV_TRY(new_slice(run, &source_image, whole(&source_image), slices));
    for (int i = 1; i < num_slices(grid); i++)
        MCV_TRY(new_slice(run, &refine_image, split_to_patches(&refine_image, grid, i - 1), &slices[i * stride]));
    return MCV_OK;
}

/* ---- preprocess --------------------------------------------------------------------------------------------- */

static mcv_status check_group(const TemporalGroup *group, int index) {
    if (group->count < 1)
        return MCV_FAIL(MCV_USAGE, "group %d of the temporal ids is empty", index + 1);
    for (int i = 0; i < group->count; i++)
        if (group->temporal_ids[i] < NO_TIME)
            return MCV_FAIL(MCV_USAGE, "group %d of the temporal ids: expected at least %d, found %d", index + 1,
                            (int)NO_TIME, (int)group->temporal_ids[i]);
    return MCV_OK;
}

/* *groups: the caller's, checked, or one an image. */
static mcv_status list_groups(mcv_arena *arena, int num_images, const TemporalIds *temporal_ids, TemporalIds *groups) {
    if (!temporal_ids) {
        TemporalGroup *each;
        MCV_TRY(MCV_ARENA_NEW(arena, &each, num_images));
        for (int i = 0; i < num_images; i++)
            each[i] = (TemporalGroup){1, &NO_TIME};
        *groups = (TemporalIds){num_images, each};
        return MCV_OK;
    }
    if (num_images == 0)
        return MCV_FAIL(MCV_USAGE, "temporal ids for a conversation without images");
    int64_t frames = 0;
    for (int i = 0; i < temporal_ids->num_groups; i++) {
        MCV_TRY(check_group(&temporal_ids->groups[i], i));
        frames += temporal_ids->groups[i].count;
    }
    if (frames != num_images)
        return MCV_FAIL(MCV_USAGE, "temporal ids for %lld images, found %d", (long long)frames, num_images);
    *groups = *temporal_ids;
    return MCV_OK;
}

/* How each frame of a group is to be cut. */
static mcv_status choose_grids(const MiniCPMVImageProcessor *processor, const mcv_image *frames, int count,
                               int max_slice_nums, SliceGrid *grids /* [count] */) {
    for (int i = 0; i < count; i++) {
        grids[i] = (SliceGrid){0, 0};
        if (processor->slice_mode)
            grids[i] = get_sliced_grid(processor, frames[i].width, frames[i].height, max_slice_nums);
        int slices = num_slices(grids[i]), first_slices = num_slices(grids[0]);
        if (slices < first_slices)
            return MCV_FAIL(MCV_BAD_INPUT,
                            "frame %d of a group, %d x %d pixels, has %d slices, the group's first frame, %d x %d "
                            "pixels, has %d: frames of a group must be of one size",
                            i + 1, frames[i].width, frames[i].height, slices, frames[0].width, frames[0].height,
                            first_slices);
        if (slices > first_slices)
            grids[i] = grids[0];
    }
    return MCV_OK;
}

/* The results that do not need pixels, and room for the rest. */
static mcv_status lay_out(mcv_arena *arena, const mcv_image *images, const TemporalIds *groups,
                          ImageFeatures *features) {
    const SliceGrid *grids = features->grids;
    MCV_TRY(MCV_ARENA_NEW(arena, &features->image_sizes, features->num_images));
    MCV_TRY(MCV_ARENA_NEW(arena, &features->skip_image, features->num_images));
    int64_t slices = 0, slice_groups = 0;
    int image = 0;
    for (int i = 0; i < groups->num_groups; i++) {
        slices += (int64_t)groups->groups[i].count * num_slices(grids[image]);
        slice_groups += num_slices(grids[image]);
        for (int frame = 0; frame < groups->groups[i].count; frame++, image++) {
            features->image_sizes[image][0] = images[image].width;
            features->image_sizes[image][1] = images[image].height;
            features->skip_image[image] = frame > 0;
        }
    }
    if (slices > INT_MAX)
        return MCV_FAIL(MCV_BAD_INPUT, "%lld slices in one conversation", (long long)slices);
    features->num_slices = (int)slices;
    features->num_groups = (int)slice_groups;
    MCV_TRY(MCV_ARENA_NEW(arena, &features->slices, slices));
    return MCV_ARENA_NEW(arena, &features->groups, slice_groups);
}

/* One group: slice 0 of all its frames, slice 1 of all its frames, ... `slices` and `slice_groups` are where its share
 * begins. */
static mcv_status preprocess_group(const Preprocessing *run, const mcv_image *frames, const TemporalGroup *group,
                                   const SliceGrid *grids, ImageSlice *slices, TemporalGroup *slice_groups) {
    int32_t *temporal_ids;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &temporal_ids, group->count));
    memcpy(temporal_ids, group->temporal_ids, (size_t)group->count * sizeof *temporal_ids);
    for (int i = 0; i < num_slices(grids[0]); i++)
        slice_groups[i] = (TemporalGroup){group->count, temporal_ids};
    for (int i = 0; i < group->count; i++) {
        mcv_status status = get_sliced_images(run, &frames[i], grids[i], slices + i, (size_t)group->count);
        if (status != MCV_OK)
            return mcv_fail_context(status, "an image of %d x %d pixels", frames[i].width, frames[i].height);
    }
    return MCV_OK;
}

mcv_status MiniCPMVImageProcessor_preprocess(const MiniCPMVImageProcessor *processor, mcv_arena *arena,
                                             const mcv_image *images, int num_images, int max_slice_nums,
                                             const TemporalIds *temporal_ids, ImageFeatures *features) {
    *features = (ImageFeatures){.num_images = num_images};
    TemporalIds groups = {0};
    MCV_TRY(choose_max_slice_nums(processor, &max_slice_nums));
    MCV_TRY(list_groups(arena, num_images, temporal_ids, &groups));
    MCV_TRY(MCV_ARENA_NEW(arena, &features->grids, num_images));
    SliceGrid *grids = features->grids;
    for (int i = 0, image = 0; i < groups.num_groups; image += groups.groups[i++].count)
        MCV_TRY(choose_grids(processor, images + image, groups.groups[i].count, max_slice_nums, grids + image));
    MCV_TRY(lay_out(arena, images, &groups, features));

    Levels *levels;
    MCV_TRY(MCV_ARENA_NEW(arena, &levels, 1));
    normalize_levels(processor, levels);
    Preprocessing run = {processor, arena, levels, num_images > 0 && channels_seem_first(images)};
    ImageSlice *slices = features->slices;
    TemporalGroup *slice_groups = features->groups;
    for (int i = 0, image = 0; i < groups.num_groups; image += groups.groups[i++].count) {
        const TemporalGroup *group = &groups.groups[i];
        MCV_TRY(preprocess_group(&run, images + image, group, grids + image, slices, slice_groups));
        slices += (int64_t)group->count * num_slices(grids[image]);
        slice_groups += num_slices(grids[image]);
    }
    return MCV_OK;
}

/* ---- Not in HF -------------------------------------------------------------------------------------------------- */

static bool is_cut(const MiniCPMVImageProcessor *processor, Size size, int max_slice_nums) {
    return get_sliced_grid(processor, (int)size.width, (int)size.height, max_slice_nums).rows > 0;
}

mcv_status MiniCPMVImageProcessor_resize_ahead(const MiniCPMVImageProcessor *processor, int max_slice_nums,
                                               mcv_image *image, bool *is_small) {
    int scale_resolution = processor->scale_resolution, patch_size = processor->patch_size;
    Size original_size = {image->width, image->height};
    double area = original_size.width * original_size.height;
    *is_small = area <= (double)scale_resolution * scale_resolution;
    MCV_TRY(choose_max_slice_nums(processor, &max_slice_nums));
    if (!processor->slice_mode || channels_seem_first(image) || is_cut(processor, original_size, max_slice_nums))
        return MCV_OK;
    Size size = find_best_resize(original_size, scale_resolution, patch_size, true);
    Size again = find_best_resize(size, scale_resolution, patch_size, true);
    bool stays = size.width == again.width && size.height == again.height && !is_cut(processor, size, max_slice_nums);
    *is_small = *is_small || size.width * size.height >= area;
    if (!stays || *is_small)
        return MCV_OK;
    mcv_image source_image;
    MCV_TRY(check_size(size));
    MCV_TRY(resize(processor, image, (int)size.width, (int)size.height, &source_image));
    mcv_image_free(image);
    *image = source_image;
    *is_small = true;
    return MCV_OK;
}
