/* Frames for a conversation: made smaller ahead without a difference for the model, in groups. */
#include <criterion/criterion.h>

#include "api/video_frames.h"
#include "tests/noise.h"
#include "tests/temporary.h"
#include "video/video.h"

static MiniCPMVImageProcessor load_processor(void) {
    MiniCPMVImageProcessor processor;
    temporary_text("preprocessor_config.json", "{\"max_slice_nums\": 9, \"scale_resolution\": 56, \"patch_size\": 14}");
    cr_assert_eq(MiniCPMVImageProcessor_from_pretrained(&processor, temporary_folder()), MCV_OK, "%s",
                 mcv_error_message());
    return processor;
}

static ImageFeatures preprocess(const MiniCPMVImageProcessor *processor, mcv_arena *arena, const mcv_image *image,
                                int max_slice_nums) {
    ImageFeatures features;
    cr_assert_eq(MiniCPMVImageProcessor_preprocess(processor, arena, image, 1, max_slice_nums, NULL, &features), MCV_OK,
                 "%s", mcv_error_message());
    return features;
}

static void expect_equal_slices(const ImageFeatures *a, const ImageFeatures *b, int width, int height) {
    mcv_arena arena = {0};
    cr_assert_eq(a->num_slices, b->num_slices, "%d x %d", width, height);
    for (int i = 0; i < a->num_slices; i++) {
        const ImageSlice *x = &a->slices[i], *y = &b->slices[i];
        cr_assert(x->grid_h == y->grid_h && x->grid_w == y->grid_w, "%d x %d", width, height);
        mcv_tensor p, q;
        size_t size;
        cr_assert_eq(ImageSlice_pixel_values(x, &arena, &p), MCV_OK);
        cr_assert_eq(ImageSlice_pixel_values(y, &arena, &q), MCV_OK);
        cr_assert(mcv_tensor_bytes(&p, &size));
        cr_expect(memcmp(p.data, q.data, size) == 0, "%d x %d", width, height);
    }
    mcv_arena_free(&arena);
}

/* Returns whether the image became smaller. */
static bool check_size(const MiniCPMVImageProcessor *processor, int width, int height, int max_slice_nums) {
    mcv_arena arena = {0};
    mcv_image image = noise_image(1, width, height);
    bool is_small;
    ImageFeatures whole = preprocess(processor, &arena, &image, max_slice_nums);
    cr_assert_eq(MiniCPMVImageProcessor_resize_ahead(processor, max_slice_nums, &image, &is_small), MCV_OK);
    ImageFeatures ahead = preprocess(processor, &arena, &image, max_slice_nums);
    expect_equal_slices(&whole, &ahead, width, height);
    bool smaller = image.width * image.height < width * height;
    cr_expect(smaller || (image.width == width && image.height == height));
    cr_expect(!smaller || is_small);
    if (ahead.num_slices > 1)
        cr_expect_not(is_small, "%d x %d", width, height);
    if (width * height <= 56 * 56)
        cr_expect(is_small, "%d x %d", width, height);
    mcv_image_free(&image);
    mcv_arena_free(&arena);
    return smaller;
}

Test(video_frames, smaller_ahead_makes_no_difference) {
    MiniCPMVImageProcessor processor = load_processor();
    int smaller = 0, count = 0;
    for (int width = 14; width < 160; width += 11)
        for (int height = 14; height < 160; height += 13)
            for (int max_slice_nums = 1; max_slice_nums <= 9; max_slice_nums += 4, count++)
                smaller += check_size(&processor, width, height, max_slice_nums);
    cr_expect(smaller > count / 10, "%d of %d sizes", smaller, count);
    cr_expect(check_size(&processor, 192, 108, 1));
    cr_expect_not(check_size(&processor, 192, 108, 9)); /* it is cut */
    MiniCPMVImageProcessor_free(&processor);
}

static void count_frames(void *context, int frames, int num_frames) {
    int *calls = context;
    cr_expect_eq(frames, ++*calls);
    cr_expect_eq(num_frames, 5);
}

Test(video_frames, frames_come_in_groups) {
    char data[20000] = "YUV4MPEG2 W64 H36 F2:1 Cmono\n";
    size_t size = strlen(data);
    for (int i = 0; i < 5; i++, size += 6 + 64 * 36) {
        memcpy(data + size, "FRAME\n", 6);
        memset(data + size + 6, 20 * (i + 1), 64 * 36);
    }
    MiniCPMVImageProcessor processor = load_processor();
    mcv_clip_options options = mcv_clip_options_default();
    int calls = 0;
    options.fps = 2;
    options.force_packing = 3;
    options.progress = count_frames;
    options.progress_context = &calls;
    mcv_video_frames frames;
    mcv_status status = mcv_video_frames_load(&processor, temporary_file("a.y4m", data, size), &options, 1, &frames);
    cr_assert_eq(status, MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(frames.num_frames, 5);
    cr_assert_eq(frames.num_groups, 2);
    cr_expect_eq(frames.groups[0].count, 3);
    cr_expect_eq(frames.groups[1].count, 2);
    cr_expect_eq(frames.groups[1].temporal_ids[0], 15);
    cr_expect_eq(frames.timestamps[4], 2);
    cr_expect_eq(frames.frame_indices[4], 4);
    cr_expect_lt(frames.frames[0].rgb[0], frames.frames[4].rgb[0]);
    cr_expect_eq(calls, 5);
    cr_expect_null(frames.remark);
    mcv_video_frames_free(&frames);

    cr_expect_eq(mcv_video_frames_load(&processor, temporary_path("none.y4m"), &options, 1, &frames), MCV_BAD_INPUT);
    cr_expect_null(frames.frames);
    MiniCPMVImageProcessor_free(&processor);
}

/* ---- Frames that are cut ----------------------------------------------------------------------------------------- */

/* Noise of 192 x 108 pixels, 7 pictures of it at 2 a second. */
static const char *noisy_video(void) {
    enum { SIZE = 192 * 108 };
    static const char HEADER[] = "YUV4MPEG2 W192 H108 F2:1 Cmono\n";
    size_t size = sizeof HEADER - 1;
    uint8_t *data = malloc(size + 7 * (6 + SIZE));
    memcpy(data, HEADER, size);
    for (uint32_t i = 0; i < 7; i++, size += 6 + SIZE) {
        memcpy(data + size, "FRAME\n", 6);
        fill_noise(i, data + size + 6, SIZE);
    }
    const char *path = temporary_file("noise.y4m", data, size);
    free(data);
    return path;
}

/* The same frames, each with its pixels. */
static void read_whole_frames(const char *path, const mcv_video_frames *frames, mcv_image *whole) {
    mcv_video *video;
    cr_assert_eq(mcv_video_open(path, NULL, &video), MCV_OK);
    for (int i = 0; i < frames->num_frames; i++)
        cr_assert_eq(mcv_video_read(video, frames->frame_indices[i], &whole[i]), MCV_OK);
    mcv_video_close(video);
}

/* They are not kept, and give the same slices as if they were: once, and once more. */
Test(video_frames, cut_frames_are_read_again) {
    enum { FRAMES = 7 };
    MiniCPMVImageProcessor processor = load_processor();
    mcv_clip_options options = mcv_clip_options_default();
    mcv_arena arena = {0};
    mcv_video_frames frames;
    mcv_image whole[FRAMES];
    ImageFeatures expected, found;
    const char *path = noisy_video();
    options.fps = 2;
    options.force_packing = 3;
    cr_assert_eq(mcv_video_frames_load(&processor, path, &options, 9, &frames), MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(frames.num_frames, FRAMES);
    read_whole_frames(path, &frames, whole);
    mcv_temporal_ids ids = {frames.num_groups, frames.groups};
    for (int i = 0; i < FRAMES; i++)
        cr_expect(!frames.frames[i].rgb && frames.frames[i].unread && frames.frames[i].width == 192);
    cr_assert_eq(MiniCPMVImageProcessor_preprocess(&processor, &arena, whole, FRAMES, 9, &ids, &expected), MCV_OK);
    cr_assert_eq(MiniCPMVImageProcessor_preprocess(&processor, &arena, frames.frames, FRAMES, 9, &ids, &found), MCV_OK);
    cr_expect_gt(expected.num_groups, 3 * frames.num_groups);
    for (int round = 0; round < 2; round++)
        expect_equal_slices(&expected, &found, 192, 108);

    temporary_text("noise.y4m", "YUV4MPEG2 W192 H108 F2:1 Cmono\n");
    mcv_tensor values; /* of a picture that is not among the newest */
    cr_expect_eq(ImageSlice_pixel_values(&found.slices[0], &arena, &values), MCV_BAD_INPUT);
    for (int i = 0; i < FRAMES; i++)
        mcv_image_free(&whole[i]);
    mcv_video_frames_free(&frames);
    mcv_arena_free(&arena);
    MiniCPMVImageProcessor_free(&processor);
}
