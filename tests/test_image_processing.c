#include <criterion/criterion.h>
#include <jansson.h>

#include "formats/hash.h"
#include "formats/json.h"
#include "formats/temporal_ids.h"
#include "ref/image_processing_minicpmv.h"
#include "tests/noise.h"
#include "tests/temporary.h"

/* ---- What the original computes ------------------------------------------------------------------------------ */

/* A case of tests/fixtures/image_processing.json and what we make of it. */
typedef struct Case {
    const json_t *json;
    mcv_arena arena;
    MiniCPMVImageProcessor processor;
    mcv_image images[8];
    int num_images, max_slice_nums;
    const TemporalIds *temporal_ids;
    ImageFeatures features;
    mcv_status status;
} Case;

static void load_processor(const char *config, MiniCPMVImageProcessor *processor) {
    temporary_text("preprocessor_config.json", config);
    cr_assert_eq(MiniCPMVImageProcessor_from_pretrained(processor, temporary_folder()), MCV_OK, "%s",
                 mcv_error_message());
}

static Case run_case(const json_t *json) {
    Case c = {.json = json, .max_slice_nums = (int)json_integer_value(json_object_get(json, "max_slice_nums"))};
    char *config = json_dumps(json_object_get(json, "config"), 0);
    load_processor(config, &c.processor);
    free(config);
    json_t *size;
    size_t index;
    json_array_foreach(json_object_get(json, "images"), index, size) c.images[c.num_images++] =
        noise_image((uint32_t)index, (int)json_integer_value(json_array_get(size, 0)),
                    (int)json_integer_value(json_array_get(size, 1)));
    mcv_json root = {.value = (json_t *)(uintptr_t)json}, groups = mcv_json_member(&root, "temporal_ids");
    c.status = groups.value ? mcv_temporal_ids_read(&groups, &c.arena, &c.temporal_ids) : MCV_OK;
    if (c.status == MCV_OK)
        c.status = MiniCPMVImageProcessor_preprocess(&c.processor, &c.arena, c.images, c.num_images, c.max_slice_nums,
                                                     c.temporal_ids, &c.features);
    return c;
}

static void release_case(Case *c) {
    for (int i = 0; i < c->num_images; i++)
        mcv_image_free(&c->images[i]);
    MiniCPMVImageProcessor_free(&c->processor);
    mcv_arena_free(&c->arena);
}

static void expect_json(const Case *c, const char *key, json_t *found) {
    char *text = json_dumps(c->json, 0);
    cr_expect(json_equal(json_object_get(c->json, key), found), "%s differs in %s", key, text);
    free(text);
    json_decref(found);
}

static json_t *list_tgt_sizes(const ImageFeatures *features) {
    json_t *list = json_array();
    for (int i = 0; i < features->num_slices; i++)
        json_array_append_new(list, json_pack("[ii]", features->slices[i].grid_h, features->slices[i].grid_w));
    return list;
}

static json_t *list_groups(const ImageFeatures *features) {
    json_t *list = json_array();
    for (int i = 0; i < features->num_groups; i++) {
        json_t *ids = json_array();
        for (int j = 0; j < features->groups[i].count; j++)
            json_array_append_new(ids, json_integer(features->groups[i].temporal_ids[j]));
        json_array_append_new(list, ids);
    }
    return list;
}

static json_t *list_skipped(const ImageFeatures *features) {
    json_t *list = json_array();
    for (int i = 0; i < features->num_images; i++)
        if (features->skip_image[i])
            json_array_append_new(list, json_integer(i));
    return list;
}

static json_t *list_placeholders(const Case *c) {
    json_t *list = json_array();
    for (int i = 0; i < c->num_images; i++) {
        mcv_buffer text = {0};
        cr_assert_eq(MiniCPMVImageProcessor_get_slice_image_placeholder(
                         &c->processor, c->images[i].width, c->images[i].height, i, c->max_slice_nums, -1, &text),
                     MCV_OK);
        json_array_append_new(list, json_string(mcv_buffer_text(&text)));
        mcv_buffer_free(&text);
    }
    return list;
}

static json_t *hash_pixels(const Case *c) {
    mcv_buffer bytes = {0};
    mcv_arena arena = {0};
    for (int i = 0; i < c->features.num_slices; i++) {
        mcv_tensor values;
        size_t size;
        cr_assert_eq(ImageSlice_pixel_values(&c->features.slices[i], &arena, &values), MCV_OK);
        cr_assert(mcv_tensor_bytes(&values, &size));
        cr_assert_eq(mcv_buffer_append(&bytes, values.data, size), MCV_OK);
    }
    mcv_hash hash = mcv_hash_bytes(bytes.data, bytes.size);
    mcv_buffer_free(&bytes);
    mcv_arena_free(&arena);
    return json_string(hash.xxh3_64);
}

static void check_case(const json_t *json) {
    Case c = run_case(json);
    char *text = json_dumps(json, 0);
    if (json_object_get(json, "raises")) {
        cr_expect_neq(c.status, MCV_OK, "HF raises in %s", text);
        cr_expect_gt(strlen(mcv_error_message()), 20);
    } else {
        cr_assert_eq(c.status, MCV_OK, "%s in %s", mcv_error_message(), text);
        expect_json(&c, "tgt_sizes", list_tgt_sizes(&c.features));
        expect_json(&c, "groups", list_groups(&c.features));
        expect_json(&c, "skip_image_idx", list_skipped(&c.features));
        expect_json(&c, "placeholders", list_placeholders(&c));
        expect_json(&c, "pixel_values", hash_pixels(&c));
    }
    free(text);
    release_case(&c);
}

Test(image_processing, equals_the_original) {
    json_t *cases = json_load_file("tests/fixtures/image_processing.json", 0, NULL), *item;
    size_t index;
    cr_assert_gt(json_array_size(cases), 30);
    json_array_foreach(cases, index, item) check_case(item);
    json_decref(cases);
}

/* ---- Where it differs on purpose ------------------------------------------------------------------------------ */

static const char SMALL[] = "{\"scale_resolution\": 56, \"image_feature_size\": 2}";

/* Runs two frames of one group. */
static mcv_status run_frames(const mcv_image frames[2], mcv_arena *arena, ImageFeatures *features) {
    MiniCPMVImageProcessor processor;
    load_processor(SMALL, &processor);
    const int32_t ids[] = {0, 1};
    const TemporalGroup group = {2, ids};
    const TemporalIds temporal_ids = {1, &group};
    mcv_status status = MiniCPMVImageProcessor_preprocess(&processor, arena, frames, 2, 0, &temporal_ids, features);
    MiniCPMVImageProcessor_free(&processor);
    return status;
}

Test(image_processing, a_later_frame_with_more_slices_is_cut_as_the_first) {
    mcv_image frames[] = {noise_image(1, 112, 56), noise_image(2, 168, 112)};
    mcv_arena arena = {0};
    ImageFeatures features;
    cr_assert_eq(run_frames(frames, &arena, &features), MCV_OK, "%s", mcv_error_message());
    cr_expect(features.num_groups == 3 && features.num_slices == 6);
    for (int i = 0; i < 2; i++)
        cr_expect(features.grids[i].columns == 2 && features.grids[i].rows == 1);
    /* The right halves: a cell of 84 x 112 keeps its shape, at 56 x 56 pixels' area. */
    cr_expect(features.slices[5].grid_w == 3 && features.slices[5].grid_h == 5);
    mcv_arena_free(&arena);
    mcv_image_free(&frames[0]);
    mcv_image_free(&frames[1]);
}

Test(image_processing, a_later_frame_with_fewer_slices_is_refused) {
    mcv_image frames[] = {noise_image(1, 112, 56), noise_image(2, 40, 40)};
    mcv_arena arena = {0};
    ImageFeatures features;
    cr_expect_eq(run_frames(frames, &arena, &features), MCV_BAD_INPUT);
    cr_expect_str_eq(mcv_error_message(), "frame 2 of a group, 40 x 40 pixels, has 1 slices, the group's first frame, "
                                          "112 x 56 pixels, has 3: frames of a group must be of one size");
    mcv_arena_free(&arena);
    mcv_image_free(&frames[0]);
    mcv_image_free(&frames[1]);
}

/* HF writes [2, 5] into this text, as float32 makes the ratio; it cuts [3, 3], as float64 does. */
Test(image_processing, placeholders_follow_the_slices) {
    MiniCPMVImageProcessor processor;
    mcv_buffer text = {0};
    load_processor("{\"image_feature_size\": 1, \"slice_start\": \"[\", \"slice_end\": \"]\", \"unk\": \"\"}",
                   &processor);
    cr_assert_eq(MiniCPMVImageProcessor_get_slice_image_placeholder(&processor, 2810, 4443, 0, 10, 0, &text), MCV_OK);
    cr_expect_str_eq(mcv_buffer_text(&text), "<image></image>[][][]\n[][][]\n[][][]");
    mcv_buffer_free(&text);
    MiniCPMVImageProcessor_free(&processor);
}

/* ---- Wrong use and damaged input ------------------------------------------------------------------------------ */

Test(image_processing, temporal_ids_need_images) {
    MiniCPMVImageProcessor processor;
    load_processor(SMALL, &processor);
    mcv_arena arena = {0};
    ImageFeatures features;
    TemporalIds none = {0};
    cr_expect_eq(MiniCPMVImageProcessor_preprocess(&processor, &arena, NULL, 0, 0, &none, &features), MCV_USAGE);
    cr_expect_eq(MiniCPMVImageProcessor_preprocess(&processor, &arena, NULL, 0, 0, NULL, &features), MCV_OK);
    cr_expect(features.num_images == 0 && features.num_slices == 0 && features.num_groups == 0);
    mcv_arena_free(&arena);
    MiniCPMVImageProcessor_free(&processor);
}

Test(image_processing, numbers_of_slices_are_checked) {
    MiniCPMVImageProcessor processor;
    load_processor(SMALL, &processor);
    mcv_image image = noise_image(1, 20, 20);
    mcv_arena arena = {0};
    ImageFeatures features;
    mcv_buffer text = {0};
    cr_expect_eq(MiniCPMVImageProcessor_preprocess(&processor, &arena, &image, 1, -1, NULL, &features), MCV_USAGE);
    cr_expect_eq(MiniCPMVImageProcessor_get_slice_image_placeholder(&processor, 20, 20, 0, INT32_MAX, -1, &text),
                 MCV_USAGE);
    mcv_arena_free(&arena);
    mcv_image_free(&image);
    MiniCPMVImageProcessor_free(&processor);
}

Test(image_processing, sizes_that_nothing_can_hold_are_refused) {
    MiniCPMVImageProcessor processor;
    load_processor("{\"scale_resolution\": 32768, \"slice_mode\": true}", &processor);
    mcv_image image = {.width = 1 << 28, .height = 1, .rgb = calloc(1, 1)}; /* never read */
    mcv_arena arena = {0};
    ImageFeatures features;
    cr_expect_eq(MiniCPMVImageProcessor_preprocess(&processor, &arena, &image, 1, 0, NULL, &features), MCV_BAD_INPUT);
    mcv_arena_free(&arena);
    mcv_image_free(&image);
    MiniCPMVImageProcessor_free(&processor);
}

Test(image_processing, an_image_of_1_pixel_height_is_refused_in_words) {
    MiniCPMVImageProcessor processor;
    load_processor(SMALL, &processor);
    mcv_image image = noise_image(1, 30, 1);
    mcv_arena arena = {0};
    ImageFeatures features;
    cr_expect_eq(MiniCPMVImageProcessor_preprocess(&processor, &arena, &image, 1, 0, NULL, &features), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "an image of 30 x 1 pixels: the first image of a conversation is 1 or 3"),
              "%s", mcv_error_message());
    mcv_arena_free(&arena);
    mcv_image_free(&image);
    MiniCPMVImageProcessor_free(&processor);
}

Test(image_processing, missing_keys_have_the_defaults_of_the_original) {
    MiniCPMVImageProcessor processor;
    load_processor("{}", &processor);
    cr_expect(processor.max_slice_nums == 9 && processor.scale_resolution == 448 && processor.patch_size == 14);
    cr_expect(!processor.use_image_id && processor.slice_mode && processor.image_feature_size == 64);
    cr_expect_str_eq(processor.im_start_token, "<image>");
    cr_expect_str_eq(processor.im_end_token, "</image>");
    cr_expect_str_eq(processor.slice_start_token, "<slice>");
    cr_expect_str_eq(processor.slice_end_token, "</slice>");
    cr_expect_str_eq(processor.unk_token, "<unk>");
    cr_expect_str_eq(processor.im_id_start, "<image_id>");
    cr_expect_str_eq(processor.im_id_end, "</image_id>");
    for (int i = 0; i < 3; i++)
        cr_expect(processor.mean[i] == 0.5 && processor.std[i] == 0.5);
    MiniCPMVImageProcessor_free(&processor);
}

Test(image_processing, damaged_configurations_are_refused_by_key) {
    static const struct {
        const char *config, *key;
    } WRONG[] = {
        {"{\"max_slice_nums\": 0}", "max_slice_nums"},
        {"{\"max_slice_nums\": 9.5}", "max_slice_nums"},
        {"{\"scale_resolution\": -1}", "scale_resolution"},
        {"{\"scale_resolution\": 99999999999}", "scale_resolution"},
        {"{\"patch_size\": \"14\"}", "patch_size"},
        {"{\"patch_size\": 0}", "patch_size"},
        {"{\"use_image_id\": 1}", "use_image_id"},
        {"{\"slice_mode\": \"yes\"}", "slice_mode"},
        {"{\"image_feature_size\": 0}", "image_feature_size"},
        {"{\"unk\": 5}", "unk"},
        {"{\"im_id_end\": [\"x\"]}", "im_id_end"},
        {"{\"norm_mean\": 0.5}", "norm_mean"},
        {"{\"norm_mean\": [0.5, 0.5]}", "norm_mean"},
        {"{\"norm_mean\": [0.5, \"a\", 0.5]}", "norm_mean[1]"},
        {"{\"norm_std\": [0.5, 0.5, 0]}", "norm_std[2]"},
        {"[]", "preprocessor_config.json"},
        {"{\"patch_size\": 14", "preprocessor_config.json"},
        {"", "preprocessor_config.json"},
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        MiniCPMVImageProcessor processor;
        temporary_text("preprocessor_config.json", WRONG[i].config);
        cr_expect_eq(MiniCPMVImageProcessor_from_pretrained(&processor, temporary_folder()), MCV_BAD_INPUT, "%s",
                     WRONG[i].config);
        cr_expect(strstr(mcv_error_message(), WRONG[i].key), "%s: %s", WRONG[i].config, mcv_error_message());
        MiniCPMVImageProcessor_free(&processor);
    }
}

Test(image_processing, a_missing_configuration_is_named) {
    MiniCPMVImageProcessor processor;
    cr_expect_eq(MiniCPMVImageProcessor_from_pretrained(&processor, "/nonexistent"), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "/nonexistent/preprocessor_config.json"), "%s", mcv_error_message());
    MiniCPMVImageProcessor_free(&processor);
}
