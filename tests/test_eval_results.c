#include <criterion/criterion.h>

#include "cli/eval_likelihood.h"
#include "cli/eval_results.h"
#include "tests/temporary.h"

static mcv_status open_results(const char *path, const char *about, mcv_eval_results *results) {
    json_t *value = json_loads(about, 0, NULL);
    mcv_status status = mcv_eval_results_open(path, value, results);
    json_decref(value);
    return status;
}

static void append(const char *path, const char *text) {
    FILE *stream = fopen(path, "a");
    cr_assert(stream && fputs(text, stream) >= 0 && fclose(stream) == 0);
}

Test(eval_results, go_on_where_they_end) {
    const char *path = temporary_path("results");
    mcv_eval_results results;
    cr_assert_eq(open_results(path, "{\"a\":1}", &results), MCV_OK, "%s", mcv_error_message());
    cr_expect_eq(mcv_eval_results_count(&results), 0);
    cr_assert_eq(mcv_eval_results_add(&results, json_pack("{s:i}", "x", 7)), MCV_OK);
    cr_assert_eq(mcv_eval_results_close(&results), MCV_OK);

    append(path, "{\"x\":");
    cr_assert_eq(open_results(path, "{\"a\":1}", &results), MCV_OK, "%s", mcv_error_message());
    cr_expect_eq(mcv_eval_results_count(&results), 1, "a line without an end is dropped");
    cr_expect_eq(json_integer_value(json_object_get(json_array_get(results.items, 0), "x")), 7);
    cr_assert_eq(mcv_eval_results_add(&results, json_pack("{s:i}", "x", 8)), MCV_OK);
    cr_assert_eq(mcv_eval_results_close(&results), MCV_OK);

    cr_assert_eq(open_results(path, "{\"a\":1}", &results), MCV_OK, "%s", mcv_error_message());
    cr_expect_eq(mcv_eval_results_count(&results), 2);
    mcv_eval_results_close(&results);
    cr_expect_eq(open_results(path, "{\"a\":2}", &results), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "is of another evaluation: a was 1, is 2"), "%s", mcv_error_message());
    mcv_eval_results_close(&results);
    append(path, "[]\n");
    cr_expect_eq(open_results(path, "{\"a\":1}", &results), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "line 4: expected a JSON object"), "%s", mcv_error_message());
    mcv_eval_results_close(&results);
    cr_expect_eq(open_results("/nowhere/results", "{}", &results), MCV_BAD_INPUT);
    mcv_eval_results_close(&results);
}

Test(eval_results, without_a_file) {
    mcv_eval_results results;
    cr_assert_eq(open_results(NULL, "{}", &results), MCV_OK);
    cr_expect_eq(mcv_eval_results_add(&results, json_object()), MCV_OK);
    cr_expect_eq(mcv_eval_results_add(&results, NULL), MCV_NO_MEMORY);
    cr_expect_eq(mcv_eval_results_count(&results), 1);
    cr_expect_eq(mcv_eval_results_close(&results), MCV_OK);
}

/* ln 2 a token is a perplexity of 2. */
Test(eval_results, sums_of_likelihoods) {
    json_t *items = json_loads("[{\"tokens\": 3, \"nll\": 2.0794415416798357, \"kl\": 0.5, \"max_kl\": 0.25,"
                               " \"max_abs\": 1, \"flips\": 1, \"excused\": 0},"
                               " {\"tokens\": 1, \"nll\": 0.6931471805599453, \"kl\": 0.1, \"max_kl\": 0.1,"
                               " \"max_abs\": 2, \"flips\": 1, \"excused\": 1}]",
                               0, NULL),
           *sum;
    cr_assert_eq(mcv_likelihood_sum(items, &sum), MCV_OK);
    cr_expect_float_eq(json_real_value(json_object_get(sum, "perplexity")), 2, 1e-12);
    cr_expect_float_eq(json_real_value(json_object_get(sum, "kl")), 0.15, 1e-12);
    cr_expect_eq(json_real_value(json_object_get(sum, "max_kl")), 0.25);
    cr_expect_eq(json_real_value(json_object_get(sum, "max_abs")), 2);
    cr_expect_eq(json_real_value(json_object_get(sum, "top_1")), 0.5);
    cr_expect_eq(json_integer_value(json_object_get(sum, "flips")), 2);
    cr_expect_eq(json_integer_value(json_object_get(sum, "excused")), 1);
    cr_expect_eq(json_integer_value(json_object_get(sum, "tokens")), 4);
    json_decref(sum);
    json_array_clear(items);
    cr_expect_eq(mcv_likelihood_sum(items, &sum), MCV_BAD_INPUT, "no tokens");
    json_decref(items);
}
