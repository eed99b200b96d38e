/* The files that make up a model, in whichever layout: Hugging Face's folder, or a pair of GGUF files.
 *
 * A GGUF pair says in its metadata most of what the folder's JSON files do. What the format has no keys for, quantize
 * keeps under keys of its own (gguf_config.h). In files of other writers it is as in MiniCPM-V 4.5: 9 slices at most, a
 * resolution of 448, image ids, and its image tokens; the number of queries follows from their table.
 * --preprocessor-config gives another preprocessor_config.json for either layout. */
#ifndef MCV_REF_MODEL_FILES_H
#define MCV_REF_MODEL_FILES_H

#include "formats/weights.h"
#include "ref/configuration_minicpm.h"
#include "ref/processing_minicpmv.h"

typedef struct ModelFiles {
    const char *model;               /* a folder in HF's layout, or the GGUF file of the language model */
    const char *mmproj;              /* the GGUF file of the vision side, beside one of the language model; or NULL */
    const char *preprocessor_config; /* takes the place of the model's own; NULL: does not */
} ModelFiles;

/* Each reads what it needs. MCV_USAGE: `mmproj` beside a folder; a configuration or images wanted of a language model
 * without it. Otherwise as the _from_pretrained functions, with the file and its key in place of the JSON file's. */
mcv_status ModelFiles_config(const ModelFiles *files, MiniCPMVConfig *config);
/* config.json and preprocessor_config.json as the model has them; to be released with mcv_json_free. */
mcv_status ModelFiles_config_json(const ModelFiles *files, mcv_json *json);
mcv_status ModelFiles_preprocessor_config(const ModelFiles *files, mcv_json *json);
mcv_status ModelFiles_image_processor(const ModelFiles *files, MiniCPMVImageProcessor *processor);
mcv_status ModelFiles_tokenizer(const ModelFiles *files, Qwen2Tokenizer **tokenizer);
mcv_status ModelFiles_processor(const ModelFiles *files, MiniCPMVProcessor *processor);
mcv_status ModelFiles_weights(const ModelFiles *files, mcv_weights **weights);

/* Appends the model's chat template, nothing where it has none. */
mcv_status ModelFiles_chat_template(const ModelFiles *files, mcv_buffer *text);
/* Whether the model asks for the chat template that is known here, or for none. */
mcv_status ModelFiles_check_chat_template(const ModelFiles *files);

#endif
