#include <criterion/criterion.h>
#include <string.h>

#include "cli/json_output.h"
#include "cli/problems.h"

/* What becomes of a text on the list; to be released with free(). */
static char *listed(const char *text) {
    json_t *problems = json_array();
    cr_assert_eq(mcv_problems_add(problems, "%s", text), MCV_OK);
    cr_assert_eq(json_array_size(problems), 1);
    char *kept = strdup(json_string_value(json_array_get(problems, 0)));
    json_decref(problems);
    return kept;
}

Test(problems, the_same_thing_is_listed_once) {
    json_t *problems = json_array();
    for (int i = 0; i < 4; i++)
        cr_expect_eq(mcv_problems_add(problems, "number %d, \xff", i / 2), MCV_OK);
    cr_expect_eq(json_array_size(problems), 2);
    json_decref(problems);
}

Test(problems, bytes_that_are_no_utf8_are_replaced) {
    static const char *const TEXTS[][2] = {{"h\xc3\xa9 \xf0\x9f\x98\x80", "h\xc3\xa9 \xf0\x9f\x98\x80"},
                                           {"a\xff\xfe\"", "a\xef\xbf\xbd\xef\xbf\xbd\""},
                                           {"a\xc3", "a\xef\xbf\xbd"},
                                           {"\xed\x95.", "\xef\xbf\xbd."}};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        char *kept = listed(TEXTS[i][0]);
        cr_expect_str_eq(kept, TEXTS[i][1]);
        free(kept);
    }
}

Test(problems, a_long_text_is_cut_between_characters) {
    char text[1204] = "";
    for (int shift = 0; shift < 4; shift++) {
        memset(text, 'a', (size_t)shift);
        for (int i = 0; i < 300; i++)
            memcpy(text + shift + 4 * i, "\xf0\x9f\x98\x80", 4);
        text[shift + 1196] = 0;
        char *kept = listed(text);
        cr_expect_eq(strlen(kept), (size_t)shift + (1023 - (size_t)shift) / 4 * 4);
        cr_expect_eq(strncmp(text, kept, strlen(kept)), 0);
        free(kept);
    }
}

Test(json_output, what_cannot_be_printed_is_a_failure) {
    cr_expect_eq(mcv_json_print(json_pack("[o]", json_string_nocheck("a\xff"))), MCV_BAD_INPUT);
    cr_expect_eq(mcv_json_print(NULL), MCV_NO_MEMORY);
    cr_expect_eq(mcv_json_print(json_pack("[s]", "a")), MCV_OK);
}
