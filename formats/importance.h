/* Importance weights of a calibration run: how large the inputs of each matrix are, column by column. A GGUF file with
 * tensors "NAME.in_sum2", sums of squares, and "NAME.counts", how many inputs were seen. */
#ifndef MCV_FORMATS_IMPORTANCE_H
#define MCV_FORMATS_IMPORTANCE_H

#include "core/arena.h"
#include "formats/gguf.h"

typedef struct mcv_importance mcv_importance;

/* MCV_BAD_INPUT: no such file, or a GGUF file of another kind. */
mcv_status mcv_importance_open(const char *path, mcv_importance **importance);
/* NULL is fine. */
void mcv_importance_close(mcv_importance *importance);

/* *weights: [columns] in `arena`, 1 on average and above 0, for the matrix `name` ("blk.0.attn_q.weight"); NULL where
 * the file does not know it. MCV_BAD_INPUT: of another number of columns, negative or not finite. */
mcv_status mcv_importance_find(const mcv_importance *importance, const char *name, int64_t columns, mcv_arena *arena,
                               const float **weights);

#endif
