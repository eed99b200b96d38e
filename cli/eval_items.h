/* The items of an evaluation: the lines of a task file, or the windows of a text. */
#ifndef MCV_CLI_EVAL_ITEMS_H
#define MCV_CLI_EVAL_ITEMS_H

#include "cli/eval_likelihood.h"
#include "cli/eval_results.h"
#include "core/buffer.h"

typedef struct mcv_eval_items {
    const char *file;   /* the input's path */
    const char *folder; /* the one it is in */
    int max_slice_nums; /* for every item; 0: the item's or the model's */
    int context;        /* ids of a window */
    mcv_likelihood_options likelihood;
    mcv_eval_results *results; /* those of the items that are finished; the others' are added */
    FILE *answers;             /* NULL: not asked for */
} mcv_eval_items;

/* Lets the model answer each line's question. A result: {"ability", "right", "answer"}. */
mcv_status mcv_eval_answers(const mcv_eval_items *items, const mcv_buffer *task);

/* Scores each line's own answer behind its question. */
mcv_status mcv_eval_task_likelihood(const mcv_eval_items *items, const mcv_buffer *task);

/* Scores a text, `context` ids at a time, each by those before it in its window; a window's first id has none and is
 * left out. */
mcv_status mcv_eval_text_likelihood(const mcv_eval_items *items, const mcv_buffer *text);

#endif
