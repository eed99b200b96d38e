/* Results of an evaluation, item by item, as JSON objects; kept in a file where one is named, so that a run that was
 * broken off goes on behind the last item that it finished.
 *
 * The file has a JSON object a line: first one that says what is evaluated, then each item's result. A last line that
 * was not completed is dropped. */
#ifndef MCV_CLI_EVAL_RESULTS_H
#define MCV_CLI_EVAL_RESULTS_H

#include <jansson.h>
#include <stdio.h>

#include "core/memory.h"

typedef struct mcv_eval_results {
    const char *path; /* NULL: kept in memory alone */
    FILE *stream;
    json_t *items; /* [finished] */
} mcv_eval_results;

/* `about` says what is evaluated. path NULL: no file. MCV_BAD_INPUT: the file is of another evaluation, or damaged.
 * Release with mcv_eval_results_close, also after a failure. */
mcv_status mcv_eval_results_open(const char *path, const json_t *about, mcv_eval_results *results);
mcv_status mcv_eval_results_close(mcv_eval_results *results);

/* MCV_BAD_INPUT with the first thing in which the evaluation that a file is of differs from the one at hand. */
mcv_status mcv_eval_fail_other(const char *path, json_t *found, const json_t *about);

/* How many items are finished. */
size_t mcv_eval_results_count(const mcv_eval_results *results);
/* Adds the next item's result, whose reference it takes; NULL: memory was short. */
mcv_status mcv_eval_results_add(mcv_eval_results *results, json_t *result);

#endif
