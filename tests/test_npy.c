#include <criterion/criterion.h>

#include "formats/npy.h"
#include "tests/temporary.h"

/* The smallest file: version 1, a header and data. */
static const char *make_file(const char *name, const char *header, size_t data_size) {
    char bytes[1024] = "\x93NUMPY\x01";
    size_t length = strlen(header);
    bytes[8] = (char)length;
    memcpy(bytes + 10, header, length);
    for (size_t i = 0; i < data_size; i++)
        bytes[10 + length + i] = (char)i;
    return temporary_file(name, bytes, 10 + length + data_size);
}

static void expect_failure(const char *path, mcv_status status, const char *words) {
    mcv_npy array;
    cr_expect_eq(mcv_npy_open(path, &array), status, "expected: %s", words);
    cr_expect(strstr(mcv_error_message(), words), "expected \"%s\", found: %s", words, mcv_error_message());
    mcv_npy_close(&array);
}

static mcv_npy round_trip(const mcv_tensor *tensor) {
    mcv_npy array;
    const char *path = temporary_path("a.npy");
    cr_assert_eq(mcv_npy_write(path, tensor), MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(mcv_npy_open(path, &array), MCV_OK, "%s", mcv_error_message());
    return array;
}

Test(npy, every_type_comes_back) {
    unsigned char data[8 * 24];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 29 + 3);
    for (int t = 0; t < MCV_DTYPE_COUNT; t++) {
        mcv_tensor tensor = MCV_TENSOR((mcv_dtype)t, data, 2, 3, 4);
        mcv_npy array = round_trip(&tensor);
        const char *name = mcv_dtype_name((mcv_dtype)t);
        cr_expect(mcv_tensor_same_shape(&array.tensor, &tensor), "%s", name);
        cr_expect_eq((uintptr_t)array.tensor.data % 64, 0, "%s", name);
        if (array.tensor.dtype == tensor.dtype) {
            size_t bytes = 0;
            cr_expect(mcv_tensor_bytes(&tensor, &bytes) && memcmp(array.tensor.data, data, bytes) == 0, "%s", name);
        } else {
            float values[24];
            mcv_tensor_to_f32(&tensor, 0, 24, values);
            cr_expect(array.tensor.dtype == MCV_F32 && mcv_dtype_is_float(tensor.dtype), "%s", name);
            cr_expect(memcmp(array.tensor.data, values, sizeof values) == 0, "%s", name);
        }
        mcv_npy_close(&array);
    }
}

Test(npy, shapes_come_back) {
    const float value = 1.5f;
    mcv_tensor scalar = {.dtype = MCV_F32, .data = &value}, one = MCV_TENSOR(MCV_F32, &value, 1);
    mcv_tensor many = MCV_TENSOR(MCV_F32, &value, 1, 1, 1, 1, 1, 1, 1, 1), empty = MCV_TENSOR(MCV_F32, NULL, 3, 0);
    mcv_tensor large = MCV_TENSOR(MCV_U8, NULL, 0, INT64_C(1) << 62);
    const mcv_tensor *tensors[] = {&scalar, &one, &many, &empty, &large};
    for (int i = 0; i < 5; i++) {
        mcv_npy array = round_trip(tensors[i]);
        cr_expect(mcv_tensor_same_shape(&array.tensor, tensors[i]), "%d", i);
        mcv_npy_close(&array);
    }
}

Test(npy, many_widened_elements) {
    uint16_t *halves = malloc(10001 * sizeof *halves);
    for (size_t i = 0; i < 10001; i++)
        halves[i] = (uint16_t)(i + 0x3f80);
    mcv_tensor tensor = MCV_TENSOR(MCV_BF16, halves, 10001);
    mcv_npy array = round_trip(&tensor);
    for (size_t i = 0; i < 10001; i++)
        cr_assert_eq(mcv_tensor_get(&array.tensor, i), mcv_tensor_get(&tensor, i));
    mcv_npy_close(&array);
    free(halves);
}

/* The bytes that numpy.save(file, numpy.arange(3, dtype="<i2")) writes. */
Test(npy, the_bytes_are_those_of_numpy) {
    static const char EXPECTED[128 + 6] = "\x93NUMPY\x01\0v\0{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }"
                                          "                                                            \n\0\0\1\0\2\0";
    const int16_t values[] = {0, 1, 2};
    mcv_tensor tensor = MCV_TENSOR(MCV_I16, values, 3);
    const char *path = temporary_path("a.npy");
    cr_assert_eq(mcv_npy_write(path, &tensor), MCV_OK);
    mcv_buffer found = {0};
    cr_assert_eq(mcv_file_read(path, 1000, &found), MCV_OK);
    cr_assert_eq(found.size, sizeof EXPECTED);
    cr_expect_arr_eq(found.data, EXPECTED, sizeof EXPECTED);
    mcv_buffer_free(&found);
}

Test(npy, headers_in_other_forms) {
    mcv_npy array;
    static const char *const HEADERS[] = {
        "{\"shape\":(2,2),\"fortran_order\":False,\"descr\":\"<u2\"}\n",
        "{'descr': '<u2', 'fortran_order': False, 'shape': ( 2 , 2 , ) , } ",
    };
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(mcv_npy_open(make_file("f", HEADERS[i], 8), &array), MCV_OK, "%s", mcv_error_message());
        cr_expect(array.tensor.dtype == MCV_U16 && array.tensor.rank == 2 &&
                  mcv_tensor_get(&array.tensor, 3) == 0x0706);
        mcv_npy_close(&array);
    }
    static const char VERSION_3[] =
        "\x93NUMPY\x03\0\x3a\0\0\0{'descr': '|u1', 'fortran_order': True, 'shape': (1,), } \nx";
    cr_assert_eq(mcv_npy_open(temporary_file("v3", VERSION_3, sizeof VERSION_3 - 1), &array), MCV_OK, "%s",
                 mcv_error_message());
    cr_expect(array.tensor.rank == 1 && mcv_tensor_get(&array.tensor, 0) == 'x', "one dimension has one order");
    mcv_npy_close(&array);
}

#define HEADER(descr, order, shape) "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"

Test(npy, damaged_headers_are_refused) {
    static const struct {
        mcv_status status;
        const char *header;
        size_t data_size;
        const char *words;
    } CASES[] = {
        {MCV_BAD_INPUT, "", 4, "expected a header"},
        {MCV_BAD_INPUT, "{}", 4, "expected a header"},
        {MCV_BAD_INPUT, "{'descr': '<f4', 'shape': (1,), }", 4, "expected a header"},
        {MCV_BAD_INPUT, "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4,
         "expected a header"},
        {MCV_BAD_INPUT, HEADER("'<f4'", "False", "(1,)") "x", 4, "expected a header"},
        {MCV_BAD_INPUT, HEADER("'<f4'", "No", "(1,)"), 4, "expected a header"},
        {MCV_BAD_INPUT, HEADER("'<f4'", "False", "(1)"), 4, "expected a header"},
        {MCV_BAD_INPUT, HEADER("'<f4'", "False", "(-1,)"), 4, "expected a header"},
        {MCV_BAD_INPUT, HEADER("'<f4'", "False", "(9223372036854775808,)"), 4, "expected a header"},
        {MCV_BAD_INPUT, HEADER("'<f4'", "False", "(1,"), 4, "expected a header"},
        {MCV_BAD_INPUT, HEADER("'<f4", "False", "(1,)"), 4, "expected a header"},
        {MCV_BAD_INPUT, HEADER("[('a', '<f4')]", "False", "(1,)"), 4, "expected a header"},
        {MCV_BAD_INPUT, HEADER("'<f4'", "False", "(2,)"), 4, "F32 [2] does not take the 4 bytes"},
        {MCV_BAD_INPUT, HEADER("'<f4'", "False", "(1,)"), 5, "does not take the 5 bytes"},
        {MCV_BAD_INPUT, HEADER("'<f4'", "False", "(4611686018427387904, 4)"), 0, "does not take the 0 bytes"},
        {MCV_UNSUPPORTED, HEADER("'>f4'", "False", "(1,)"), 4, "elements of type '>f4'"},
        {MCV_UNSUPPORTED, HEADER("'|O'", "False", "(1,)"), 4, "elements of type '|O'"},
        {MCV_UNSUPPORTED, HEADER("'<f4'", "True", "(1, 1)"), 4, "Fortran order"},
        {MCV_UNSUPPORTED, HEADER("'<f4'", "False", "(1,1,1,1,1,1,1,1,1)"), 4, "9 dimensions"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        expect_failure(make_file("bad.npy", CASES[i].header, CASES[i].data_size), CASES[i].status, CASES[i].words);
    expect_failure(temporary_path("none.npy"), MCV_BAD_INPUT, "none.npy: cannot be opened");
    expect_failure(temporary_text("text", "0123456789012345"), MCV_BAD_INPUT, "not a .npy file");
    expect_failure(temporary_text("v9", "\x93NUMPY\x09\x01xxxxxxxx"), MCV_UNSUPPORTED, "version 9");
    expect_failure(temporary_text("long", "\x93NUMPY\x01\x01\xff\xff{}"), MCV_BAD_INPUT, "header length 65535");
}

Test(npy, truncations_and_bit_flips) {
    const char HEADER_TEXT[] = HEADER("'<u2'", "False", "(2, 2)");
    size_t size = 10 + sizeof HEADER_TEXT - 1 + 8, opened = 0;
    const char *path = make_file("good.npy", HEADER_TEXT, 8);
    mcv_buffer good = {0};
    mcv_npy array;
    cr_assert_eq(mcv_file_read(path, 1000, &good), MCV_OK);
    cr_assert_eq(good.size, size);
    for (size_t cut = 0; cut < size; cut++)
        cr_expect_eq(mcv_npy_open(temporary_file("cut", good.data, cut), &array), MCV_BAD_INPUT, "%zu bytes", cut);
    for (size_t bit = 0; bit < 8 * (size - 8); bit++) {
        good.data[bit / 8] = (char)(good.data[bit / 8] ^ 1 << bit % 8);
        mcv_status status = mcv_npy_open(temporary_file("flipped", good.data, size), &array);
        good.data[bit / 8] = (char)(good.data[bit / 8] ^ 1 << bit % 8);
        cr_expect(status == MCV_OK || status == MCV_BAD_INPUT || status == MCV_UNSUPPORTED, "bit %zu: %d", bit, status);
        size_t count = 0;
        cr_expect(status != MCV_OK || mcv_tensor_count(&array.tensor, &count));
        for (size_t i = 0; i < count; i++)
            cr_expect(mcv_tensor_get(&array.tensor, i) >= 0);
        opened += status == MCV_OK;
        mcv_npy_close(&array);
    }
    cr_expect(opened > 0 && opened < 40, "%zu of the flips left a valid file", opened);
    mcv_buffer_free(&good);
}

Test(npy, what_cannot_be_written_is_refused) {
    mcv_tensor odd = MCV_TENSOR(MCV_F4, "x", 1), byte = MCV_TENSOR(MCV_U8, "x", 1);
    cr_expect_eq(mcv_npy_write(temporary_path("odd.npy"), &odd), MCV_USAGE);
    cr_expect_eq(mcv_npy_write(temporary_path("no/folder.npy"), &byte), MCV_BAD_INPUT);
    cr_expect(!mcv_file_exists(temporary_path("odd.npy")));
}
