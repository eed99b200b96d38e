/* Compares the tensors of a run, one by one as they arrive, with those of a golden file.
 *
 * What is demanded of each tensor says a table of tolerances. Integers must be equal unless the table only shows them.
 * A NaN, an infinity, a golden tensor that never arrives, and zero comparisons fail whatever the table says; a shape
 * that differs, unless the tensor is only shown. Rows of padded positions are passed over. */
#ifndef MCV_CLI_COMPARE_H
#define MCV_CLI_COMPARE_H

#include <jansson.h>

#include "cli/measure.h"
#include "cli/padding.h"
#include "cli/selection.h"
#include "cli/tolerances.h"
#include "core/arena.h"

/* What was found for one golden tensor, or for one text. */
typedef struct mcv_comparison_row {
    const char *name;  /* golden's spelling */
    const char *other; /* what messages call golden's side */
    mcv_tensor golden; /* its data must not be read after the golden file is closed */
    bool is_text;
    mcv_measures measures; /* of texts, and where the shapes differ or the tensor is missing: nothing compared */
    bool pass;
    bool shown;        /* it passes because nothing is demanded of it */
    char problem[256]; /* "" or why it fails: numbers, the worst or first unequal element */
} mcv_comparison_row;

/* What is compared, and how. All of it stays the caller's and must live as long as the comparison. */
typedef struct mcv_comparison_options {
    const mcv_dump *golden, *exact; /* exact, an FP64 run, may be NULL */
    const char *other;              /* what messages call golden's side: "B", say; NULL: "golden" */
    mcv_tolerances *tolerances;
    const mcv_selection *selection; /* NULL: everything */
    bool common_only;               /* golden tensors that never arrive are passed over */
    bool loose_shapes;              /* dimensions of size 1 do not count, and neighbours may be joined */
    bool ours_is_mapped;            /* our tensors are views of mapped files, whose memory is given back once read */
} mcv_comparison_options;

typedef struct mcv_comparison {
    mcv_comparison_options of;
    mcv_padding padding;
    bool *arrived; /* [tensors of golden] */
    mcv_comparison_row *rows;
    size_t num_rows, capacity;
    mcv_arena names;
} mcv_comparison;

/* Release with mcv_comparison_free, also after a failure. */
mcv_status mcv_comparison_start(mcv_comparison *comparison, const mcv_comparison_options *options);
void mcv_comparison_free(mcv_comparison *comparison);

/* The golden tensor that goes by this name, selected or not; false where there is none. */
bool mcv_comparison_golden(const mcv_comparison *comparison, const char *name, mcv_tensor *golden);

/* An mcv_tap_fn whose context is the comparison. A tensor that golden lacks or that is not selected is passed over, a
 * second one of the same name fails. */
mcv_status mcv_comparison_tensor(void *comparison, const char *name, const mcv_tensor *ours);

/* Compares a JSON value (prompts, texts) with golden's, which is given as JSON text. */
mcv_status mcv_comparison_json(mcv_comparison *comparison, const char *name, const json_t *ours, const char *golden);

/* Makes a tensor fail for another reason, such as bits that differ between runs. */
mcv_status mcv_comparison_reject(mcv_comparison *comparison, const char *name, const char *problem);

/* Whether every selected golden tensor has arrived. */
bool mcv_comparison_is_complete(const mcv_comparison *comparison);

/* Brings all rows into the order of execution. */
void mcv_comparison_sort(mcv_comparison *comparison);
/* Reports what never arrived, then sorts. */
mcv_status mcv_comparison_finish(mcv_comparison *comparison);

/* The first row that fails, NULL where none does. */
const mcv_comparison_row *mcv_comparison_first_failure(const mcv_comparison *comparison);

/* Where an element of the flattened tensor lies: an index an axis, in `shape`. As words: "[3, 0, 17]"; returns `text`.
 */
mcv_tensor mcv_index_place(const mcv_tensor *tensor, size_t index);
const char *mcv_index_text(const mcv_tensor *tensor, size_t index, char *text, size_t size);

/* Rows in which at least one element was compared; texts count where they may have been all that was selected. */
size_t mcv_comparison_count(const mcv_comparison *comparison);

#endif
