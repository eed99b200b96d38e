/* The outcome of comparisons: counts, the first divergence, and the forms in which it is shown. Each form is a sink in
 * a file of its own; any number of them hear the same. To add one, write report_NAME.c with a function that fills in a
 * mcv_report_sink, and call it in mcv_report_open. */
#ifndef MCV_CLI_REPORT_H
#define MCV_CLI_REPORT_H

#include "cli/cli.h"
#include "cli/compare.h"
#include "cli/vision_record.h"
#include "core/buffer.h"
#include "formats/golden_case.h"

/* One case that was run, or one pair of dumps. All of it is valid during the call only. */
typedef struct mcv_case_outcome {
    const char *name;
    const mcv_comparison *comparison;   /* finished: rows in the order of execution */
    const mcv_golden_case *golden_case; /* its conversations and images; NULL for a pair of dumps */
    const char *model;                  /* the model's folder; NULL for a pair of dumps */
    const char *ours, *golden, *exact;  /* the files or folders that were compared; NULL where there is none */
    const mcv_vision_record *vision;    /* what the run showed of its images; NULL: nothing was recorded */
} mcv_case_outcome;

typedef struct mcv_report_summary {
    size_t cases, failed; /* counts of cases; those that could not be run are among both */
    size_t not_run;
    size_t rows, failed_rows;
    size_t shown_rows;       /* that are among no others: nothing is demanded of them */
    bool differs;            /* a case failed, or none was compared */
    const char *first_name;  /* the name of the first row that failed; NULL: there is none */
    const char *first_place; /* its case, name and problem in words; "nothing was compared" where that is what failed */
} mcv_report_summary;

/* A form of the report. What it does not care for is NULL. */
typedef struct mcv_report_sink {
    mcv_status (*take_case)(void *context, const mcv_case_outcome *outcome);
    /* A case that could not be run, and why. */
    mcv_status (*take_error)(void *context, const char *case_path, const char *why);
    /* After all cases. */
    mcv_status (*finish)(void *context, const mcv_report_summary *summary);
    void (*free)(void *context); /* called in any case */
    void *context;
} mcv_report_sink;

enum { MCV_MOST_SINKS = 4 };

typedef struct mcv_report {
    mcv_report_sink sinks[MCV_MOST_SINKS];
    int num_sinks;
    bool words_only; /* a person reads it: an error alone needs no report around it */
    mcv_report_summary summary;
    mcv_buffer first_name, first_place;
} mcv_report;

/* The options --format, --junit, --report and (of every command) --json, for the tables of commands that report. */
#define MCV_REPORT_OPTIONS                                                                                             \
    {0, "format", "FORMAT", "text (default), json, jsonl or junit, on standard output"},                               \
        {0, "junit", "FILE", "write the results as JUnit's XML, too"}, {                                               \
        0, "report", "FILE.html", "write a page to look at the results, too"                                           \
    }

/* Chooses the sinks by those options. Release with mcv_report_close, also after a failure. */
mcv_status mcv_report_open(mcv_report *report, const mcv_arguments *arguments);
void mcv_report_close(mcv_report *report);

/* Takes a case. One in which no tensor element was compared fails. */
mcv_status mcv_report_case(mcv_report *report, const mcv_case_outcome *outcome);

/* Takes a case that could not be run, and why. It counts as failed. */
mcv_status mcv_report_error(mcv_report *report, const char *case_path, const char *why);

/* Lets the sinks finish. MCV_DIFFERS where a case failed or none was added. */
mcv_status mcv_report_finish(mcv_report *report);

/* The forms. Each fills in *sink, whose `free` is to be called in any case once this has returned MCV_OK. */

/* A table a case, then the last line: the first divergence, or that all are equal. On standard output. */
mcv_status mcv_report_text(mcv_report_sink *sink);
/* One JSON object for all, or (lines) one a tensor as soon as its case is done and one at the end. */
mcv_status mcv_report_json(mcv_report_sink *sink);
mcv_status mcv_report_json_lines(mcv_report_sink *sink);
/* JUnit's XML into a file ("-": standard output), the form in which CI services show results: a suite a case, a test a
 * tensor. Form: https://github.com/testmoapp/junitxml */
mcv_status mcv_report_junit(const char *path, mcv_report_sink *sink);
/* A page for people: cli/report_page.html with the results in it, one file that needs nothing else. */
mcv_status mcv_report_html(const mcv_arguments *arguments, const char *path, mcv_report_sink *sink);

/* What several forms say alike: a row as JSON, and one of its elements,
 * {"index": [0, 3], "ours": 1.5, "golden": 1.25, "exact": 1.3}, the last where an exact tensor is known. */
json_t *mcv_report_describe_row(const char *case_name, const mcv_comparison_row *row);
json_t *mcv_report_describe_element(const mcv_comparison_row *row, const mcv_element *element);

#endif
