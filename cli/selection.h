/* Which tensors a command is about: those of some stages of the model, those whose names a regular expression matches.
 */
#ifndef MCV_CLI_SELECTION_H
#define MCV_CLI_SELECTION_H

#include <regex.h>

#include "cli/cli.h"

typedef struct mcv_selection {
    const char *stages;  /* "vision,resampler"; NULL: all */
    const char *pattern; /* what `filter` was made of */
    regex_t filter;
    bool has_filter;
} mcv_selection;

/* For the option tables of commands that select. */
#define MCV_FILTER_OPTION                                                                                              \
    { 0, "filter", "REGEX", "only tensors whose names match (an extended regular expression)" }
#define MCV_STAGE_OPTION                                                                                               \
    { 0, "stage", "STAGE[,STAGE...]", "only these: inputs, vision, resampler, embeddings, llm, generation" }

/* Reads --stage and --filter. Release with mcv_selection_close, also after a failure. */
mcv_status mcv_selection_open(mcv_selection *selection, const mcv_arguments *arguments);
void mcv_selection_close(mcv_selection *selection);

/* Whether it leaves anything out. */
bool mcv_selection_is_partial(const mcv_selection *selection);

/* For a command in whose input nothing is selected: MCV_USAGE with the options that say so. `where`: "B" and the like.
 */
mcv_status mcv_selection_refuse(const mcv_selection *selection, const char *where);

/* NULL takes everything. */
bool mcv_selection_takes(const mcv_selection *selection, const char *name);

#endif
