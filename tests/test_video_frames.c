/* Frames for a conversation: made smaller ahead without a difference for the model, in groups. */
#include <criterion/criterion.h>

#include "api/video_frames.h"
#include "tests/noise.h"
#include "tests/temporary.h"

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
    ImageFeatures whole = preprocess(processor, &arena, &image, max_slice_nums);
    cr_assert_eq(MiniCPMVImageProcessor_resize_ahead(processor, max_slice_nums, &image), MCV_OK);
    ImageFeatures ahead = preprocess(processor, &arena, &image, max_slice_nums);
    expect_equal_slices(&whole, &ahead, width, height);
    bool smaller = image.width * image.height < width * height;
    cr_expect(smaller || (image.width == width && image.height == height));
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
