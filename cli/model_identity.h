/* What tells one model from another, whatever it is called and wherever it lies. */
#ifndef MCV_CLI_MODEL_IDENTITY_H
#define MCV_CLI_MODEL_IDENTITY_H

#include "formats/hash.h"
#include "ref/model_files.h"

/* A hash of its settings (the folder's JSON and vocabulary files, or the metadata of GGUF files) and of its weights:
 * all names, types and shapes, and of each tensor the first, the middle and the last row. Another model with all of
 * these is not made by accident. */
mcv_status mcv_model_identity(const ModelFiles *files, mcv_hash *identity);

#endif
