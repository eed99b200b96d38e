/* The outcome of comparisons, for people (a table), for programs (one JSON object) and for CI services (JUnit). */
#ifndef MCV_CLI_REPORT_H
#define MCV_CLI_REPORT_H

#include <jansson.h>

#include "cli/compare.h"
#include "core/buffer.h"

typedef struct mcv_report {
    bool json;
    const char *junit;       /* a file to write; NULL: none */
    mcv_buffer suites;       /* for JUnit */
    json_t *tensors, *texts; /* for JSON: the rows of all cases */
    json_t *errors;          /* for JSON: cases that could not be run */
    size_t cases, failed;    /* counts of cases; those that could not be run are among both */
    size_t not_run;
    size_t rows, failed_rows;
    mcv_buffer first_name, first_place; /* of the first row that failed: its name; case, name and problem in words */
} mcv_report;

/* Release with mcv_report_free, also after a failure. */
mcv_status mcv_report_start(mcv_report *report, bool json, const char *junit);
void mcv_report_free(mcv_report *report);

/* Takes the finished comparison of one case; its table is printed at once. A case in which no tensor element was
 * compared fails. */
mcv_status mcv_report_case(mcv_report *report, const char *case_name, const mcv_comparison *comparison);

/* Takes a case that could not be run, and why. It counts as failed. */
mcv_status mcv_report_error(mcv_report *report, const char *case_path, const char *why);

/* Prints the last line or the JSON object, writes the JUnit file. MCV_DIFFERS where a case failed or none was added. */
mcv_status mcv_report_finish(mcv_report *report);

#endif
