#include <criterion/criterion.h>
#include <math.h>

#include "cli/tolerances.h"

static mcv_status read_rules(const char *text, mcv_tolerances **tolerances) {
    return mcv_tolerances_read(text, strlen(text), "rules", "fast", "bf16", tolerances);
}

static const mcv_tolerance *find(mcv_tolerances *tolerances, const char *name) {
    const mcv_tolerance *found = NULL;
    cr_assert_eq(mcv_tolerances_find(tolerances, name, &found), MCV_OK, "%s", mcv_error_message());
    return found;
}

Test(tolerances, first_line_of_engine_and_dtype_counts) {
    mcv_tolerances *tolerances;
    cr_assert_eq(read_rules("ref  *    *         equal\n"
                            "*    f32  *         equal\n"
                            "*    bf16 vpm*      rel_l2=1e-2 cosine=0.99 # both\n"
                            "fast *    vpm.x     rel_l2=1\n"
                            "fast bf16 text.?    shown\n"
                            "*    *    *         max_abs=1 max_rel=2 ulp_p99=3 ulp_max=4 exact=5 "
                            "rel_l2_beside_exact=6\n",
                            &tolerances),
                 MCV_OK, "%s", mcv_error_message());
    const mcv_tolerance *found = find(tolerances, "vpm.x");
    cr_expect(found->rel_l2 == 1e-2 && found->cosine == 0.99 && isinf(found->max_abs) && !found->equal);
    cr_expect(find(tolerances, "text.a")->shown);
    found = find(tolerances, "text.ab");
    cr_expect(!found->shown && found->max_abs == 1 && found->max_rel == 2 && found->ulp_p99 == 3 &&
              found->ulp_max == 4 && found->exact == 5 && found->rel_l2_beside_exact == 6 && isinf(found->rel_l2) &&
              isinf(-found->cosine));
    mcv_tolerances_set_rel_l2(tolerances, 7);
    cr_expect_eq(find(tolerances, "vpm")->rel_l2, 7);
    cr_expect(isinf(find(tolerances, "llm")->rel_l2), "no limit stays none");
    mcv_tolerances_free(tolerances);
}

Test(tolerances, names_that_nothing_matches) {
    mcv_tolerances *tolerances;
    const mcv_tolerance *found;
    cr_assert_eq(read_rules("* * vpm equal\n* * llm.* equal\n", &tolerances), MCV_OK);
    cr_expect_eq(mcv_tolerances_find(tolerances, "resampler", &found), MCV_BAD_INPUT);
    cr_expect_str_eq(mcv_error_message(), "rules: no line for engine fast, dtype bf16, tensor resampler");
    cr_expect_eq(mcv_tolerances_check_names(tolerances), MCV_BAD_INPUT, "no tensor was named vpm");
    cr_expect(strstr(mcv_error_message(), "rules: no tensor is named vpm"), "%s", mcv_error_message());
    find(tolerances, "vpm");
    cr_expect_eq(mcv_tolerances_check_names(tolerances), MCV_OK, "patterns may match nothing");
    mcv_tolerances_free(tolerances);
}

Test(tolerances, bad_rules) {
    const char *const bad[] = {"",
                               "* * vpm\n",
                               "* * vpm rel_l3=1\n",
                               "* * vpm rel_l2\n",
                               "* * vpm rel_l2=\n",
                               "* * vpm rel_l2=x\n",
                               "* * vpm rel_l2=1x\n",
                               "* * vpm rel_l2=nan\n",
                               "* * vpm rel_l2=inf\n",
                               "* * vpm equal shown\n",
                               "* * vpm rel_l2=1 equal\n",
                               "ref f32 vpm rel_l2=\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mcv_tolerances *tolerances;
        cr_expect_eq(read_rules(bad[i], &tolerances), MCV_BAD_INPUT, "%s", bad[i]);
        cr_expect_null(tolerances);
    }
}

Test(tolerances, the_programs_own) {
    static const char *const NAMES[] = {"prompts",    "temporal_ids", "input_ids",   "pixel_values.0.0",
                                        "vpm#2",      "resampler",    "llm.lm_head", "generated_ids.greedy",
                                        "text.greedy"};
    mcv_tolerances *tolerances;
    cr_assert_eq(mcv_tolerances_open(&(mcv_arguments){0}, "ref", &tolerances), MCV_OK, "%s", mcv_error_message());
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        find(tolerances, NAMES[i]);
    cr_expect(find(tolerances, "pixel_values.0.0")->equal && find(tolerances, "generated_ids.greedy")->equal);
    const mcv_tolerance *found = find(tolerances, "llm.model.layers.3.mlp");
    cr_expect(found->rel_l2 == 2e-6 && found->exact == 0.5 && found->rel_l2_beside_exact == 1e-5);
    cr_expect_eq(mcv_tolerances_check_names(tolerances), MCV_OK);
    mcv_tolerances_free(tolerances);
}
