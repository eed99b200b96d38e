#include "cli/vision_record.h"

#include <criterion/criterion.h>

enum { PATCH = 2, MOST = 4 * 12 };

static const MiniCPMVImageProcessor PROCESSOR = {.mean = {0.5, 0.25, 0}, .std = {0.5, 1, 2}};

static void take_text(mcv_vision_record *record, const char *text) {
    json_t *value = json_loads(text, 0, NULL);
    cr_assert_not_null(value);
    cr_assert_eq(mcv_vision_record_text(record, "temporal_ids", value), MCV_OK);
    json_decref(value);
}

/* Two slices of 1 x 2 and 2 x 1 patches, in one conversation. */
static void take_sizes(mcv_vision_record *record) {
    static const int32_t SIZES[] = {1, 2, 2, 1};
    cr_assert_eq(mcv_vision_record_tensor(record, "tgt_sizes.0", &MCV_TENSOR(MCV_I32, SIZES, 2, 2)), MCV_OK);
}

/* The level of a pixel, different for each. */
static int level_of(int channel, int y, int x) {
    return channel * 80 + y * 10 + x;
}

/* Pixels [3, PATCH, patches * PATCH] of a slice, patches beside each other. */
static void take_pixels(mcv_vision_record *record, const char *name, int grid_h, int grid_w) {
    float pixels[3 * PATCH * MOST];
    int line = grid_h * grid_w * PATCH;
    for (int i = 0; i < 3 * PATCH * line; i++) {
        int channel = i / line / PATCH, y = i / line % PATCH, patch = i % line / PATCH;
        int level = level_of(channel, patch / grid_w * PATCH + y, patch % grid_w * PATCH + i % line % PATCH);
        pixels[i] = ((float)level / 255 - (float)PROCESSOR.mean[channel]) / (float)PROCESSOR.std[channel];
    }
    cr_assert_eq(mcv_vision_record_tensor(record, name, &MCV_TENSOR(MCV_F32, pixels, 3, PATCH, line)), MCV_OK);
}

Test(vision_record, pixel_values_become_the_pixels_again) {
    mcv_vision_record record;
    mcv_vision_record_start(&record, &PROCESSOR);
    take_text(&record, "[[[-1], [-1]]]");
    take_sizes(&record);
    take_pixels(&record, "pixel_values.0.0", 1, 2);
    take_pixels(&record, "pixel_values.0.1", 2, 1);
    cr_assert_eq(record.num_slices, 2);
    for (int i = 0; i < 2; i++) {
        const mcv_image *image = &record.slices[i].image;
        cr_assert_eq(image->width, i == 0 ? 2 * PATCH : PATCH);
        cr_assert_eq(image->height, i == 0 ? PATCH : 2 * PATCH);
        for (int y = 0; y < image->height; y++)
            for (int x = 0; x < image->width; x++)
                for (int channel = 0; channel < 3; channel++)
                    cr_assert_eq(image->rgb[(y * image->width + x) * 3 + channel], level_of(channel, y, x));
    }
    mcv_vision_record_free(&record);
}

Test(vision_record, each_slice_has_its_own_part_of_the_weights) {
    /* A group of two frames with room for three patches each, two queries. */
    static const float WEIGHTS[] = {1, 2, 0, 3, 4, 0, 5, 6, 0, 7, 8, 0};
    mcv_vision_record record;
    mcv_vision_record_start(&record, &PROCESSOR);
    take_text(&record, "[[[5, 9]]]");
    take_sizes(&record);
    cr_assert_eq(mcv_vision_record_tensor(&record, "resampler.attn.weights", &MCV_TENSOR(MCV_F32, WEIGHTS, 1, 2, 6)),
                 MCV_OK);
    cr_assert_eq(record.num_queries, 2);
    cr_assert_eq(record.num_groups, 1);
    cr_expect_eq(record.groups[0].temporal_ids[1], 9);
    cr_expect_arr_eq(record.slices[0].weights, ((const float[]){1, 2, 5, 6}), 4 * sizeof(float));
    cr_expect_arr_eq(record.slices[1].weights, ((const float[]){3, 4, 7, 8}), 4 * sizeof(float));
    mcv_vision_record_free(&record);
}

Test(vision_record, what_does_not_fit_is_passed_over) {
    static const float VALUES[2 * 6];
    mcv_vision_record record;
    mcv_vision_record_start(&record, &PROCESSOR);
    take_text(&record, "[[[-1], [-1]]]");
    take_sizes(&record);
    cr_expect_eq(mcv_vision_record_tensor(&record, "pixel_values.0.0", &MCV_TENSOR(MCV_F32, VALUES, 3, 2, 2)), MCV_OK);
    cr_expect_eq(mcv_vision_record_tensor(&record, "pixel_values.7.0", &MCV_TENSOR(MCV_F32, VALUES, 3, 1, 2)), MCV_OK);
    cr_expect_eq(mcv_vision_record_tensor(&record, "resampler.attn.weights", &MCV_TENSOR(MCV_F32, VALUES, 2, 2, 1)),
                 MCV_OK, "fewer keys than patches");
    cr_expect_eq(mcv_vision_record_tensor(&record, "vpm", &MCV_TENSOR(MCV_F32, VALUES, 1, 2, 6)), MCV_OK);
    cr_expect_null(record.slices[0].image.rgb);
    cr_expect_null(record.slices[0].weights);
    mcv_vision_record_free(&record);
}

Test(vision_record, only_the_first_slices_are_kept) {
    enum { SLICES = MCV_MOST_SEEN_SLICES + 3 };
    int32_t sizes[SLICES][2];
    mcv_vision_record record;
    for (int i = 0; i < SLICES; i++)
        sizes[i][0] = sizes[i][1] = 1;
    mcv_vision_record_start(&record, &PROCESSOR);
    cr_assert_eq(mcv_vision_record_tensor(&record, "tgt_sizes.0", &MCV_TENSOR(MCV_I32, sizes, SLICES, 2)), MCV_OK);
    cr_expect_eq(record.num_slices, MCV_MOST_SEEN_SLICES);
    mcv_vision_record_free(&record);
}
