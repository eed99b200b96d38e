#include "cli/base64.h"

#include <criterion/criterion.h>

/* The examples of RFC 4648, section 10. */
Test(base64, examples_of_the_specification) {
    static const char *const PAIRS[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
        mcv_buffer text = {0};
        cr_assert_eq(mcv_base64_encode(PAIRS[i][0], strlen(PAIRS[i][0]), &text), MCV_OK);
        cr_expect_str_eq(mcv_buffer_text(&text), PAIRS[i][1]);
        mcv_buffer_free(&text);
    }
}

Test(base64, bytes_of_any_value) {
    static const unsigned char BYTES[] = {0xff, 0xef, 0xbe, 0x00, 0x80};
    mcv_buffer text = {0};
    cr_assert_eq(mcv_base64_encode(BYTES, sizeof BYTES, &text), MCV_OK);
    cr_expect_str_eq(mcv_buffer_text(&text), "/+++AIA=");
    mcv_buffer_free(&text);
}
