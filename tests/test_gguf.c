#include <criterion/criterion.h>
#include <dirent.h>
#include <limits.h>

#include "core/buffer.h"
#include "core/file.h"
#include "formats/gguf_writer.h"
#include "tests/temporary.h"

/* ---- Files made by hand --------------------------------------------------------------------------------------- */

static void put(mcv_buffer *out, const void *bytes, size_t size) {
    cr_assert_eq(mcv_buffer_append(out, bytes, size), MCV_OK);
}

static void put_u32(mcv_buffer *out, uint32_t value) {
    put(out, &value, sizeof value);
}

static void put_u64(mcv_buffer *out, uint64_t value) {
    put(out, &value, sizeof value);
}

static void put_string(mcv_buffer *out, const char *text) {
    put_u64(out, strlen(text));
    put(out, text, strlen(text));
}

static mcv_buffer begin(uint32_t version, uint64_t tensors, uint64_t values) {
    mcv_buffer out = {0};
    put(&out, "GGUF", 4);
    put_u32(&out, version);
    put_u64(&out, tensors);
    put_u64(&out, values);
    return out;
}

static void put_value(mcv_buffer *out, const char *key, uint32_t type, const void *bytes, size_t size) {
    put_string(out, key);
    put_u32(out, type);
    put(out, bytes, size);
}

static void put_tensor(mcv_buffer *out, const char *name, uint64_t columns, uint64_t rows, uint32_t type,
                       uint64_t offset) {
    put_string(out, name);
    put_u32(out, 2);
    put_u64(out, columns);
    put_u64(out, rows);
    put_u32(out, type);
    put_u64(out, offset);
}

static void put_data(mcv_buffer *out, size_t size) {
    while (out->size % 32 != 0)
        put(out, "", 1);
    for (size_t i = 0; i < size; i++)
        put(out, &(char){(char)i}, 1);
}

/* Consumes the buffer. */
static void expect_failure(mcv_buffer *bytes, mcv_status status, const char *words) {
    mcv_gguf *file;
    uint8_t *copy = malloc(bytes->size ? bytes->size : 1); /* of exactly this size, for AddressSanitizer */
    memcpy(copy, mcv_buffer_text(bytes), bytes->size);
    cr_expect_eq(mcv_gguf_read(copy, bytes->size, "x.gguf", &file), status, "expected: %s", words);
    cr_expect_null(file);
    cr_expect(strstr(mcv_error_message(), words), "expected \"%s\", found: %s", words, mcv_error_message());
    mcv_gguf_close(file);
    mcv_buffer_free(bytes);
    free(copy);
}

/* ---- Reading and writing --------------------------------------------------------------------------------------- */

static const mcv_gguf_string WORDS[] = {{"a", 1}, {"\0b", 2}, {"", 0}};

static const char *write_small(const char *name) {
    mcv_gguf_writer *writer;
    const char *path = temporary_path(name);
    float floats[40];
    uint8_t blocks[3 * 34];
    for (int i = 0; i < 40; i++)
        floats[i] = (float)i / 8;
    for (int i = 0; i < 3 * 34; i++)
        blocks[i] = (uint8_t)i;
    cr_assert_eq(mcv_gguf_create(path, &writer), MCV_OK);
    cr_assert_eq(mcv_gguf_add_string(writer, "general.architecture", "qwen3"), MCV_OK);
    cr_assert_eq(mcv_gguf_add_u32(writer, "count", 4000000000u), MCV_OK);
    cr_assert_eq(mcv_gguf_add_f32(writer, "real", 0.5f), MCV_OK);
    cr_assert_eq(mcv_gguf_add_bool(writer, "flag", true), MCV_OK);
    cr_assert_eq(mcv_gguf_add_strings(writer, "words", WORDS, 3), MCV_OK);
    cr_assert_eq(mcv_gguf_add_i32s(writer, "ints", (int32_t[]){-1, 7}, 2), MCV_OK);
    cr_assert_eq(mcv_gguf_add_f32s(writer, "reals", (float[]){1.5f}, 1), MCV_OK);
    cr_assert_eq(mcv_gguf_declare(writer, "f", MCV_WEIGHT_F32, 2, (int64_t[]){8, 5}), MCV_OK);
    cr_assert_eq(mcv_gguf_declare(writer, "q", MCV_WEIGHT_Q8_0, 2, (int64_t[]){3, 32}), MCV_OK);
    cr_assert_eq(mcv_gguf_write(writer, floats, sizeof floats), MCV_OK);
    cr_assert_eq(mcv_gguf_write(writer, blocks, sizeof blocks), MCV_OK);
    cr_assert_eq(mcv_gguf_commit(writer), MCV_OK, "%s", mcv_error_message());
    return path;
}

Test(gguf, what_is_written_is_read) {
    mcv_gguf *file;
    mcv_arena arena = {0};
    cr_assert_eq(mcv_gguf_open(write_small("small.gguf"), &file), MCV_OK, "%s", mcv_error_message());
    cr_expect(mcv_gguf_version(file) == 3 && mcv_gguf_parts(file) == 1);
    cr_expect(mcv_gguf_value_count(file) == 7 && mcv_gguf_tensor_count(file) == 2);
    int64_t count = 0, *ints;
    double real = 0, *reals;
    bool flag = false;
    mcv_gguf_string text = {0}, *words;
    size_t size;
    cr_expect_eq(mcv_gguf_get_int(file, "count", 0, INT64_MAX, &count), MCV_OK);
    cr_expect_eq(mcv_gguf_get_double(file, "real", &real), MCV_OK);
    cr_expect_eq(mcv_gguf_get_bool(file, "flag", &flag), MCV_OK);
    cr_expect_eq(mcv_gguf_get_string(file, "general.architecture", &text), MCV_OK);
    cr_expect(count == 4000000000 && real == 0.5 && flag && text.size == 5 && memcmp(text.data, "qwen3", 5) == 0);
    cr_expect_eq(mcv_gguf_get_strings(file, "words", &arena, &words, &size), MCV_OK);
    cr_assert_eq(size, 3);
    for (size_t i = 0; i < size; i++)
        cr_expect(words[i].size == WORDS[i].size && memcmp(words[i].data, WORDS[i].data, words[i].size) == 0);
    cr_expect_eq(mcv_gguf_get_ints(file, "ints", &arena, &ints, &size), MCV_OK);
    cr_expect(size == 2 && ints[0] == -1 && ints[1] == 7);
    cr_expect_eq(mcv_gguf_get_doubles(file, "reals", &arena, &reals, &size), MCV_OK);
    cr_expect(size == 1 && reals[0] == 1.5);
    cr_expect_eq(mcv_gguf_get_ints(file, "none", &arena, &ints, &size), MCV_OK);
    cr_expect_eq(size, 0);

    const mcv_gguf_tensor *f = mcv_gguf_find_tensor(file, "f"), *q = mcv_gguf_find_tensor(file, "q");
    cr_assert(f && q && !mcv_gguf_find_tensor(file, "x"));
    cr_expect(f == mcv_gguf_tensor_at(file, 0) && f->rank == 2 && f->shape[0] == 8 && f->shape[1] == 5);
    cr_expect(f->has_weight_type && f->weight_type == MCV_WEIGHT_F32 && f->bytes == 160);
    cr_expect(q->weight_type == MCV_WEIGHT_Q8_0 && q->bytes == 102 && q->data[101] == 101);
    mcv_arena_free(&arena);
    mcv_gguf_close(file);
    mcv_gguf_close(NULL);
}

Test(gguf, values_of_another_kind) {
    mcv_gguf *file;
    mcv_arena arena = {0};
    cr_assert_eq(mcv_gguf_open(write_small("kinds.gguf"), &file), MCV_OK);
    int64_t number = 5, *ints;
    size_t count;
    bool flag;
    double real;
    mcv_gguf_string text;
    cr_expect_eq(mcv_gguf_get_int(file, "count", 0, 100, &number), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "count: expected an integer from 0 to 100, found uint32 4000000000"), "%s",
              mcv_error_message());
    cr_expect_eq(mcv_gguf_get_int(file, "real", 0, 100, &number), MCV_BAD_INPUT);
    cr_expect_eq(number, 5);
    cr_expect_eq(mcv_gguf_get_int(file, "ints", 0, 100, &number), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "found int32 array of 2 elements"), "%s", mcv_error_message());
    cr_expect_eq(mcv_gguf_get_bool(file, "count", &flag), MCV_BAD_INPUT);
    cr_expect_eq(mcv_gguf_get_double(file, "flag", &real), MCV_BAD_INPUT);
    cr_expect_eq(mcv_gguf_get_string(file, "words", &text), MCV_BAD_INPUT);
    cr_expect_eq(mcv_gguf_get_ints(file, "words", &arena, &ints, &count), MCV_BAD_INPUT);
    cr_expect_eq(mcv_gguf_get_ints(file, "count", &arena, &ints, &count), MCV_BAD_INPUT);
    mcv_arena_free(&arena);
    mcv_gguf_close(file);
}

Test(gguf, a_writer_that_fails_leaves_nothing) {
    mcv_gguf_writer *writer;
    const char *path = temporary_path("unfinished.gguf");
    cr_assert_eq(mcv_gguf_create(path, &writer), MCV_OK);
    cr_assert_eq(mcv_gguf_declare(writer, "f", MCV_WEIGHT_F32, 1, (int64_t[]){4}), MCV_OK);
    cr_expect_eq(mcv_gguf_write(writer, path, 15), MCV_USAGE);
    cr_expect_eq(mcv_gguf_commit(writer), MCV_USAGE);
    cr_expect(!mcv_file_exists(path));
    cr_assert_eq(mcv_gguf_create(path, &writer), MCV_OK);
    mcv_gguf_abandon(writer);
    mcv_gguf_abandon(NULL);
    DIR *folder = opendir(temporary_folder());
    for (struct dirent *entry; (entry = readdir(folder));)
        cr_expect(entry->d_name[0] == '.', "%s is left behind", entry->d_name);
    closedir(folder);
}

/* ---- Split files ------------------------------------------------------------------------------------------------ */

static void write_part(const char *name, uint16_t number, uint16_t count, int32_t total) {
    mcv_buffer bytes = begin(3, 1, 3);
    put_value(&bytes, "split.no", MCV_GGUF_U16, &number, 2);
    put_value(&bytes, "split.count", MCV_GGUF_U16, &count, 2);
    put_value(&bytes, "split.tensors.count", MCV_GGUF_I32, &total, 4);
    put_tensor(&bytes, number ? "b" : "a", 4, 1, 0, 0);
    put_data(&bytes, 16);
    temporary_file(name, bytes.data, bytes.size);
    mcv_buffer_free(&bytes);
}

static void expect_split(mcv_status status, const char *words) {
    mcv_gguf *file;
    cr_expect_eq(mcv_gguf_open(temporary_path("m-00002-of-00002.gguf"), &file), status, "%s", mcv_error_message());
    cr_expect(status == MCV_OK || strstr(mcv_error_message(), words), "expected \"%s\", found: %s", words,
              mcv_error_message());
    if (status == MCV_OK) {
        cr_expect(mcv_gguf_parts(file) == 2 && mcv_gguf_tensor_count(file) == 2);
        cr_expect(mcv_gguf_find_tensor(file, "b")->part == 1 && mcv_gguf_find_tensor(file, "a")->part == 0);
    }
    mcv_gguf_close(file);
}

Test(gguf, split_files) {
    write_part("m-00001-of-00002.gguf", 0, 2, 2);
    expect_split(MCV_BAD_INPUT, "m-00002-of-00002.gguf: cannot be opened");
    write_part("m-00002-of-00002.gguf", 1, 2, 2);
    expect_split(MCV_OK, "");
    write_part("m-00002-of-00002.gguf", 0, 2, 2);
    expect_split(MCV_BAD_INPUT, "split.no: expected a uint16 of 1 as in the file's name, found 0");
    write_part("m-00002-of-00002.gguf", 1, 3, 2);
    expect_split(MCV_BAD_INPUT, "split.count: expected a uint16 of 2");
    write_part("m-00001-of-00002.gguf", 0, 2, 3);
    write_part("m-00002-of-00002.gguf", 1, 2, 3);
    expect_split(MCV_BAD_INPUT, "split.tensors.count is 3, the parts have 2 tensors");
}

/* ---- Damage ----------------------------------------------------------------------------------------------------- */

Test(gguf, damaged_beginnings) {
    mcv_buffer bytes = {0};
    expect_failure(&bytes, MCV_BAD_INPUT, "x.gguf: byte 0: the magic number takes 4 bytes, the file has 0");
    bytes = begin(3, 0, 0);
    bytes.data[0] = 'g';
    expect_failure(&bytes, MCV_BAD_INPUT, "not a GGUF file: it begins with 67 47 55 46");
    bytes = begin(4, 0, 0);
    expect_failure(&bytes, MCV_BAD_INPUT, "GGUF version 4, expected 2 or 3");
    bytes = begin(1, 0, 0);
    expect_failure(&bytes, MCV_UNSUPPORTED, "GGUF version 1");
    bytes = begin(3u << 24, 0, 0);
    expect_failure(&bytes, MCV_UNSUPPORTED, "big-endian");
    bytes = begin(3, UINT64_MAX, 0);
    expect_failure(&bytes, MCV_BAD_INPUT, "the number of tensors is 18446744073709551615, more than");
    bytes = begin(3, 0, 1ull << 60);
    expect_failure(&bytes, MCV_BAD_INPUT, "byte 16: the number of metadata values is 1152921504606846976, more than");
}

Test(gguf, damaged_values) {
    mcv_buffer bytes = begin(3, 0, 1);
    put_u64(&bytes, 1ull << 60);
    put(&bytes, "general.name", 12);
    expect_failure(&bytes, MCV_BAD_INPUT, "byte 32: a key takes 1152921504606846976 bytes, the file has 12 more");
    bytes = begin(3, 0, 1);
    put_value(&bytes, "k", MCV_GGUF_STRING, &(uint64_t){1ull << 60}, 8);
    expect_failure(&bytes, MCV_BAD_INPUT, "k: x.gguf: byte 45: a string takes 1152921504606846976 bytes");
    bytes = begin(3, 0, 1);
    put_value(&bytes, "k", 13, "", 1);
    expect_failure(&bytes, MCV_BAD_INPUT, "unknown type 13 of a value");
    bytes = begin(3, 0, 1);
    put_value(&bytes, "k", MCV_GGUF_BOOL, "\2", 1);
    expect_failure(&bytes, MCV_BAD_INPUT, "expected a bool, 0 or 1, found 2");
    bytes = begin(3, 0, 1);
    put_value(&bytes, "", MCV_GGUF_BOOL, "\1", 1);
    expect_failure(&bytes, MCV_BAD_INPUT, "expected a key of 1 to 65535 bytes without a 0 byte, found 0 bytes");
    bytes = begin(3, 0, 1);
    put_value(&bytes, "k", MCV_GGUF_ARRAY, (uint32_t[]){MCV_GGUF_ARRAY, 1, 0, MCV_GGUF_U8, 0, 0}, 24);
    expect_failure(&bytes, MCV_BAD_INPUT, "found an array of arrays");
    bytes = begin(3, 0, 1);
    put_value(&bytes, "k", MCV_GGUF_ARRAY, (uint32_t[]){MCV_GGUF_U64, 0, 1u << 31, 0}, 16);
    expect_failure(&bytes, MCV_BAD_INPUT, "the number of elements is 9223372036854775808, more than");
    bytes = begin(3, 0, 1);
    put_value(&bytes, "k", MCV_GGUF_ARRAY, (uint32_t[]){MCV_GGUF_U64, 3, 0, 1, 0, 2, 0}, 28);
    expect_failure(&bytes, MCV_BAD_INPUT, "the number of elements is 3, more than the 16 bytes");
    bytes = begin(3, 0, 2);
    put_value(&bytes, "k", MCV_GGUF_BOOL, "\1", 1);
    put_value(&bytes, "k", MCV_GGUF_BOOL, "\1", 1);
    expect_failure(&bytes, MCV_BAD_INPUT, "k: this key occurs twice");
}

Test(gguf, damaged_tensors) {
    mcv_buffer bytes = begin(3, 1, 0);
    put_tensor(&bytes, "t", 1ull << 40, 1ull << 40, 0, 0);
    expect_failure(&bytes, MCV_BAD_INPUT, "t: dimension 1 of 1099511627776: too many elements");
    bytes = begin(3, 1, 0);
    put_tensor(&bytes, "t", 0, 1ull << 62, 0, 0);
    expect_failure(&bytes, MCV_BAD_INPUT, "t: dimension 0: expected at least 1, found 0");
    bytes = begin(3, 1, 0);
    put_tensor(&bytes, "t", 1ull << 62, 1, 0, 0);
    expect_failure(&bytes, MCV_BAD_INPUT, "t: too many elements");
    bytes = begin(3, 1, 0);
    put_tensor(&bytes, "t", 4, 1, 99, 0);
    expect_failure(&bytes, MCV_BAD_INPUT, "t: unknown element type 99");
    bytes = begin(3, 1, 0);
    put_tensor(&bytes, "t", 48, 1, 2, 0);
    expect_failure(&bytes, MCV_BAD_INPUT, "t: rows of 48 elements, expected a multiple of 32 for type Q4_0");
    bytes = begin(3, 1, 0);
    put_string(&bytes, "t");
    put_u32(&bytes, 5);
    put_data(&bytes, 64);
    expect_failure(&bytes, MCV_BAD_INPUT, "t: expected at most 4 dimensions, found 5");
    bytes = begin(3, 1, 0);
    put_tensor(&bytes, "t", 4, 2, 0, 0);
    put_data(&bytes, 31);
    expect_failure(&bytes, MCV_BAD_INPUT, "t: 32 bytes from offset 0 on, the file has 31 bytes of data (cut short?)");
    bytes = begin(3, 1, 0);
    put_tensor(&bytes, "t", 4, 2, 0, UINT64_MAX - 31);
    put_data(&bytes, 32);
    expect_failure(&bytes, MCV_BAD_INPUT, "t: 32 bytes from offset 18446744073709551584 on");
    bytes = begin(3, 1, 0);
    put_tensor(&bytes, "t", 4, 1, 0, 16);
    put_data(&bytes, 32);
    expect_failure(&bytes, MCV_BAD_INPUT, "t: offset 16, expected a multiple of the alignment, 32");
    bytes = begin(3, 2, 0);
    put_tensor(&bytes, "t", 16, 1, 0, 0);
    put_tensor(&bytes, "u", 4, 1, 0, 32);
    put_data(&bytes, 64);
    expect_failure(&bytes, MCV_BAD_INPUT, "within that of t");
    bytes = begin(3, 2, 0);
    put_tensor(&bytes, "t", 4, 1, 0, 0);
    put_tensor(&bytes, "t", 4, 1, 0, 32);
    put_data(&bytes, 64);
    expect_failure(&bytes, MCV_BAD_INPUT, "t: this tensor is in x.gguf too");
}

Test(gguf, damaged_alignments) {
    static const uint32_t ALIGNMENTS[] = {0, 24, UINT32_MAX};
    for (int i = 0; i < 3; i++) {
        mcv_buffer bytes = begin(3, 0, 1);
        put_value(&bytes, "general.alignment", MCV_GGUF_U32, &ALIGNMENTS[i], 4);
        expect_failure(&bytes, MCV_BAD_INPUT, "general.alignment: expected a uint32 that is a power of two");
    }
    mcv_buffer bytes = begin(3, 0, 1);
    put_value(&bytes, "general.alignment", MCV_GGUF_I32, &ALIGNMENTS[0], 4);
    expect_failure(&bytes, MCV_BAD_INPUT, "general.alignment: expected a uint32");
    /* One that reaches beyond the file is fine as long as there is no data. */
    mcv_gguf *file;
    bytes = begin(3, 0, 1);
    put_value(&bytes, "general.alignment", MCV_GGUF_U32, &(uint32_t){1u << 31}, 4);
    cr_expect_eq(mcv_gguf_read(bytes.data, bytes.size, "x", &file), MCV_OK, "%s", mcv_error_message());
    mcv_gguf_close(file);
    mcv_buffer_free(&bytes);
}

/* Cut off anywhere, a file does not open; whatever bit is turned over, reading it stays within the file. */
Test(gguf, cut_short_and_flipped) {
    mcv_buffer bytes = {0};
    mcv_gguf *file;
    cr_assert_eq(mcv_file_read(write_small("damage.gguf"), 10000, &bytes), MCV_OK);
    size_t size = bytes.size - 26; /* without the padding behind the last tensor */
    for (size_t length = 0; length < size; length++) {
        uint8_t *copy = malloc(length ? length : 1);
        memcpy(copy, bytes.data, length);
        cr_expect_eq(mcv_gguf_read(copy, length, "x", &file), MCV_BAD_INPUT, "%zu bytes", length);
        free(copy);
    }
    uint8_t *copy = malloc(size);
    for (size_t bit = 0; bit < size * 8; bit++) {
        memcpy(copy, bytes.data, size);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        mcv_status status = mcv_gguf_read(copy, size, "x", &file);
        cr_expect(status == MCV_OK || status == MCV_BAD_INPUT || status == MCV_UNSUPPORTED, "bit %zu", bit);
        for (size_t i = 0; file && i < mcv_gguf_tensor_count(file); i++) {
            const mcv_gguf_tensor *tensor = mcv_gguf_tensor_at(file, i);
            cr_expect(tensor->data >= copy && tensor->data + tensor->bytes <= copy + size, "bit %zu", bit);
        }
        mcv_gguf_close(file);
    }
    free(copy);
    mcv_buffer_free(&bytes);
}
