/* A model as a pair of GGUF files. */
#ifndef MCV_REF_GGUF_WRITE_H
#define MCV_REF_GGUF_WRITE_H

#include "core/threads.h"
#include "formats/importance.h"
#include "formats/quantize_mix.h"
#include "ref/model_files.h"

/* What was written of one tensor. */
typedef struct WrittenTensor {
    const char *name; /* in the GGUF file */
    mcv_weight_type type;
    int rank;
    const int64_t *shape; /* [rank] */
    size_t bytes;
    double error; /* norm(written - original) / norm(original) */
} WrittenTensor;

typedef struct GgufJob {
    ModelFiles files;                 /* the model to be written, in any layout */
    const mcv_importance *importance; /* or NULL */
    mcv_pool *pool;                   /* rows are shared out; results do not depend on the number of threads */
    mcv_status (*written)(void *context, const WrittenTensor *tensor); /* hears of each tensor */
    /* Makes a tensor's blocks, of the model's name and of `shape` in the file, in place of reading and quantizing them;
     * NULL: weights are read. */
    mcv_status (*fill)(void *context, const char *name, const mcv_tensor *shape, mcv_weight_type type, size_t bytes,
                       uint8_t *blocks);
    void *context; /* of both */
} GgufJob;

/* The language model with the types of a mix. The file is written aside and renamed; one tensor at a time is in memory.
 * MCV_BAD_INPUT: weights that are not finite, and whatever reading the model finds. */
mcv_status gguf_write_language(const GgufJob *job, const mcv_mix *mix, const char *path);

/* The vision side. Matrices get `type`, and the table of positions and convolution F16 where that is a quantized one;
 * vectors, queries and norms stay F32. */
mcv_status gguf_write_vision(const GgufJob *job, mcv_weight_type type, const char *path);

#endif
