/* A question on the command line, as a case: images, then a text, asked by the user. */
#ifndef MCV_CLI_QUESTION_H
#define MCV_CLI_QUESTION_H

#include "cli/cli.h"
#include "formats/golden_case.h"

/* For the option tables of commands that take one. */
#define MCV_QUESTION_OPTIONS                                                                                           \
    {'i', "image", "FILE", "show an image; several in their order"}, {'p', "prompt", "TEXT", "ask this"},              \
        {0, "system", "TEXT", "a system prompt"}, {0, "thinking", NULL, "let the model think"}, {                      \
        0, "max-slice-nums", "N", "slices of an image at most (default: the model's own)"                              \
    }

/* Reads those options. MCV_USAGE: no prompt. Release with mcv_golden_case_free, also after a failure. */
mcv_status mcv_question_read(const mcv_arguments *arguments, mcv_golden_case *made);

/* MCV_USAGE where one of the options was given, though `instead` says all that they could. */
mcv_status mcv_question_refuse(const mcv_arguments *arguments, const char *instead);

#endif
