/* A model's weights under their Hugging Face names, whatever the format of the file that holds them.
 *
 *     mcv_weights *weights;
 *     mcv_weight weight;
 *     MCV_TRY(mcv_weights_open(folder, NULL, &weights));
 *     MCV_TRY(mcv_weights_find(weights, "llm.lm_head.weight", &weight));
 *     mcv_weight_to_f32(&weight, row, 1, values);
 *
 * What every format guarantees: names and shapes are those of the Hugging Face model (parts that a converter has split,
 * turned or renamed are put together again); all sizes have been checked against the file, so that no later read can
 * leave it; finding and reading change nothing, so that threads may do both at once. */
#ifndef MCV_FORMATS_WEIGHTS_H
#define MCV_FORMATS_WEIGHTS_H

#include "formats/weights_packed.h"

/* A view of one tensor; it lives until mcv_weights_close. Its rows are the first dimension, a row's columns all others
 * multiplied; a vector is one row. */
typedef struct mcv_weight {
    mcv_weight_type type;
    int rank;
    int64_t shape[MCV_MAX_RANK]; /* outermost first: a linear layer has [out_features, in_features] */
    size_t rows, columns;
    /* Block types: row r begins at data + r * row_bytes; columns is a multiple of the type's block. Not aligned. */
    const uint8_t *data;
    size_t row_bytes;
    bool is_mapped; /* what holds the elements lies in a file, not in memory of ours */
    /* AWQ and GPTQ; NF4; INT8. Row r is theirs of number first_row + r. */
    const mcv_grouped *grouped;
    const mcv_nf4 *nf4;
    const mcv_int8 *int8;
    size_t first_row;
} mcv_weight;

typedef struct mcv_weights mcv_weights;

/* `path`: what mcv_safetensors_open takes, or a GGUF file of the language model; then mmproj is the GGUF file of the
 * vision side, NULL: none. MCV_BAD_INPUT: missing, damaged; two tensors of one name. MCV_USAGE: mmproj beside anything
 * but a GGUF file. */
mcv_status mcv_weights_open(const char *path, const char *mmproj, mcv_weights **weights);
/* NULL is fine. */
void mcv_weights_close(mcv_weights *weights);

/* All of them, sorted by name; weight->type has no meaning where *unsupported names a type that weights do not have. */
size_t mcv_weights_count(const mcv_weights *weights);
const char *mcv_weights_at(const mcv_weights *weights, size_t index, mcv_weight *weight, const char **unsupported);

/* MCV_BAD_INPUT: no tensor has this name; MCV_UNSUPPORTED: its elements are of a type that weights do not have (I64).
 */
mcv_status mcv_weights_find(const mcv_weights *weights, const char *name, mcv_weight *weight);

/* `count` rows from `row` on, count * columns values: exactly what the format's specification says they are. */
void mcv_weight_to_f32(const mcv_weight *weight, size_t row, size_t count, float *out);

/* Bytes from the middle of what holds the weight, or its part of a type without blocks: to tell it from another of the
 * same shape. Returns how many, at most `most`. */
size_t mcv_weight_sample(const mcv_weight *weight, size_t most, const uint8_t **bytes);
/* Lets the system take back the memory that the weight's bytes were read into, where they lie in a file: whoever reads
 * them again has them read again. */
void mcv_weight_forget(const mcv_weight *weight);

/* Rows [row, row + count) of a matrix. */
mcv_weight mcv_weight_rows(const mcv_weight *weight, size_t row, size_t count);
/* A view of a matrix in memory; columns is a multiple of the type's block. */
mcv_weight mcv_weight_matrix(mcv_weight_type type, const void *data, int64_t rows, int64_t columns);

#endif
