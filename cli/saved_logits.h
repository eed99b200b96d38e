/* Runs of `logits` that were kept: all numbers in a safetensors file (a tensor "logits.CASE" [conversations,
 * vocabulary] a case), or, in a file that ends in .json, the hash and the best tokens of each row. */
#ifndef MCV_CLI_SAVED_LOGITS_H
#define MCV_CLI_SAVED_LOGITS_H

#include <jansson.h>

#include "core/tensor.h"

/* What made a run; kept with it. */
typedef struct mcv_logits_origin {
    const char *engine, *dtype, *target;
    const char *input; /* what it read, in the caller's words; NULL: the names of its rows say that */
} mcv_logits_origin;

typedef struct mcv_logits_writer mcv_logits_writer;

/* Whether a file can take what is to be kept, before anything is run. cases: how many, 0 where that is not known yet;
 * has_rows: rows are described. MCV_USAGE: several cases into a .npy file, numbers alone into a .json file.
 * MCV_BAD_INPUT: the file is there and is something else than kept logits. */
mcv_status mcv_logits_check_output(const char *path, int cases, bool has_rows);

mcv_status mcv_logits_writer_open(const char *path, const mcv_logits_origin *origin, mcv_logits_writer **writer);
/* A case's logits, [conversations, vocabulary]; `rows` describes each in JSON, for files that keep no numbers;
 * NULL: MCV_USAGE for such a file. */
mcv_status mcv_logits_writer_add(mcv_logits_writer *writer, const char *case_name, const mcv_tensor *logits,
                                 const json_t *rows);
/* Completes the file (or, where `complete` is false, removes it) and releases the writer. NULL is fine. */
mcv_status mcv_logits_writer_close(mcv_logits_writer *writer, bool complete);

typedef struct mcv_saved_logits mcv_saved_logits;

/* MCV_BAD_INPUT: not such a file. */
mcv_status mcv_saved_logits_open(const char *path, mcv_saved_logits **saved);
void mcv_saved_logits_close(mcv_saved_logits *saved);
/* What was kept as the run's input; NULL: nothing. */
const char *mcv_saved_logits_input(const mcv_saved_logits *saved);

/* A row that was kept. */
typedef struct mcv_saved_row {
    const float *logits; /* [vocabulary]; NULL where only the hash was kept. Valid until the next row is asked for */
    char hash[33];       /* XXH3 of 128 bits, as mcv_hash has it */
    int32_t best;        /* the most probable token */
} mcv_saved_row;

/* MCV_DIFFERS where the file has no such row, or one of another size. */
mcv_status mcv_saved_logits_find(mcv_saved_logits *saved, const char *case_name, int conversation, size_t size,
                                 mcv_saved_row *row);

#endif
