/* Runs conversations on the reference and hands out all that a golden file holds. */
#ifndef MCV_CLI_RUN_CASE_H
#define MCV_CLI_RUN_CASE_H

#include <jansson.h>

#include "formats/golden_case.h"
#include "ref/modeling_minicpmv.h"

/* Takes what a run makes. A return other than MCV_OK stops the run. */
typedef struct mcv_run_sink {
    mcv_tap_fn tensor; /* inputs, modules' outputs, then generated_ids.NAME, [conversations, new tokens] */
    /* Metadata: "prompts", "temporal_ids" (groups a conversation), then "text.NAME", lists with an item a conversation.
     */
    mcv_status (*text)(void *context, const char *name, const json_t *value);
    mcv_replace_fn replace; /* may put other values in the place of modules' outputs; NULL: nobody does */
    void *context;
    bool attention; /* show `tensor` the resampler's attention, too; see mcv_observer */
} mcv_run_sink;

/* What the case says but for the files it names: its conversations, prompt options and decodings. A case that the
 * model cannot take is MCV_BAD_INPUT. */
mcv_status mcv_run_case(const MiniCPMV *model, const mcv_golden_case *golden_case, const mcv_run_sink *sink);

#endif
