#include <criterion/criterion.h>
#include <jansson.h>

#include "formats/hash.h"
#include "simd/engine/fast_image.h"
#include "simd/kernels/kernel_table.h"
#include "tests/noise.h"

static int int_at(const json_t *list, size_t index) {
    return (int)json_integer_value(json_array_get(list, index));
}

/* Against Pillow's results, by `what`. */
static void check_orders(const json_t *item, const PillowPasses *passes, const char *what) {
    const json_t *size = json_object_get(item, "size"), *new_size = json_object_get(item, "new_size");
    mcv_image in =
        noise_image((uint32_t)json_integer_value(json_object_get(item, "seed")), int_at(size, 0), int_at(size, 1));
    const char *name;
    json_t *expected;
    json_object_foreach(json_object_get(item, "xxh3"), name, expected) {
        PillowVersion version;
        mcv_image out;
        cr_assert_eq(PillowVersion_from_string(name, &version), MCV_OK);
        cr_assert_eq(pillow_resize_bicubic(&in, int_at(new_size, 0), int_at(new_size, 1), version, passes, &out),
                     MCV_OK);
        cr_assert(out.width == int_at(new_size, 0) && out.height == int_at(new_size, 1));
        mcv_hash hash = mcv_hash_bytes(out.rgb, (size_t)out.width * (size_t)out.height * 3);
        cr_expect_str_eq(hash.xxh3_64, json_string_value(expected), "%d x %d to %d x %d, Pillow %s, %s", in.width,
                         in.height, out.width, out.height, name, what);
        mcv_image_free(&out);
    }
    mcv_image_free(&in);
}

Test(pillow_resize, equals_pillow_in_each_order_of_passes) {
    json_t *cases = json_load_file("tests/fixtures/pillow_resize.json", 0, NULL), *item;
    size_t index;
    cr_assert_gt(json_array_size(cases), 10);
    json_array_foreach(cases, index, item) check_orders(item, &PILLOW_PASSES, "plain C");
    for (int target = 0; target < MCV_TARGETS; target++) {
        const char *name = mcv_target_name((mcv_target)target);
        mcv_kernels kernels;
        if (!mcv_target_available((mcv_target)target))
            continue;
        cr_assert_eq(mcv_kernels_select(name, &kernels), MCV_OK);
        PillowPasses passes = mcv_resize_passes(&kernels);
        json_array_foreach(cases, index, item) check_orders(item, &passes, name);
    }
    json_decref(cases);
}

static PillowVersion version_of(const char *text) {
    PillowVersion version;
    cr_assert_eq(PillowVersion_from_string(text, &version), MCV_OK, "%s", text);
    return version;
}

Test(pillow_resize, versions_have_their_order) {
    cr_expect_eq(version_of("13.0.0"), PILLOW_13);
    cr_expect_eq(version_of("14"), PILLOW_13);
    cr_expect_eq(version_of("12.3.0"), PILLOW_12_2);
    cr_expect_eq(version_of("12.2"), PILLOW_12_2);
    cr_expect_eq(version_of("12.2.0.dev0"), PILLOW_12_2);
    cr_expect_eq(version_of("12.1.1"), PILLOW_BEFORE_12_2);
    cr_expect_eq(version_of("12"), PILLOW_BEFORE_12_2);
    cr_expect_eq(version_of("9.5.0"), PILLOW_BEFORE_12_2);
}

Test(pillow_resize, words_that_are_no_version_are_refused) {
    const char *const wrong[] = {"", "x", "0", "-13", "13x", "13.", "13.x", "13.-1", ".5"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        PillowVersion version;
        cr_expect_eq(PillowVersion_from_string(wrong[i], &version), MCV_USAGE, "'%s'", wrong[i]);
    }
}

Test(pillow_resize, impossible_sizes_are_refused) {
    mcv_image in = noise_image(1, 4, 4), out;
    int sizes[][2] = {{0, 1}, {1, 0}, {-1, 1}, {1, -5}, {1, INT32_MAX}, {INT32_MAX, 1}, {INT32_MAX, INT32_MAX}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        cr_expect_eq(pillow_resize_bicubic(&in, sizes[i][0], sizes[i][1], PILLOW_13, &PILLOW_PASSES, &out),
                     MCV_BAD_INPUT, "%d x %d", sizes[i][0], sizes[i][1]);
        cr_expect_null(out.rgb);
    }
    mcv_image_free(&in);
    mcv_image empty = {.width = 0, .height = 4};
    cr_expect_eq(pillow_resize_bicubic(&empty, 3, 3, PILLOW_13, &PILLOW_PASSES, &out), MCV_BAD_INPUT);
}
