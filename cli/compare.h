/* Compares the tensors of a run, one by one as they arrive, with those of a golden file.
 *
 * Integers and pixel values must be equal. Of other tensors norm(ours - golden) / norm(golden) has a limit. Where an
 * FP64 run is known ("exact"), it is the distance to that run which must be at most half of golden's own, or what
 * rounding to FP32 costs (with 5% of room). A wider limit on the distance to golden stays, because a golden file that
 * was spoilt would widen its
 * own allowance. A NaN, an infinity, a shape that differs, a golden tensor that never arrives, and zero comparisons
 * fail. Rows of padded positions are passed over. */
#ifndef MCV_CLI_COMPARE_H
#define MCV_CLI_COMPARE_H

#include <jansson.h>

#include "cli/measure.h"
#include "cli/padding.h"
#include "core/arena.h"

/* The limits of norm(ours - golden) / norm(golden) for FP32. */
#define MCV_REFERENCE_LIMIT 2e-6
/* The same where an FP64 run is known, which is the stricter judge of all but spoilt files. */
#define MCV_SPOILT_LIMIT 1e-5

/* What was found for one golden tensor, or for one text. */
typedef struct mcv_comparison_row {
    const char *name;  /* golden's spelling */
    mcv_tensor golden; /* its data must not be read after the golden file is closed */
    bool is_text;
    mcv_measures measures; /* of texts, and where the shapes differ or the tensor is missing: nothing compared */
    bool pass;
    char problem[256]; /* "" or why it fails: numbers, the worst or first unequal element */
} mcv_comparison_row;

typedef struct mcv_comparison {
    const mcv_safetensors *golden, *exact; /* exact may be NULL */
    double limit;
    mcv_padding padding;
    bool *arrived; /* [tensors of golden] */
    mcv_comparison_row *rows;
    size_t num_rows, capacity;
    mcv_arena names;
} mcv_comparison;

/* Both files stay the caller's and must live as long as the comparison. Release with mcv_comparison_free, also after
 * a failure. */
mcv_status mcv_comparison_start(mcv_comparison *comparison, const mcv_safetensors *golden, const mcv_safetensors *exact,
                                double limit);
void mcv_comparison_free(mcv_comparison *comparison);

/* An mcv_tap_fn whose context is the comparison. A tensor that golden lacks is passed over, a second one of the same
 * name fails. */
mcv_status mcv_comparison_tensor(void *comparison, const char *name, const mcv_tensor *ours);

/* Compares a JSON value (prompts, texts) with golden's, which is given as JSON text. */
mcv_status mcv_comparison_json(mcv_comparison *comparison, const char *name, const json_t *ours, const char *golden);

/* Makes a tensor fail for another reason, such as bits that differ between runs. */
mcv_status mcv_comparison_reject(mcv_comparison *comparison, const char *name, const char *problem);

/* Reports what never arrived and brings all rows into the order of execution. */
mcv_status mcv_comparison_finish(mcv_comparison *comparison);

/* The first row that fails, NULL where none does. */
const mcv_comparison_row *mcv_comparison_first_failure(const mcv_comparison *comparison);

/* Where an element of the flattened tensor lies: an index an axis, in `shape`. As words: "[3, 0, 17]"; returns `text`.
 */
mcv_tensor mcv_index_place(const mcv_tensor *tensor, size_t index);
const char *mcv_index_text(const mcv_tensor *tensor, size_t index, char *text, size_t size);

/* Rows in which at least one element was compared. */
size_t mcv_comparison_count(const mcv_comparison *comparison);

#endif
