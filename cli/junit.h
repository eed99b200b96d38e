/* JUnit's XML, the form in which CI services show test results: a suite a case, a test a tensor.
 * Form: https://github.com/testmoapp/junitxml */
#ifndef MCV_CLI_JUNIT_H
#define MCV_CLI_JUNIT_H

#include "cli/compare.h"
#include "core/buffer.h"

/* Appends the <testsuite> of a finished comparison. One in which nothing was compared gets a failing test that says so.
 */
mcv_status mcv_junit_add_case(mcv_buffer *suites, const char *case_name, const mcv_comparison *comparison);

/* Appends the suite of a case that could not be run. */
mcv_status mcv_junit_add_error(mcv_buffer *suites, const char *case_name, const char *why);

/* Writes a file of all suites. */
mcv_status mcv_junit_write(const mcv_buffer *suites, const char *path);

#endif
