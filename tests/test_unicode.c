/* Expectations: fixtures/tokenizer/unicode.json, computed by the tokenizers package. */
#include <criterion/criterion.h>
#include <jansson.h>

#include "ref/unicode.h"
#include "ref/utf8.h"

static json_t *load_fixture(void) {
    json_error_t error;
    json_t *fixture = json_load_file("tests/fixtures/tokenizer/unicode.json", JSON_ALLOW_NUL, &error);
    cr_assert(fixture, "%s", error.text);
    return fixture;
}

/* FNV-1a, 64 bits. */
static uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001B3;
    return hash;
}

static const uint64_t HASH_START = 0xCBF29CE484222325;

static void expect_hash(uint64_t hash, const json_t *expected) {
    char text[17];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
    cr_expect_str_eq(text, json_string_value(expected));
}

static bool is_surrogate(uint32_t code_point) {
    return code_point >= 0xD800 && code_point < 0xE000;
}

Test(unicode, properties_of_every_code_point) {
    json_t *fixture = load_fixture();
    const json_t *counts = json_object_get(fixture, "counts");
    bool (*const properties[])(uint32_t) = {unicode_is_letter, unicode_is_number, unicode_is_space, unicode_is_word};
    json_int_t found[4] = {0};
    uint64_t hash = HASH_START;
    for (uint32_t c = 0; c < 0x110000; c++) {
        if (is_surrogate(c))
            continue;
        char bits = 0;
        for (int i = 0; i < 4; i++)
            bits = (char)(bits | properties[i](c) << i);
        for (int i = 0; i < 4; i++)
            found[i] += bits >> i & 1;
        hash = hash_bytes(hash, &bits, 1);
    }
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(found[i], json_integer_value(json_array_get(counts, i)), "property %zu", i);
    expect_hash(hash, json_object_get(fixture, "classes"));
    json_decref(fixture);
}

Test(unicode, nfc_of_every_code_point) {
    json_t *fixture = load_fixture();
    mcv_buffer normalized = {0};
    uint64_t hash = HASH_START;
    for (uint32_t c = 0; c < 0x110000; c++) {
        if (is_surrogate(c))
            continue;
        char bytes[4];
        normalized.size = 0;
        cr_assert_eq(unicode_nfc(bytes, utf8_put(c, bytes), &normalized), MCV_OK);
        hash = hash_bytes(hash, normalized.data, normalized.size);
    }
    expect_hash(hash, json_object_get(fixture, "nfc"));
    mcv_buffer_free(&normalized);
    json_decref(fixture);
}

Test(unicode, nfc_of_sequences) {
    json_t *fixture = load_fixture();
    size_t index;
    json_t *pair;
    json_array_foreach(json_object_get(fixture, "texts"), index, pair) {
        const json_t *text = json_array_get(pair, 0), *expected = json_array_get(pair, 1);
        mcv_buffer normalized = {0};
        cr_assert_eq(unicode_nfc(json_string_value(text), json_string_length(text), &normalized), MCV_OK);
        cr_expect_str_eq(normalized.data, json_string_value(expected), "text %zu", index);
        mcv_buffer_free(&normalized);
    }
    cr_expect_gt(index, 100);
    json_decref(fixture);
}

/* Marks in descending order, which a sort by insertion would take hours for. */
Test(unicode, nfc_of_a_long_run_of_marks) {
    enum { COUNT = 500000 };
    mcv_buffer text = {0}, normalized = {0};
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(mcv_buffer_append_string(&text, "\xCC\x81\xCC\x96"), MCV_OK); /* U+0301, U+0316 */
    cr_assert_eq(unicode_nfc(text.data, text.size, &normalized), MCV_OK);
    cr_assert_eq(normalized.size, text.size);
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert_arr_eq(normalized.data + 2 * i, "\xCC\x96", 2);
        cr_assert_arr_eq(normalized.data + 2 * (COUNT + i), "\xCC\x81", 2);
    }
    mcv_buffer_free(&text);
    mcv_buffer_free(&normalized);
}

Test(utf8, every_code_point_survives) {
    for (uint32_t c = 0; c < 0x110000; c++) {
        char bytes[4];
        size_t size = utf8_put(c, bytes);
        Utf8Character character = utf8_next(bytes, size);
        if (is_surrogate(c)) {
            cr_assert_eq(character.kind, UTF8_INVALID, "U+%04X", c);
            continue;
        }
        cr_assert(character.kind == UTF8_VALID && character.code_point == c && character.size == size, "U+%04X", c);
        for (size_t cut = 1; cut < size; cut++) {
            character = utf8_next(bytes, cut);
            cr_assert(character.kind == UTF8_CUT && character.size == cut, "U+%04X", c);
        }
    }
}

/* The Unicode Standard, section 3.9, tables 3-8 to 3-11: U+FFFD substitution of maximal subparts. */
Test(utf8, maximal_subparts) {
    static const struct {
        const char *bytes;
        size_t sizes[8];
    } CASES[] = {
        {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82", {1, 1, 1, 1, 1, 1, 1, 1}},
        {"\xED\xA0\x80\xED\xBF\xBF", {1, 1, 1, 1, 1, 1}},
        {"\xF4\x91\x92\x93\xFF", {1, 1, 1, 1, 1}},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF", {2, 1, 3, 2}},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        size_t size = strlen(CASES[i].bytes), at = 0;
        for (size_t part = 0; part < 8 && CASES[i].sizes[part]; part++) {
            Utf8Character character = utf8_next(CASES[i].bytes + at, size - at);
            cr_expect_neq(character.kind, UTF8_VALID);
            cr_expect_eq(character.size, CASES[i].sizes[part], "case %zu, part %zu", i, part);
            at += character.size;
        }
        cr_expect_eq(at, size);
    }
}
