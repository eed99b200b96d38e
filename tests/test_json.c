#include <criterion/criterion.h>

#include "formats/json.h"
#include "tests/temporary.h"

static mcv_json parse(const char *text) {
    mcv_json root;
    cr_assert_eq(mcv_json_parse(text, strlen(text), "file.json", &root), MCV_OK, "%s", mcv_error_message());
    return root;
}

static void expect_message(mcv_status status, mcv_status expected, const char *message) {
    cr_expect_eq(status, expected, "status %d", status);
    cr_expect_str_eq(mcv_error_message(), message);
}

Test(json, getters_read_values) {
    mcv_json root = parse("{\"i\": -7, \"d\": 0.25, \"n\": 3, \"t\": true, \"f\": false, \"s\": \"h\\u00e9\","
                          "\"o\": {\"x\": 1}, \"a\": [1, \"two\"]}");
    int i = 0;
    double d = 0, n = 0;
    bool t = false, f = true;
    const char *s = NULL;
    mcv_json o, a;
    cr_assert_eq(mcv_json_get_int(&root, "i", -7, -7, &i), MCV_OK);
    cr_assert_eq(mcv_json_get_double(&root, "d", 0, 1, &d), MCV_OK);
    cr_assert_eq(mcv_json_get_double(&root, "n", 0, 3, &n), MCV_OK);
    cr_assert_eq(mcv_json_get_bool(&root, "t", &t), MCV_OK);
    cr_assert_eq(mcv_json_get_bool(&root, "f", &f), MCV_OK);
    cr_assert_eq(mcv_json_get_string(&root, "s", &s), MCV_OK);
    cr_assert_eq(mcv_json_get_object(&root, "o", &o), MCV_OK);
    cr_assert_eq(mcv_json_get_array(&root, "a", &a), MCV_OK);
    cr_expect(i == -7 && d == 0.25 && n == 3.0 && t && !f);
    cr_expect_str_eq(s, "h\xc3\xa9");
    cr_expect_eq(mcv_json_count(&a), 2);
    cr_assert_eq(mcv_json_get_int(&o, "x", 0, 9, &i), MCV_OK);
    cr_expect_eq(i, 1);
    cr_expect_eq(json_integer_value(mcv_json_item(&a, 0).value), 1);
    mcv_json_free(&root);
}

Test(json, missing_and_null_keep_the_default) {
    mcv_json root = parse("{\"null\": null}"), child;
    const char *keys[] = {"null", "missing"};
    for (int k = 0; k < 2; k++) {
        int i = 5;
        double d = 0.5;
        bool b = true;
        const char *s = "as it was";
        cr_expect_eq(mcv_json_get_int(&root, keys[k], 0, 1, &i), MCV_OK);
        cr_expect_eq(mcv_json_get_double(&root, keys[k], 0, 0, &d), MCV_OK);
        cr_expect_eq(mcv_json_get_bool(&root, keys[k], &b), MCV_OK);
        cr_expect_eq(mcv_json_get_string(&root, keys[k], &s), MCV_OK);
        cr_expect(i == 5 && d == 0.5 && b && strcmp(s, "as it was") == 0);
        cr_expect_eq(mcv_json_get_object(&root, keys[k], &child), MCV_OK);
        cr_expect_null(child.value);
        cr_expect_eq(mcv_json_get_int(&child, "inside", 0, 1, &i), MCV_OK, "members of a missing object are missing");
        cr_expect_eq(i, 5);
        cr_expect_eq(mcv_json_get_array(&root, keys[k], &child), MCV_OK);
        cr_expect_eq(mcv_json_count(&child), 0);
    }
    expect_message(mcv_json_require(&root, "missing"), MCV_BAD_INPUT,
                   "file.json: missing: expected a value, found nothing");
    expect_message(mcv_json_require(&root, "null"), MCV_BAD_INPUT, "file.json: null: expected a value, found nothing");
    mcv_json_free(&root);
}

Test(json, errors_name_place_expected_and_found) {
    mcv_json root = parse("{\"o\": {\"i\": 2.5, \"big\": 2147483648, \"list\": [{\"b\": \"yes\"}, [0]]}, \"s\": {}}");
    mcv_json o, list;
    int i;
    bool b;
    double d;
    const char *s;
    cr_assert_eq(mcv_json_get_object(&root, "o", &o), MCV_OK);
    cr_assert_eq(mcv_json_get_array(&o, "list", &list), MCV_OK);
    mcv_json first = mcv_json_item(&list, 0), second = mcv_json_item(&list, 1), inner = mcv_json_item(&second, 0);
    expect_message(mcv_json_get_int(&o, "i", 1, 4, &i), MCV_BAD_INPUT,
                   "file.json: o.i: expected an integer from 1 to 4, found 2.5");
    expect_message(mcv_json_get_int(&o, "big", -5, 2147483647, &i), MCV_BAD_INPUT,
                   "file.json: o.big: expected an integer from -5 to 2147483647, found 2147483648");
    expect_message(mcv_json_get_double(&o, "i", 0, 1, &d), MCV_BAD_INPUT,
                   "file.json: o.i: expected a number from 0 to 1, found 2.5");
    expect_message(mcv_json_get_bool(&first, "b", &b), MCV_BAD_INPUT,
                   "file.json: o.list[0].b: expected true or false, found the string \"yes\"");
    expect_message(mcv_json_fail(MCV_UNSUPPORTED, &inner, "one"), MCV_UNSUPPORTED,
                   "file.json: o.list[1][0]: expected one, found 0");
    expect_message(mcv_json_get_string(&root, "s", &s), MCV_BAD_INPUT,
                   "file.json: s: expected a string, found an object");
    expect_message(mcv_json_get_array(&root, "s", &list), MCV_BAD_INPUT,
                   "file.json: s: expected an array, found an object");
    expect_message(mcv_json_get_object(&o, "list", &first), MCV_BAD_INPUT,
                   "file.json: o.list: expected an object, found an array");
    mcv_json_free(&root);
}

Test(json, a_place_longer_than_any_message_is_cut) {
    char *text, *key = malloc(5001);
    memset(key, 'k', 5000);
    key[5000] = 0;
    cr_assert(asprintf(&text, "{\"%s\": {\"%s\": \"%s\"}}", key, key, key) > 0);
    mcv_json root = parse(text), child;
    int i;
    cr_assert_eq(mcv_json_get_object(&root, key, &child), MCV_OK);
    cr_expect_eq(mcv_json_get_int(&child, key, 0, 1, &i), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "expected an integer from 0 to 1, found the string \"kkkk"));
    mcv_json_free(&root);
    free(text);
    free(key);
}

Test(json, text_that_is_not_json_is_refused_with_its_line) {
    static const char *const BAD[] = {"{\"a\": 1,\n \"a\": 2}", "{\n]",
                                      "{\n\"a\": 1} x",         "{\n\"a\": 01}",
                                      "{\n\"a\": \"\xff\"}",    "{\n\"a\": 1e999}",
                                      "{\n\"a\": \"\\u0000\"}", "{\n\"a\": 99999999999999999999x}"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        mcv_json root;
        cr_expect_eq(mcv_json_parse(BAD[i], strlen(BAD[i]), "bad.json", &root), MCV_BAD_INPUT, "%s", BAD[i]);
        cr_expect(strncmp(mcv_error_message(), "bad.json: line 2, column ", 25) == 0, "%s", mcv_error_message());
        cr_expect_null(root.value);
    }
}

Test(json, a_byte_0_is_no_text) {
    static const char TEXT[] = "{\"path\": \"a\\u0000b\"}";
    mcv_json root;
    cr_expect_eq(mcv_json_parse(TEXT, sizeof TEXT - 1, "x", &root), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "expected text, found a byte 0 (\\u0000)"), "%s", mcv_error_message());
}

/* transformers writes the integer 10^30 rounded to a double. */
Test(json, integers_beyond_64_bits_are_reals) {
    mcv_json root = parse("{\"big\": 1000000000000000019884624838656, \"negative\": -9223372036854775809, \"i\": 7,"
                          "\"d\": 1.00000000000000000000000, \"s\": \"\\\"99999999999999999999\", \"last\": "
                          "9223372036854775807}");
    cr_expect_eq(json_real_value(mcv_json_member(&root, "big").value), 1e30);
    cr_expect_eq(json_real_value(mcv_json_member(&root, "negative").value), -0x1p63);
    cr_expect_eq(json_integer_value(mcv_json_member(&root, "i").value), 7);
    cr_expect_eq(json_real_value(mcv_json_member(&root, "d").value), 1.0);
    cr_expect_str_eq(json_string_value(mcv_json_member(&root, "s").value), "\"99999999999999999999");
    cr_expect_eq(json_integer_value(mcv_json_member(&root, "last").value), INT64_MAX);
    mcv_json_free(&root);
}

Test(json, every_truncation_is_refused) {
    static const char TEXT[] = "{\"a\": [1, 2.5e3, {\"b\": \"\\u00e9\"}], \"c\": null, \"d\": true}";
    for (size_t size = 0; size < sizeof TEXT - 1; size++) {
        char *copy = malloc(size + 1); /* exact, so that a sanitizer sees a read beyond the end */
        memcpy(copy, TEXT, size);
        mcv_json root;
        cr_expect_eq(mcv_json_parse(copy, size, "cut", &root), MCV_BAD_INPUT, "%zu bytes", size);
        free(copy);
    }
}

Test(json, nesting_is_limited) {
    char *deep = malloc(1000000);
    memset(deep, '[', 1000000);
    mcv_json root;
    cr_expect_eq(mcv_json_parse(deep, 1000000, "deep", &root), MCV_BAD_INPUT);
    free(deep);
}

Test(json, load_wants_an_object) {
    mcv_json root;
    const char *path = temporary_text("list.json", "[1]");
    cr_expect_eq(mcv_json_load(path, &root), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "list.json: expected an object, found an array"), "%s", mcv_error_message());
    cr_expect_eq(mcv_json_load(temporary_path("none.json"), &root), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "none.json: cannot be opened"), "%s", mcv_error_message());
    cr_assert_eq(mcv_json_load(temporary_text("good.json", "{}"), &root), MCV_OK);
    mcv_json_free(&root);
}
