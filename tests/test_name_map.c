#include <criterion/criterion.h>

#include "formats/name_map.h"
#include "tests/temporary.h"

static mcv_status read_rules(const char *text, mcv_name_map **map) {
    return mcv_name_map_read(temporary_file("names", text, strlen(text)), map);
}

/* What a name becomes; NULL where it is left out. */
static const char *translate(const mcv_name_map *map, const char *name) {
    static char kept[256];
    char *translated;
    cr_assert_eq(mcv_name_map_translate(map, name, &translated), MCV_OK);
    if (!translated)
        return NULL;
    snprintf(kept, sizeof kept, "%s", translated);
    free(translated);
    return kept;
}

Test(name_map, translates) {
    mcv_name_map *map;
    cr_assert_eq(read_rules("# a remark\n"
                            "l_out-([0-9]+)\tllm.model.layers.\\1 # another\r\n"
                            "\n"
                            "(v|t)\\.blk\\.([0-9]+)\\.(.*)   \\1pm.\\3.\\2\n"
                            "rope.*  -\n"
                            "l_out-7 never\n",
                            &map),
                 MCV_OK, "%s", mcv_error_message());
    cr_expect_str_eq(translate(map, "l_out-12"), "llm.model.layers.12");
    cr_expect_str_eq(translate(map, "l_out-7"), "llm.model.layers.7", "the first line counts");
    cr_expect_str_eq(translate(map, "v.blk.3.ffn"), "vpm.ffn.3");
    cr_expect_null(translate(map, "rope_x"));
    cr_expect_str_eq(translate(map, "xl_out-12"), "xl_out-12", "a whole name has to match");
    cr_expect_str_eq(translate(map, "l_out-12x"), "l_out-12x");
    cr_expect_str_eq(translate(NULL, "l_out-12"), "l_out-12");
    mcv_name_map_free(map);
}

Test(name_map, parts_that_did_not_match_are_empty) {
    mcv_name_map *map;
    cr_assert_eq(read_rules("a(b)?c x\\1y", &map), MCV_OK);
    cr_expect_str_eq(translate(map, "abc"), "xby");
    cr_expect_str_eq(translate(map, "ac"), "xy");
    mcv_name_map_free(map);
}

Test(name_map, bad_rules) {
    const char *const bad[] = {"",        "# nothing\n", "one\n",     "one two three\n",
                               "(x y\n",  "x \\1\n",     "(x) \\2\n", "x a\\",
                               "x \\0\n", "a b\0c",      "a{2} x\n",  "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mcv_name_map *map;
        size_t size = i == 9 ? 5 : strlen(bad[i]);
        cr_expect_eq(mcv_name_map_read(temporary_file("names", bad[i], size), &map), MCV_BAD_INPUT, "%s", bad[i]);
        cr_expect_null(map);
    }
    mcv_name_map *map;
    cr_expect_eq(read_rules("a b\n\nc\n", &map), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "names: line 3: expected a regular expression and a name, found 1 word"),
              "%s", mcv_error_message());
    cr_expect_eq(mcv_name_map_read("nowhere/names", &map), MCV_BAD_INPUT);
}

/* These would take regcomp() memory without end, or all of the stack. */
Test(name_map, patterns_are_limited) {
    enum { BRACKETS = 100000 };
    static char deep[2 * BRACKETS + 8];
    mcv_name_map *map;
    memset(deep, '(', BRACKETS);
    memset(deep + BRACKETS, ')', BRACKETS);
    memcpy(deep + sizeof deep - 8, " x", 3);
    cr_expect_eq(read_rules(deep, &map), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "a pattern of 200000 bytes, at most 256"), "%s", mcv_error_message());
    cr_expect_eq(read_rules("((a{999}){999}){999} x", &map), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "counts in braces"), "%s", mcv_error_message());
    cr_assert_eq(read_rules("a\\{2} x", &map), MCV_OK, "%s", mcv_error_message());
    cr_expect_str_eq(translate(map, "a{2}"), "x");
    mcv_name_map_free(map);
}
