#include <criterion/criterion.h>
#include <glob.h>
#include <jansson.h>

#include "formats/golden_case.h"
#include "formats/safetensors.h"
#include "formats/temporal_ids.h"
#include "ref/processing_minicpmv.h"
#include "ref/python_text.h"
#include "tests/noise.h"

static const char FOLDER[] = "tests/fixtures/tiny_processor";

static void load(MiniCPMVProcessor *processor, const char *folder) {
    cr_assert_eq(MiniCPMVProcessor_from_pretrained(processor, folder), MCV_OK, "%s", mcv_error_message());
}

/* ---- What the original computes ------------------------------------------------------------------------------ */

enum { MOST_CONVERSATIONS = 8, MOST_IMAGES = 1024 };

static void read_input(const json_t *json, mcv_arena *arena, mcv_image images[MOST_IMAGES], ProcessorInput *input) {
    const json_t *prompt = json_object_get(json, "prompt"), *sizes = json_object_get(json, "images");
    *input = (ProcessorInput){.prompt = json_string_value(prompt),
                              .prompt_size = json_string_length(prompt),
                              .images = images,
                              .num_images = (int)json_array_size(sizes)};
    for (int i = 0; i < input->num_images; i++) {
        const json_t *size = json_array_get(sizes, (size_t)i);
        images[i] = noise_image((uint32_t)i, (int)json_integer_value(json_array_get(size, 0)),
                                (int)json_integer_value(json_array_get(size, 1)));
    }
    mcv_json root = {.value = (json_t *)(uintptr_t)json}, groups = mcv_json_member(&root, "temporal_ids");
    if (groups.value)
        cr_assert_eq(mcv_temporal_ids_read(&groups, arena, &input->temporal_ids), MCV_OK);
}

static json_t *list_bounds(const MiniCPMVBatchFeature *features) {
    json_t *list = json_array();
    for (int i = 0; i < features->batch_size; i++) {
        json_t *bounds = json_array();
        for (int j = 0; j < features->num_bounds[i]; j++)
            json_array_append_new(bounds,
                                  json_pack("[ii]", features->image_bound[i][j][0], features->image_bound[i][j][1]));
        json_array_append_new(list, bounds);
    }
    return list;
}

/* Ids, or the mask where `ids` is NULL, as a list of rows. */
static json_t *list_rows(const MiniCPMVBatchFeature *features, const int32_t *ids) {
    json_t *list = json_array();
    for (int i = 0; i < features->batch_size; i++) {
        json_t *row = json_array();
        for (int j = 0; j < features->length; j++) {
            int at = i * features->length + j;
            json_array_append_new(row, json_integer(ids ? ids[at] : features->attention_mask[at]));
        }
        json_array_append_new(list, row);
    }
    return list;
}

static void expect_json(const json_t *item, const char *key, json_t *found) {
    char *text = json_dumps(item, 0), *ours = json_dumps(found, 0);
    cr_expect(json_equal(json_object_get(item, key), found), "%s: found %s in %s", key, ours, text);
    free(text);
    free(ours);
    json_decref(found);
}

static void check_case(const MiniCPMVProcessor *processor, const json_t *item) {
    ProcessorInput inputs[MOST_CONVERSATIONS];
    mcv_image images[MOST_CONVERSATIONS][MOST_IMAGES];
    mcv_arena arena = {0};
    const json_t *conversations = json_object_get(item, "conversations");
    int batch_size = (int)json_array_size(conversations);
    for (int i = 0; i < batch_size; i++)
        read_input(json_array_get(conversations, (size_t)i), &arena, images[i], &inputs[i]);
    ProcessorOptions options = {
        .max_length = (int)json_integer_value(json_object_get(item, "max_length")),
        .max_slice_nums = (int)json_integer_value(json_object_get(item, "max_slice_nums")),
        .use_image_id = (int)json_integer_value(json_object_get(item, "use_image_id")),
    };
    MiniCPMVBatchFeature features;
    mcv_status status = MiniCPMVProcessor_call(processor, &arena, inputs, batch_size, &options, &features);
    char *text = json_dumps(item, 0);
    if (json_object_get(item, "raises")) {
        cr_expect_eq(status, MCV_USAGE, "HF raises in %s", text);
    } else {
        cr_assert_eq(status, MCV_OK, "%s in %s", mcv_error_message(), text);
        expect_json(item, "input_ids", list_rows(&features, features.input_ids));
        expect_json(item, "attention_mask", list_rows(&features, NULL));
        expect_json(item, "image_bound", list_bounds(&features));
    }
    free(text);
    for (int i = 0; i < batch_size; i++)
        for (int j = 0; j < inputs[i].num_images; j++)
            mcv_image_free(&images[i][j]);
    mcv_arena_free(&arena);
}

Test(processing, equals_the_original) {
    MiniCPMVProcessor processor;
    load(&processor, FOLDER);
    json_t *cases = json_load_file("tests/fixtures/processing.json", 0, NULL), *item;
    size_t index;
    cr_assert_gt(json_array_size(cases), 25);
    json_array_foreach(cases, index, item) check_case(&processor, item);
    json_decref(cases);
    MiniCPMVProcessor_free(&processor);
}

/* ---- Golden samples ------------------------------------------------------------------------------------------- */

static void expect_tensor(const mcv_safetensors *golden, const char *name, mcv_tensor found) {
    mcv_tensor expected;
    size_t bytes;
    cr_assert(mcv_safetensors_find(golden, name, &expected), "%s is missing", name);
    cr_assert(mcv_tensor_same_shape(&expected, &found) && expected.dtype == found.dtype, "%s has another shape", name);
    cr_assert(mcv_tensor_bytes(&found, &bytes));
    cr_expect(memcmp(expected.data, found.data, bytes) == 0, "%s differs", name);
}

static void check_images(const mcv_safetensors *golden, const ImageFeatures *images, int conversation) {
    char name[64];
    mcv_arena arena = {0};
    mcv_tensor first;
    int32_t(*tgt_sizes)[2];
    snprintf(name, sizeof name, "pixel_values.%d.0", conversation);
    bool has_pixels = mcv_safetensors_find(golden, name, &first); /* a case of many frames keeps none */
    cr_assert_eq(MCV_NEW(&tgt_sizes, (size_t)images->num_slices), MCV_OK);
    for (int i = 0; i < images->num_slices; i++) {
        const ImageSlice *slice = &images->slices[i];
        tgt_sizes[i][0] = slice->grid_h;
        tgt_sizes[i][1] = slice->grid_w;
        snprintf(name, sizeof name, "pixel_values.%d.%d", conversation, i);
        if (has_pixels) {
            mcv_tensor values;
            cr_assert_eq(ImageSlice_pixel_values(slice, &arena, &values), MCV_OK);
            expect_tensor(golden, name, values);
        }
    }
    mcv_arena_free(&arena);
    snprintf(name, sizeof name, "tgt_sizes.%d", conversation);
    expect_tensor(golden, name, MCV_TENSOR(MCV_I32, tgt_sizes, images->num_slices, 2));
    free(tgt_sizes);
}

static void check_features(const mcv_safetensors *golden, const MiniCPMVBatchFeature *features) {
    int batch_size = features->batch_size, length = features->length;
    expect_tensor(golden, "input_ids", MCV_TENSOR(MCV_I32, features->input_ids, batch_size, length));
    expect_tensor(golden, "attention_mask", MCV_TENSOR(MCV_U8, features->attention_mask, batch_size, length));
    for (int i = 0; i < batch_size; i++) {
        char name[64];
        snprintf(name, sizeof name, "image_bound.%d", i);
        expect_tensor(golden, name, MCV_TENSOR(MCV_I32, features->image_bound[i], features->num_bounds[i], 2));
        check_images(golden, &features->images[i], i);
    }
}

/* The images of a conversation in the order of its messages. */
static int collect_images(const mcv_conversation *conversation, mcv_image images[MOST_IMAGES]) {
    int count = 0;
    for (int i = 0; i < conversation->num_messages; i++)
        for (int j = 0; j < conversation->messages[i].num_parts; j++)
            if (conversation->messages[i].parts[j].image)
                images[count++] = *conversation->messages[i].parts[j].image;
    return count;
}

/* The prompts come from the golden file, which keeps what the chat template made. */
static void check_golden_case(const char *path) {
    mcv_golden_case c;
    mcv_safetensors *golden;
    MiniCPMVProcessor processor;
    MiniCPMVBatchFeature features;
    mcv_arena arena = {0};
    cr_assert_eq(mcv_golden_case_load(path, &c), MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(mcv_safetensors_open(c.golden_path, &golden), MCV_OK, "%s", mcv_error_message());
    load(&processor, c.model);
    json_t *prompts = json_loads(mcv_safetensors_metadata(golden, "prompts"), 0, NULL);
    ProcessorInput inputs[MOST_CONVERSATIONS];
    mcv_image images[MOST_CONVERSATIONS][MOST_IMAGES];
    cr_assert(c.num_conversations <= MOST_CONVERSATIONS);
    for (int i = 0; i < c.num_conversations; i++) {
        const json_t *prompt = json_array_get(prompts, (size_t)i);
        inputs[i] = (ProcessorInput){.prompt = json_string_value(prompt),
                                     .prompt_size = json_string_length(prompt),
                                     .images = images[i],
                                     .num_images = collect_images(&c.conversations[i], images[i]),
                                     .temporal_ids = c.conversations[i].temporal_ids};
    }
    ProcessorOptions options = {c.prompt_options.max_inp_length, c.prompt_options.max_slice_nums,
                                c.prompt_options.use_image_id};
    cr_assert_eq(MiniCPMVProcessor_call(&processor, &arena, inputs, c.num_conversations, &options, &features), MCV_OK,
                 "%s", mcv_error_message());
    check_features(golden, &features);
    json_decref(prompts);
    mcv_arena_free(&arena);
    MiniCPMVProcessor_free(&processor);
    mcv_safetensors_close(golden);
    mcv_golden_case_free(&c);
}

static size_t check_golden_cases(const char *pattern) {
    glob_t found;
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            check_golden_case(found.gl_pathv[i]);
    size_t count = found.gl_pathc;
    globfree(&found);
    return count;
}

Test(processing, equals_the_golden_cases) {
    cr_expect_gt(check_golden_cases("golden/cases/*/case.json"), 20);
}

Test(processing, equals_the_golden_samples) {
    if (check_golden_cases("../shared/golden-sample/cases/*/case.json") == 0)
        cr_skip_test("../shared/golden-sample is not here");
}

/* ---- Wrong use ------------------------------------------------------------------------------------------------ */

static void expect_usage(const char *prompt, int num_images, ProcessorOptions options, const char *message) {
    MiniCPMVProcessor processor;
    load(&processor, FOLDER);
    mcv_image images[] = {noise_image(0, 20, 20), noise_image(1, 20, 20)};
    ProcessorInput input = {
        .prompt = prompt, .prompt_size = strlen(prompt), .images = images, .num_images = num_images};
    MiniCPMVBatchFeature features;
    mcv_arena arena = {0};
    cr_expect_eq(MiniCPMVProcessor_call(&processor, &arena, &input, 1, &options, &features), MCV_USAGE);
    cr_expect_str_eq(mcv_error_message(), message);
    mcv_arena_free(&arena);
    mcv_image_free(&images[0]);
    mcv_image_free(&images[1]);
    MiniCPMVProcessor_free(&processor);
}

Test(processing, errors_say_why) {
    ProcessorOptions all = {.use_image_id = -1}, short_ = {.use_image_id = -1, .max_length = 6};
    expect_usage("(<image>./</image>)", 2, all, "the prompt has places for 1 images, found 2 images");
    expect_usage("<image>./</image><image>./</image>", 2, all,
                 "the prompt has 2 image tags, but only 0 of them written \"(<image>./</image>)\"");
    expect_usage(
        "(<image>./</image>)", 1, short_,
        "the 6 ids of the prompt open 1 image blocks and close 0: a limit on the prompt's length may cut one in "
        "two");
    expect_usage("", 0, (ProcessorOptions){.use_image_id = -1, .max_length = -1}, "max_length -1: expected 0 or more");
}

Test(processing, an_empty_batch_is_refused) {
    MiniCPMVProcessor processor;
    load(&processor, FOLDER);
    MiniCPMVBatchFeature features;
    mcv_arena arena = {0};
    ProcessorOptions options = {.use_image_id = -1};
    cr_expect_eq(MiniCPMVProcessor_call(&processor, &arena, NULL, 0, &options, &features), MCV_USAGE);
    MiniCPMVProcessor_free(&processor);
}

Test(processing, errors_name_the_conversation) {
    MiniCPMVProcessor processor;
    load(&processor, FOLDER);
    ProcessorInput inputs[] = {{.prompt = "a", .prompt_size = 1}, {.prompt = "\xff", .prompt_size = 1}};
    MiniCPMVBatchFeature features;
    mcv_arena arena = {0};
    ProcessorOptions options = {.use_image_id = -1};
    cr_expect_eq(MiniCPMVProcessor_call(&processor, &arena, inputs, 2, &options, &features), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "conversation 2: "), "%s", mcv_error_message());
    mcv_arena_free(&arena);
    MiniCPMVProcessor_free(&processor);
}

Test(processing, a_folder_without_files_is_refused) {
    MiniCPMVProcessor processor;
    cr_expect_eq(MiniCPMVProcessor_from_pretrained(&processor, "/nonexistent"), MCV_BAD_INPUT);
}

/* ---- Python's text -------------------------------------------------------------------------------------------- */

/* Every character that str.isspace is true for in Python 3.11, and some that look like it. */
Test(python_text, white_space_is_that_of_python) {
    static const char *const SPACES[] = {
        "\t",           "\n",           "\v",           "\f",           "\r",
        "\x1c",         "\x1d",         "\x1e",         "\x1f",         " ",
        "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x8a",
        "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};
    static const char *const OTHERS[] = {"a",        "\x08",         "\x0e",         "\x1b",         "\x7f",
                                         "\xc2\x84", "\xe2\x80\x8b", "\xe1\xa0\x8e", "\xef\xbb\xbf", "\xe3\x80\x81"};
    for (size_t i = 0; i < sizeof SPACES / sizeof SPACES[0]; i++)
        cr_expect_eq(python_space_size((PythonText){SPACES[i], strlen(SPACES[i])}), strlen(SPACES[i]), "number %zu", i);
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        cr_expect_eq(python_space_size((PythonText){OTHERS[i], strlen(OTHERS[i])}), 0, "number %zu", i);
}

static void expect_stripped(const char *text, const char *expected) {
    PythonText stripped = python_strip((PythonText){text, strlen(text)});
    cr_expect(stripped.size == strlen(expected) && memcmp(stripped.data, expected, stripped.size) == 0, "'%s'", text);
}

Test(python_text, strip_takes_both_ends) {
    expect_stripped("", "");
    expect_stripped(" \n\t ", "");
    expect_stripped("a", "a");
    expect_stripped(" a b\n", "a b");
    expect_stripped("\xe3\x80\x80\xe4\xb8\xad \xc2\xa0", "\xe4\xb8\xad");
    expect_stripped("\xe2\x80", "\xe2\x80");
}
