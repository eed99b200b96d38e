#include <criterion/criterion.h>
#include <dirent.h>

#include "core/file.h"
#include "formats/hash.h"
#include "formats/image.h"
#include "formats/json.h"
#include "tests/temporary.h"

/* Made by tests/fixtures/make_image_fixtures.py, which notes there what Pillow reads. */
static const char FOLDER[] = "tests/fixtures/images";

typedef struct image_fixture {
    char name[64];
    mcv_buffer bytes;
} image_fixture;

/* All image files of the folder, [*count]. */
static image_fixture *load_fixtures(size_t *count) {
    image_fixture *fixtures = calloc(1000, sizeof *fixtures);
    DIR *folder = opendir(FOLDER);
    cr_assert(folder && fixtures, "%s", FOLDER);
    *count = 0;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.' || strstr(entry->d_name, ".json"))
            continue;
        image_fixture *fixture = &fixtures[(*count)++];
        char *path;
        snprintf(fixture->name, sizeof fixture->name, "%s", entry->d_name);
        cr_assert_eq(mcv_path_join(&path, FOLDER, entry->d_name), MCV_OK);
        cr_assert_eq(mcv_file_read(path, 1 << 20, &fixture->bytes), MCV_OK, "%s", mcv_error_message());
        free(path);
    }
    closedir(folder);
    return fixtures;
}

static void free_fixtures(image_fixture *fixtures, size_t count) {
    for (size_t i = 0; i < count; i++)
        mcv_buffer_free(&fixtures[i].bytes);
    free(fixtures);
}

static mcv_json load_expected(void) {
    mcv_json expected;
    char *path;
    cr_assert_eq(mcv_path_join(&path, FOLDER, "expected.json"), MCV_OK);
    cr_assert_eq(mcv_json_load(path, &expected), MCV_OK, "%s", mcv_error_message());
    free(path);
    return expected;
}

Test(image, every_fixture_has_the_pixels_that_pillow_reads) {
    mcv_json expected = load_expected(), images = mcv_json_member(&expected, "images");
    size_t count;
    image_fixture *fixtures = load_fixtures(&count);
    cr_expect_eq(count, json_object_size(images.value));
    cr_expect(count > 100);
    for (size_t i = 0; i < count; i++) {
        const image_fixture *fixture = &fixtures[i];
        mcv_json image_json = mcv_json_member(&images, fixture->name);
        int width = 0, height = 0;
        const char *xxh3 = "";
        cr_assert_eq(mcv_json_get_int(&image_json, "width", 1, 1000, &width), MCV_OK);
        cr_assert_eq(mcv_json_get_int(&image_json, "height", 1, 1000, &height), MCV_OK);
        cr_assert_eq(mcv_json_get_string(&image_json, "xxh3_128", &xxh3), MCV_OK);
        mcv_image image;
        mcv_status status = mcv_image_decode(fixture->bytes.data, fixture->bytes.size, fixture->name, &image);
        cr_expect_eq(status, MCV_OK, "%s", mcv_error_message());
        cr_expect(image.width == width && image.height == height, "%s: %d x %d", fixture->name, image.width,
                  image.height);
        mcv_hash hash = mcv_hash_bytes(image.rgb, (size_t)image.width * (size_t)image.height * 3);
        cr_expect_str_eq(hash.xxh3_128, xxh3, "%s", fixture->name);
        mcv_image_free(&image);
    }
    free_fixtures(fixtures, count);
    mcv_json_free(&expected);
}

/* Decodes a copy of exactly this size, so that a sanitizer sees a read beyond its end: an image or an error. */
static bool decode_copy(const char *name, const char *bytes, size_t size) {
    char *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    mcv_image image;
    mcv_status status = mcv_image_decode(copy, size, name, &image);
    free(copy);
    cr_expect(status == MCV_OK || status == MCV_BAD_INPUT || status == MCV_UNSUPPORTED || status == MCV_NO_MEMORY,
              "%s: status %d", name, status);
    cr_expect((status == MCV_OK) == (image.rgb != NULL), "%s", name);
    cr_expect(status == MCV_OK || strstr(mcv_error_message(), name), "the name in: %s", mcv_error_message());
    mcv_image_free(&image);
    return status == MCV_OK;
}

/* Each fixture cut at every byte, large ones at 1000 places. At the end a few bytes may be missing that nothing needs
 * (end marks, padding, later frames). */
Test(image, files_cut_short_are_refused) {
    size_t count;
    image_fixture *fixtures = load_fixtures(&count);
    for (size_t i = 0; i < count; i++) {
        const image_fixture *fixture = &fixtures[i];
        size_t size = fixture->bytes.size, step = size / 1000 + 1, read = 0;
        for (size_t cut = 0; cut < size; cut += step)
            read += decode_copy(fixture->name, fixture->bytes.data, cut);
        bool later_frames = strncmp(fixture->name, "animated.gif", 12) == 0;
        cr_expect(later_frames || read * step < 30 + size / 20, "%s: read at %zu of %zu places", fixture->name, read,
                  size / step);
    }
    free_fixtures(fixtures, count);
}

Test(image, flipped_bits_never_crash) {
    size_t count, read = 0, tried = 0;
    image_fixture *fixtures = load_fixtures(&count);
    for (size_t i = 0; i < count; i++) {
        char *bytes = fixtures[i].bytes.data;
        size_t bits = 8 * fixtures[i].bytes.size, step = bits / 1500 + 1;
        for (size_t bit = i % step; bit < bits; bit += step) {
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
            read += decode_copy(fixtures[i].name, bytes, fixtures[i].bytes.size);
            tried++;
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        }
    }
    cr_expect(read > 0 && read < tried, "%zu of %zu read", read, tried);
    free_fixtures(fixtures, count);
}

static void expect_failure(const char *bytes, size_t size, mcv_status status, const char *words) {
    mcv_image image;
    cr_expect_eq(mcv_image_decode(bytes, size, "file", &image), status, "expected: %s", words);
    cr_expect_null(image.rgb);
    cr_expect(strstr(mcv_error_message(), words), "expected \"%s\", found: %s", words, mcv_error_message());
}

Test(image, other_data_is_refused) {
    expect_failure("", 0, MCV_BAD_INPUT, "file: byte 0: expected a JPEG, PNG, WebP, GIF, BMP or PNM image (0 bytes");
    expect_failure("\xff\xd8", 2, MCV_BAD_INPUT, "byte 0: expected a JPEG");
    expect_failure("RIFF\4\0\0\0WAVE", 12, MCV_BAD_INPUT, "byte 0: expected a JPEG");
    expect_failure("P7 1 1 255 x", 12, MCV_BAD_INPUT, "byte 0: expected a JPEG");
    mcv_image image;
    cr_expect_eq(mcv_image_load(temporary_path("none.png"), &image), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "none.png: cannot be opened"), "%s", mcv_error_message());
    cr_expect_eq(mcv_image_load(temporary_folder(), &image), MCV_BAD_INPUT);
    cr_expect_null(image.rgb);
}

/* Pillow's limit: 178956970 pixels. */
Test(image, too_many_pixels_are_refused_before_they_are_allocated) {
    expect_failure("P5 178956971 1 255\n", 19, MCV_BAD_INPUT, "178956971 x 1 pixels, at most 178956970 pixels");
    expect_failure("P5 178956970 1 255\n", 19, MCV_BAD_INPUT, "cut short");
    expect_failure("P6 4294967295 4294967295 255\n", 29, MCV_BAD_INPUT, "4294967295 x 4294967295 pixels");
    expect_failure("P4 0 5\n", 7, MCV_BAD_INPUT, "0 x 5 pixels");
    expect_failure("GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\1\0\1\0\0\2", 24, MCV_BAD_INPUT, "65535 x 65535 pixels");
    expect_failure("BM\0\0\0\0\0\0\0\0\0\0\0\0\x28\0\0\0\0\0\1\0\0\0\1\0\1\0\x18\0\0\0\0\0\0\0\0\0"
                   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                   54, MCV_BAD_INPUT, "65536 x 65536 pixels");
    expect_failure("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\2\0\0\0\x9b\xab\x9c\x31"
                   "\0\0\0\0IDAT\x35\xaf\x06\x1e",
                   45, MCV_BAD_INPUT, "2147483647 x 2147483647 pixels");
}

Test(image, variants_that_are_not_read) {
    expect_failure("BM\0\0\0\0\0\0\0\0\0\0\0\0\x28\0\0\0\1\0\0\0\1\0\0\0\1\0\x18\0\4\0\0\0\0\0"
                   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                   54, MCV_UNSUPPORTED, "a BMP of 24 bits a pixel with compression 4");
    expect_failure("BM\0\0\0\0\0\0\0\0\0\0\0\0\x28\0\0\0\1\0\0\0\1\0\0\0\1\0\x10\0\3\0\0\0\0\0"
                   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\2\0\0\0\4\0\0\0xx",
                   68, MCV_UNSUPPORTED, "a BMP of 16 bits a pixel with masks 1, 2, 4");
    expect_failure("BM\0\0\0\0\0\0\0\0\0\0\0\0\x29\0\0\0", 18, MCV_BAD_INPUT, "a BMP header of 41 bytes");
}

static void expect_pnm(const char *text, const char *rgb) {
    mcv_image image;
    cr_assert_eq(mcv_image_decode(text, strlen(text), "pnm", &image), MCV_OK, "%s: %s", text, mcv_error_message());
    cr_expect_arr_eq(image.rgb, rgb, (size_t)image.width * (size_t)image.height * 3, "%s", text);
    mcv_image_free(&image);
}

Test(image, pnm_corners) {
    expect_pnm("P1 2 1 10", "\0\0\0\xff\xff\xff");
    expect_pnm("P2 1 1 2 1", "\x80\x80\x80");    /* 127.5, rounded to even */
    expect_pnm("P2 1 1 1000 3", "\xc5\xc5\xc5"); /* 16 bits: 196.6 of 65535 */
    expect_pnm("P2 1 1 1000 4", "\xff\xff\xff"); /* 262, cut off */
    expect_pnm("P3 1 1 1 1 0#...\n 1", "\xff\0\xff");
    expect_pnm("P2 1 1 255 1#...\n2", "\x0c\x0c\x0c"); /* a comment separates nothing */
    expect_pnm("P5\t1\v1\f255\r\n", "\n\n\n");         /* one blank ends the header */
    expect_failure("P5#\n1 1 255\nx", 13, MCV_BAD_INPUT, "byte 2: expected a blank behind P5");
    expect_failure("P2 1 1 7 8", 10, MCV_BAD_INPUT, "a sample of 8, expected at most 7");
    expect_failure("P2 1 1 7 -1", 11, MCV_BAD_INPUT, "byte 9: expected a number of at most 10 digits");
    expect_failure("P2 00000000001 1 7 1", 20, MCV_BAD_INPUT, "byte 13: expected a number of at most 10 digits");
    expect_failure("P2 1 1 0 0", 10, MCV_BAD_INPUT, "a largest value of 0, expected 1 to 65535");
    expect_failure("P2 1 1 65536 0", 14, MCV_BAD_INPUT, "a largest value of 65536, expected 1 to 65535");
    expect_failure("P1 1 1 2", 8, MCV_BAD_INPUT, "byte 7: expected 0 or 1");
    expect_failure("P2 1 1", 6, MCV_BAD_INPUT, "cut short: PNM number");
}
