#include <criterion/criterion.h>

#include "cli/selection.h"

/* The selection of --stage and --filter; each may be NULL. */
static mcv_status open_selection(const char *stage, const char *filter, mcv_selection *selection) {
    mcv_given_option given[2];
    mcv_arguments arguments = {.given = given};
    if (stage)
        given[arguments.num_given++] = (mcv_given_option){"stage", stage};
    if (filter)
        given[arguments.num_given++] = (mcv_given_option){"filter", filter};
    return mcv_selection_open(selection, &arguments);
}

Test(selection, takes) {
    mcv_selection selection;
    cr_assert_eq(open_selection(NULL, NULL, &selection), MCV_OK);
    cr_expect(!mcv_selection_is_partial(&selection) && mcv_selection_takes(&selection, "anything"));
    cr_expect(!mcv_selection_is_partial(NULL) && mcv_selection_takes(NULL, "anything"));

    cr_assert_eq(open_selection("vision,llm", NULL, &selection), MCV_OK);
    cr_expect(mcv_selection_is_partial(&selection));
    cr_expect(mcv_selection_takes(&selection, "vpm.embeddings") && mcv_selection_takes(&selection, "llm.lm_head"));
    cr_expect(!mcv_selection_takes(&selection, "resampler") && !mcv_selection_takes(&selection, "anything"));

    cr_assert_eq(open_selection(NULL, "layers\\.[12]\\.", &selection), MCV_OK);
    cr_expect(mcv_selection_takes(&selection, "llm.model.layers.1.mlp"));
    cr_expect(!mcv_selection_takes(&selection, "llm.model.layers.11.mlp"));
    mcv_selection_close(&selection);

    cr_assert_eq(open_selection("vision", "mlp$", &selection), MCV_OK);
    cr_expect(mcv_selection_takes(&selection, "vpm.encoder.layers.0.mlp"));
    cr_expect(!mcv_selection_takes(&selection, "llm.model.layers.0.mlp"));
    cr_expect(!mcv_selection_takes(&selection, "vpm.encoder.layers.0.self_attn"));
    mcv_selection_close(&selection);
}

Test(selection, bad_options) {
    mcv_selection selection;
    const char *const stages[] = {"", "visio", "visions", "vision,", ",vision", "vision,,llm"};
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        cr_expect_eq(open_selection(stages[i], NULL, &selection), MCV_USAGE, "'%s'", stages[i]);
    cr_expect_eq(open_selection(NULL, "(", &selection), MCV_USAGE);
    cr_expect(strstr(mcv_error_message(), "--filter (: no regular expression"), "%s", mcv_error_message());
    mcv_selection_close(&selection);
}
