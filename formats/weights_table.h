/* How a format's reader fills in the weights. */
#ifndef MCV_FORMATS_WEIGHTS_TABLE_H
#define MCV_FORMATS_WEIGHTS_TABLE_H

#include "core/arena.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "formats/weights.h"

typedef struct mcv_weights_entry {
    const char *name; /* the Hugging Face name */
    mcv_weight weight;
    const char *unsupported; /* the name of an element type that weights do not have; NULL: it is a weight */
} mcv_weights_entry;

struct mcv_weights {
    char *path; /* as given, for messages */
    mcv_weights_entry *entries;
    size_t count, capacity;
    mcv_arena arena;              /* names, and tensors that do not lie in a file as the model has them */
    mcv_safetensors *safetensors; /* the files, as far as there are any */
    mcv_gguf *gguf, *mmproj;
};

/* Appends an entry and returns it, its name not copied. */
mcv_status mcv_weights_add(mcv_weights *weights, const char *name, mcv_weights_entry **entry);

/* A view of a dense tensor; *unsupported is set where its type is none of the weights'. */
mcv_weight mcv_weight_from_tensor(const mcv_tensor *tensor, const char **unsupported);

/* Sets rows, columns and row_bytes from type and shape; false where a row does not end with a block. */
bool mcv_weight_lay_out(mcv_weight *weight);

/* Adds the tensors of a GGUF file, which stays open as long as the weights. */
mcv_status mcv_weights_add_gguf(mcv_weights *weights, const mcv_gguf *file);

/* Adds STEM.weight of STEM.qweight and its neighbours. The name is copied. */
mcv_status mcv_weights_add_grouped(mcv_weights *weights, const char *stem, const mcv_tensor *qweight);

/* Adds STEM.weight of bytes and STEM.weight_scale. `name` (STEM.weight) is not copied. */
mcv_status mcv_weights_add_int8(mcv_weights *weights, const char *name, const mcv_tensor *bytes,
                                const mcv_tensor *scales);

/* Adds a matrix of bytes and of its state, JSON. `name` is not copied. */
mcv_status mcv_weights_add_nf4(mcv_weights *weights, const char *name, const mcv_tensor *bytes,
                               const mcv_tensor *state);

#endif
