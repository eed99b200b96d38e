/* The options by which commands are told where a model is. */
#ifndef MCV_CLI_MODEL_OPTIONS_H
#define MCV_CLI_MODEL_OPTIONS_H

#include "cli/cli.h"
#include "ref/model_files.h"

#define MCV_MODEL_OPTION                                                                                               \
    { 'm', "model", "MODEL", "the model: a folder in Hugging Face layout, or a GGUF file" }
/* Those of a command that looks at images. */
#define MCV_MODEL_FILE_OPTIONS                                                                                         \
    {0, "mmproj", "FILE", "the vision side, where the model is a GGUF file"}, {                                        \
        0, "preprocessor-config", "FILE", "a preprocessor_config.json in place of the model's own"                     \
    }

/* What was given of them; files->model may be NULL. */
ModelFiles mcv_model_options_read(const mcv_arguments *arguments);
/* The same, but MCV_USAGE without a model. */
mcv_status mcv_model_options_require(const mcv_arguments *arguments, ModelFiles *files);

/* Opens a model and tells the person at the terminal what its options came to. */
mcv_status mcv_model_options_open(const char *path, const mcv_model_options *options, mcv_model **model);

#endif
