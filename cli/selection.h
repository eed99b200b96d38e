/* Which tensors a command is about: those of some stages of the model, those whose names a regular expression matches.
 */
#ifndef MCV_CLI_SELECTION_H
#define MCV_CLI_SELECTION_H

#include <regex.h>

#include "cli/cli.h"

typedef struct mcv_selection {
    const char *stages; /* "vision,resampler"; NULL: all */
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

/* NULL takes everything. */
bool mcv_selection_takes(const mcv_selection *selection, const char *name);

#endif
