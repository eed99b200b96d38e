#include <criterion/criterion.h>
#include <dirent.h>
#include <sys/stat.h>

#include "core/file.h"
#include "formats/safetensors.h"
#include "tests/temporary.h"

/* ---- Files made by hand --------------------------------------------------------------------------------------- */

/* Writes a file of a header and `data_size` bytes 0, 1, 2, ... of data. */
static const char *make_file(const char *name, const char *header, size_t data_size) {
    size_t length = strlen(header), size = 8 + length + data_size;
    unsigned char *bytes = calloc(size, 1);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data_size; i++)
        bytes[8 + length + i] = (unsigned char)i;
    const char *path = temporary_file(name, bytes, size);
    free(bytes);
    return path;
}

static mcv_safetensors *open_good(const char *path) {
    mcv_safetensors *file;
    cr_assert_eq(mcv_safetensors_open(path, &file), MCV_OK, "%s", mcv_error_message());
    return file;
}

static void expect_failure(const char *path, mcv_status status, const char *words) {
    mcv_safetensors *file;
    cr_expect_eq(mcv_safetensors_open(path, &file), status, "expected: %s", words);
    cr_expect_null(file);
    cr_expect(strstr(mcv_error_message(), words), "expected \"%s\", found: %s", words, mcv_error_message());
    mcv_safetensors_close(file);
}

static const char TWO[] = "{\"__metadata__\":{\"k\":\"v\"},"
                          "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]},"
                          "\"a\":{\"dtype\":\"I16\",\"shape\":[2,2],\"data_offsets\":[0,8]}}  ";

Test(safetensors, a_small_file) {
    mcv_safetensors *file = open_good(make_file("x.safetensors", TWO, 11));
    cr_assert_eq(mcv_safetensors_count(file), 2);
    cr_expect_str_eq(mcv_safetensors_name(file, 0), "a");
    cr_expect_str_eq(mcv_safetensors_name(file, 1), "b");
    mcv_tensor a, b = mcv_safetensors_at(file, 1);
    cr_assert(mcv_safetensors_find(file, "a", &a));
    cr_expect(a.dtype == MCV_I16 && a.rank == 2 && a.shape[0] == 2 && a.shape[1] == 2);
    cr_expect_eq(mcv_tensor_get(&a, 3), 0x0706);
    cr_expect(b.dtype == MCV_U8 && b.rank == 1 && b.shape[0] == 3 && mcv_tensor_get(&b, 2) == 10);
    cr_expect(!mcv_safetensors_find(file, "c", &a) && !mcv_safetensors_find(file, "__metadata__", &a));
    cr_expect_str_eq(mcv_safetensors_metadata(file, "k"), "v");
    cr_expect_null(mcv_safetensors_metadata(file, "b"));
    mcv_safetensors_close(file);
    mcv_safetensors_close(NULL);
}

Test(safetensors, corners_that_are_valid) {
    mcv_safetensors *file = open_good(make_file("empty", "{}", 0));
    cr_expect_eq(mcv_safetensors_count(file), 0);
    mcv_tensor tensor;
    cr_expect(!mcv_safetensors_find(file, "a", &tensor));
    cr_expect_null(mcv_safetensors_metadata(file, "k"));
    mcv_safetensors_close(file);

    file = open_good(make_file("zero",
                               "{\"z\":{\"dtype\":\"F32\",\"shape\":[0,9],\"data_offsets\":[4,4]},"
                               "\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
                               "\"y\":{\"dtype\":\"F4\",\"shape\":[0],\"data_offsets\":[0,0]}}",
                               4));
    cr_assert(mcv_safetensors_find(file, "s", &tensor));
    cr_expect(tensor.rank == 0 && mcv_tensor_get(&tensor, 0) == (double)mcv_f32_from_bits(0x03020100));
    cr_expect_str_eq(mcv_safetensors_name(file, 0), "y");
    cr_expect_str_eq(mcv_safetensors_name(file, 2), "z");
    mcv_safetensors_close(file);
}

/* ---- Damage ---------------------------------------------------------------------------------------------------- */

#define ONE(fields) "{\"t\":{" fields "}}"

Test(safetensors, damaged_headers_are_refused) {
    static const struct {
        const char *header;
        size_t data_size;
        const char *words;
    } CASES[] = {
        {"", 0, "not valid JSON"},
        {"{", 0, "not valid JSON"},
        {" {}", 0, "expected a header that begins with {"},
        {"[]", 0, "expected a header that begins with {"},
        {"{}", 1, "1 bytes of data, the tensors take 0"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "__metadata__.k: expected a string, found 1"},
        {"{\"__metadata__\":[]}", 0, "__metadata__: expected an object"},
        {"{\"t\":[]}", 0, "t: expected an object with dtype, shape and data_offsets"},
        {"{\"t\":null}", 0, "t: expected an object with dtype, shape and data_offsets"},
        {"{\"t\\u0000\":{}}", 0, "not valid JSON"},
        {ONE("\"shape\":[],\"data_offsets\":[0,1]"), 1, "t.dtype: expected a value"},
        {ONE("\"dtype\":\"U8\",\"data_offsets\":[0,1]"), 1, "t.shape: expected a value"},
        {ONE("\"dtype\":\"U8\",\"shape\":[]"), 1, "t.data_offsets: expected a value"},
        {ONE("\"dtype\":\"U9\",\"shape\":[],\"data_offsets\":[0,1]"), 1, "t.dtype: expected a safetensors type"},
        {ONE("\"dtype\":8,\"shape\":[],\"data_offsets\":[0,1]"), 1, "t.dtype: expected a string"},
        {ONE("\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1],\"strides\":[1]"), 1, "unknown key \"strides\""},
        {ONE("\"dtype\":\"U8\",\"shape\":[],\"shape\":[],\"data_offsets\":[0,1]"), 1, "duplicate object key"},
        {ONE("\"dtype\":\"U8\",\"shape\":1,\"data_offsets\":[0,1]"), 1, "t.shape: expected an array"},
        {ONE("\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]"), 1, "t.shape[0]: expected an integer"},
        {ONE("\"dtype\":\"U8\",\"shape\":[1.0],\"data_offsets\":[0,1]"), 1, "t.shape[0]: expected an integer"},
        {ONE("\"dtype\":\"U8\",\"shape\":[null],\"data_offsets\":[0,1]"), 1, "t.shape[0]: expected an integer"},
        {ONE("\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,1]"), 1,
         "t.shape[0]: expected an integer"},
        {ONE("\"dtype\":\"U8\",\"shape\":[9223372036854775807,2,2],\"data_offsets\":[0,1]"), 1, "does not take"},
        {ONE("\"dtype\":\"U64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]"), 0, "does not take"},
        {ONE("\"dtype\":\"F4\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]"), 0, "does not take"},
        {ONE("\"dtype\":\"U16\",\"shape\":[1],\"data_offsets\":[0,1]"), 1, "does not take the 1 bytes"},
        {ONE("\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]"), 1, "does not take the 1 bytes"},
        {ONE("\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]"), 2, "does not take the 2 bytes"},
        {ONE("\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]"), 1, "data_offsets [0, 2], the file has 1 bytes"},
        {ONE("\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]"), 1, "data_offsets [1, 0]"},
        {ONE("\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[-1,0]"), 1, "t.data_offsets[0]: expected an integer"},
        {ONE("\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]"), 1, "t.data_offsets: expected two offsets"},
        {ONE("\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,1]"), 1, "t.data_offsets: expected two offsets"},
        {ONE("\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]"), 2,
         "begins at offset 1, the tensor before it ends"},
        {ONE("\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]"), 2, "2 bytes of data, the tensors take 1"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
         3, "b: data begins at offset 1, the tensor before it ends at 2"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}",
         3, "b: data begins at offset 2, the tensor before it ends at 1"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
         2, "duplicate object key"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        expect_failure(make_file("bad", CASES[i].header, CASES[i].data_size), MCV_BAD_INPUT, CASES[i].words);
    expect_failure(make_file("bad", ONE("\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]"), 1),
                   MCV_UNSUPPORTED, "t: 9 dimensions, at most 8");
}

Test(safetensors, header_lengths_are_checked) {
    static const unsigned char HUGE_LENGTH[10] = {0, 0, 0, 0, 0, 0, 0, 0x80, '{', '}'};
    static const unsigned char ALL_ONES[10] = {255, 255, 255, 255, 255, 255, 255, 255, '{', '}'};
    static const unsigned char ONE_TOO_LONG[10] = {3, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    expect_failure(temporary_file("h", HUGE_LENGTH, 10), MCV_BAD_INPUT, "header length 9223372036854775808");
    expect_failure(temporary_file("h", ALL_ONES, 10), MCV_BAD_INPUT, "the format's limit is 100000000");
    expect_failure(temporary_file("h", ONE_TOO_LONG, 10), MCV_BAD_INPUT, "header length 3 in a file of 10 bytes");
    const uint64_t over = 100000001;
    const char *path = temporary_file("h", &over, 8);
    cr_assert_eq(truncate(path, 8 + 100000001), 0);
    expect_failure(path, MCV_BAD_INPUT, "header length 100000001, the format's limit is 100000000");
}

Test(safetensors, every_truncation_and_extension_is_refused) {
    const char *path = make_file("t", TWO, 11);
    size_t size = 8 + strlen(TWO) + 11;
    mcv_safetensors *file;
    for (size_t cut = size; cut-- > 0;) {
        cr_assert_eq(truncate(path, (off_t)cut), 0);
        cr_expect_eq(mcv_safetensors_open(path, &file), MCV_BAD_INPUT, "%zu bytes", cut);
    }
    path = make_file("t", TWO, 12);
    cr_expect_eq(mcv_safetensors_open(path, &file), MCV_BAD_INPUT);
}

/* Any one flipped bit gives an error or a file whose every tensor can be read. */
Test(safetensors, bit_flips_never_lead_out_of_the_file) {
    size_t length = strlen(TWO), size = 8 + length + 11, opened = 0;
    char *good = malloc(size);
    FILE *stream = fopen(make_file("t", TWO, 11), "rb");
    cr_assert(stream && fread(good, 1, size, stream) == size);
    fclose(stream);
    for (size_t bit = 0; bit < 8 * (8 + length); bit++) {
        good[bit / 8] = (char)(good[bit / 8] ^ 1 << bit % 8);
        mcv_safetensors *file;
        mcv_status status = mcv_safetensors_open(temporary_file("flipped", good, size), &file);
        good[bit / 8] = (char)(good[bit / 8] ^ 1 << bit % 8);
        cr_expect(status == MCV_OK || status == MCV_BAD_INPUT, "bit %zu: status %d", bit, status);
        if (status != MCV_OK)
            continue;
        opened++;
        for (size_t i = 0; i < mcv_safetensors_count(file); i++) {
            mcv_tensor tensor = mcv_safetensors_at(file, i), same;
            size_t count = 0;
            cr_expect(mcv_tensor_count(&tensor, &count));
            for (size_t j = 0; j < count; j++)
                cr_expect(mcv_tensor_get(&tensor, j) >= 0);
            cr_expect(mcv_safetensors_find(file, mcv_safetensors_name(file, i), &same) && same.data == tensor.data);
        }
        mcv_safetensors_close(file);
    }
    cr_expect(opened > 0 && opened < 8 * length, "%zu of the flips left a valid header (names, a type, blanks)",
              opened);
    free(good);
}

Test(safetensors, files_that_are_something_else) {
    expect_failure(temporary_path("none.safetensors"), MCV_BAD_INPUT, "none.safetensors: cannot be opened");
    expect_failure(temporary_text("e", ""), MCV_BAD_INPUT, "not a safetensors file: 0 bytes");
    expect_failure(temporary_text("lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
                   MCV_BAD_INPUT, "a Git LFS pointer");
    expect_failure(temporary_text("html", "<!DOCTYPE html><html></html>"), MCV_BAD_INPUT, "not safetensors?");
    mkdir(temporary_path("empty-folder"), 0700);
    expect_failure(temporary_path("empty-folder"), MCV_BAD_INPUT,
                   "neither model.safetensors nor model.safetensors.index");
}

/* ---- Shards ---------------------------------------------------------------------------------------------------- */

#define BYTE(name) "{\"" name "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}"
static const char INDEX[] = "model.safetensors.index.json";

Test(safetensors, shards_are_one_file) {
    make_file("1.safetensors", BYTE("z"), 1);
    make_file("2.safetensors", TWO, 11);
    temporary_text(INDEX, "{\"metadata\":{\"total_size\":12},\"weight_map\":{\"a\":\"2.safetensors\","
                          "\"z\":\"1.safetensors\",\"b\":\"2.safetensors\"}}");
    const char *paths[] = {temporary_folder(), temporary_path(INDEX)};
    for (int i = 0; i < 2; i++) {
        mcv_safetensors *file = open_good(paths[i]);
        cr_assert_eq(mcv_safetensors_count(file), 3);
        cr_expect_str_eq(mcv_safetensors_name(file, 0), "z");
        cr_expect_str_eq(mcv_safetensors_name(file, 1), "a");
        cr_expect_str_eq(mcv_safetensors_metadata(file, "k"), "v");
        mcv_tensor tensor;
        cr_expect(mcv_safetensors_find(file, "b", &tensor) && mcv_tensor_get(&tensor, 1) == 9);
        mcv_safetensors_close(file);
    }
    make_file("model.safetensors", BYTE("whole"), 1);
    mcv_safetensors *file = open_good(temporary_folder());
    cr_expect_eq(mcv_safetensors_count(file), 1, "a single file wins over an index");
    mcv_safetensors_close(file);
}

Test(safetensors, shards_and_index_agree) {
    make_file("1.safetensors", BYTE("x"), 1);
    make_file("2.safetensors", BYTE("y"), 1);
    make_file("3.safetensors", BYTE("x"), 1);
    make_file("cut.safetensors", BYTE("w"), 0);
    static const struct {
        const char *text, *words;
    } CASES[] = {
        {"{}", "weight_map: expected a value"},
        {"{\"weight_map\":{\"x\":\"1.safetensors\"}", "not valid JSON"},
        {"{\"weight_map\":{\"x\":\"1.safetensors\",\"x\":\"1.safetensors\"}}", "duplicate object key"},
        {"{\"weight_map\":{\"x\":1}}", "weight_map.x: expected the name of a file beside the index, found 1"},
        {"{\"weight_map\":{\"x\":\"../1.safetensors\"}}", "weight_map.x: expected the name of a file beside the index"},
        {"{\"weight_map\":{\"x\":\"/etc/passwd\"}}", "weight_map.x: expected the name of a file beside the index"},
        {"{\"weight_map\":{\"x\":\"9.safetensors\"}}", "/9.safetensors: cannot be opened: No such file"},
        {"{\"weight_map\":{\"w\":\"cut.safetensors\"}}", "/cut.safetensors: w: data_offsets [0, 1]"},
        {"{\"weight_map\":{\"x\":\"1.safetensors\",\"v\":\"1.safetensors\"}}",
         "v: expected in 1.safetensors, found in no shard"},
        {"{\"weight_map\":{\"x\":\"1.safetensors\",\"y\":\"1.safetensors\",\"q\":\"2.safetensors\"}}",
         "y: expected in 1.safetensors, found in "},
        {"{\"weight_map\":{\"x\":\"1.safetensors\",\"q\":\"3.safetensors\"}}", "x: this tensor is in "},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        expect_failure(temporary_text(INDEX, CASES[i].text), MCV_BAD_INPUT, CASES[i].words);
    make_file("both.safetensors", TWO, 11);
    expect_failure(temporary_text(INDEX, "{\"weight_map\":{\"a\":\"both.safetensors\"}}"), MCV_BAD_INPUT, "b is in ");
}

/* ---- Writing --------------------------------------------------------------------------------------------------- */

static mcv_safetensors_writer *create(const char *path) {
    mcv_safetensors_writer *writer;
    cr_assert_eq(mcv_safetensors_create(path, &writer), MCV_OK, "%s", mcv_error_message());
    return writer;
}

Test(safetensors, what_is_written_is_read) {
    unsigned char data[8 * 8];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(200 - i);
    const char *path = temporary_path("all.safetensors");
    mcv_safetensors_writer *writer = create(path);
    for (int t = 0; t < MCV_DTYPE_COUNT; t++) {
        mcv_tensor tensor = MCV_TENSOR((mcv_dtype)t, data, 2, 4);
        cr_assert_eq(mcv_safetensors_add(writer, mcv_dtype_name((mcv_dtype)t), &tensor), MCV_OK);
        cr_assert_eq(mcv_safetensors_add_metadata(writer, mcv_dtype_name((mcv_dtype)t), "t\xc3\xa4glich \"x\"\n"),
                     MCV_OK);
    }
    mcv_tensor scalar = {.dtype = MCV_F32, .data = data}, empty = MCV_TENSOR(MCV_F32, NULL, 3, 0);
    cr_assert_eq(mcv_safetensors_add(writer, "scalar \xe2\x82\xac", &scalar), MCV_OK);
    cr_assert_eq(mcv_safetensors_add(writer, "empty", &empty), MCV_OK);
    cr_expect(!mcv_file_exists(path), "nothing under the name before the commit");
    cr_assert_eq(mcv_safetensors_commit(writer), MCV_OK, "%s", mcv_error_message());

    mcv_safetensors *file = open_good(path);
    cr_expect_eq(mcv_safetensors_count(file), MCV_DTYPE_COUNT + 2);
    for (int t = 0; t < MCV_DTYPE_COUNT; t++) {
        mcv_tensor tensor;
        size_t bytes = 0, size = mcv_dtype_size((mcv_dtype)t);
        cr_assert(mcv_safetensors_find(file, mcv_dtype_name((mcv_dtype)t), &tensor));
        cr_expect(tensor.dtype == (mcv_dtype)t && tensor.rank == 2 && tensor.shape[0] == 2 && tensor.shape[1] == 4);
        cr_expect(mcv_tensor_bytes(&tensor, &bytes) && memcmp(tensor.data, data, bytes) == 0);
        cr_expect(size == 0 || (uintptr_t)tensor.data % size == 0, "%s is aligned", mcv_dtype_name((mcv_dtype)t));
        cr_expect_str_eq(mcv_safetensors_metadata(file, mcv_dtype_name((mcv_dtype)t)), "t\xc3\xa4glich \"x\"\n");
    }
    mcv_tensor tensor;
    cr_assert(mcv_safetensors_find(file, "scalar \xe2\x82\xac", &tensor));
    cr_expect(tensor.rank == 0 && memcmp(tensor.data, data, 4) == 0);
    cr_assert(mcv_safetensors_find(file, "empty", &tensor));
    cr_expect(tensor.rank == 2 && tensor.shape[0] == 3 && tensor.shape[1] == 0);
    mcv_safetensors_close(file);
}

Test(safetensors, order_of_equal_types_is_kept_and_large_data_passes_in_pieces) {
    size_t count = 3 << 18; /* three times the piece in which data is copied, and one more */
    float *data = malloc((count + 1) * sizeof *data);
    for (size_t i = 0; i <= count; i++)
        data[i] = (float)i;
    const char *names[] = {"z", "m", "a"};
    const char *path = temporary_path("order.safetensors");
    mcv_safetensors_writer *writer = create(path);
    for (int i = 0; i < 3; i++) {
        mcv_tensor tensor = MCV_TENSOR(MCV_F32, data, (int64_t)count + (i == 1));
        cr_assert_eq(mcv_safetensors_add(writer, names[i], &tensor), MCV_OK);
    }
    cr_assert_eq(mcv_safetensors_commit(writer), MCV_OK);
    mcv_safetensors *file = open_good(path);
    for (size_t i = 0; i < 3; i++) {
        mcv_tensor tensor = mcv_safetensors_at(file, i);
        cr_expect_str_eq(mcv_safetensors_name(file, i), names[i]);
        cr_expect(memcmp(tensor.data, data, (count + (i == 1)) * sizeof *data) == 0);
    }
    mcv_safetensors_close(file);
    free(data);
}

static size_t files_in_folder(void) {
    size_t count = 0;
    DIR *folder = opendir(temporary_folder());
    for (const struct dirent *entry; folder && (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

Test(safetensors, a_writer_that_is_abandoned_leaves_nothing_and_an_older_file_stays) {
    mcv_tensor byte = MCV_TENSOR(MCV_U8, "x", 1);
    const char *path = temporary_text("kept.safetensors", "older");
    mcv_safetensors_writer *writer = create(path);
    cr_assert_eq(mcv_safetensors_add(writer, "t", &byte), MCV_OK);
    mcv_safetensors_abandon(writer);
    mcv_safetensors_abandon(NULL);
    cr_expect_eq(files_in_folder(), 1);
    mcv_buffer content = {0};
    cr_assert_eq(mcv_file_read(path, 100, &content), MCV_OK);
    cr_expect_str_eq(mcv_buffer_text(&content), "older");
    mcv_buffer_free(&content);
}

/* Two that write the same file at a time do not touch each other's; the last one stays. */
Test(safetensors, writers_of_one_file_write_apart) {
    const char *path = temporary_path("twice.safetensors");
    mcv_safetensors_writer *first = create(path), *second = create(path);
    const float one = 1, two = 2;
    cr_assert_eq(mcv_safetensors_add(first, "one", &MCV_TENSOR(MCV_F32, &one, 1)), MCV_OK);
    cr_assert_eq(mcv_safetensors_add(second, "two", &MCV_TENSOR(MCV_F32, &two, 1)), MCV_OK);
    cr_assert_eq(mcv_safetensors_commit(second), MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(mcv_safetensors_commit(first), MCV_OK, "%s", mcv_error_message());
    mcv_safetensors *file;
    mcv_tensor tensor;
    cr_assert_eq(mcv_safetensors_open(path, &file), MCV_OK, "%s", mcv_error_message());
    cr_assert(mcv_safetensors_find(file, "one", &tensor));
    cr_expect_eq(mcv_safetensors_count(file), 1);
    cr_expect_arr_eq(tensor.data, &one, sizeof one);
    mcv_safetensors_close(file);
}

Test(safetensors, wrong_use_of_the_writer_is_refused) {
    mcv_tensor byte = MCV_TENSOR(MCV_U8, "x", 1), odd = MCV_TENSOR(MCV_F4, "x", 1),
               negative = MCV_TENSOR(MCV_U8, "x", -1);
    mcv_safetensors_writer *writer = create(temporary_path("w.safetensors"));
    cr_expect_eq(mcv_safetensors_add(writer, "t", &byte), MCV_OK);
    cr_expect_eq(mcv_safetensors_add(writer, "t", &byte), MCV_USAGE);
    cr_expect_eq(mcv_safetensors_add(writer, "__metadata__", &byte), MCV_USAGE);
    cr_expect_eq(mcv_safetensors_add(writer, "odd", &odd), MCV_USAGE);
    cr_expect_eq(mcv_safetensors_add(writer, "negative", &negative), MCV_USAGE);
    cr_expect_eq(mcv_safetensors_add(writer, "\xff", &byte), MCV_USAGE);
    cr_expect_eq(mcv_safetensors_add_metadata(writer, "k", "\xff"), MCV_USAGE);
    mcv_safetensors_abandon(writer);
    cr_expect_eq(mcv_safetensors_create(temporary_path("no/such/folder"), &writer), MCV_BAD_INPUT);
    cr_expect_null(writer);
}

/* ---- Golden cases ---------------------------------------------------------------------------------------------- */

Test(safetensors, a_model_written_by_pytorch) {
    static const char SAMPLE[] = "../shared/golden-sample/models/sample";
    if (!mcv_file_exists(SAMPLE))
        cr_skip_test("the sample model is not there");
    mcv_safetensors *file = open_good(SAMPLE);
    mcv_tensor tensor;
    cr_assert(mcv_safetensors_find(file, "llm.model.embed_tokens.weight", &tensor));
    cr_expect(tensor.rank == 2 && tensor.shape[0] == 650 && tensor.shape[1] == 128);
    cr_expect(mcv_safetensors_count(file) > 50);
    mcv_safetensors_close(file);
}
