/* A model as a folder in Hugging Face's layout whose language model is packed. */
#ifndef MCV_REF_PACKED_WRITE_H
#define MCV_REF_PACKED_WRITE_H

#include "ref/gguf_write.h"

/* INT4 as AutoAWQ saves it ("gemm" layout, zero points), or INT8 as compressed-tensors does (a scale a row). */
typedef enum PackedKind { PACKED_INT4, PACKED_INT8 } PackedKind;

typedef struct PackedJob {
    ModelFiles files; /* the model, a folder */
    PackedKind kind;
    int group;                        /* INT4: weights that share a scale and a zero point */
    const mcv_importance *importance; /* or NULL; INT4 alone */
    mcv_pool *pool;                   /* rows are shared out; results do not depend on the number of threads */
    mcv_status (*written)(void *context, const WrittenTensor *tensor); /* hears of each tensor, by its HF name */
    void *context;
} PackedJob;

/* The linear layers of the language model's layers are packed where their sizes allow, all other tensors stay as they
 * are; config.json gets its quantization_config, and the folder's other files are copied. One tensor at a time is in
 * memory. The folder is written aside and renamed; `path` is not there yet, or an empty folder.
 * MCV_USAGE: it is something else; no matrix can be packed. MCV_BAD_INPUT: weights that are not finite. */
mcv_status packed_write(const PackedJob *job, const char *path);

#endif
