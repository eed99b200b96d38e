/* A model's configuration and tokenizer as the metadata of a GGUF pair: the reverse of gguf_config.h. */
#ifndef MCV_REF_GGUF_EXPORT_H
#define MCV_REF_GGUF_EXPORT_H

#include "formats/gguf_writer.h"
#include "ref/model_files.h"

/* All metadata of the language model's file: architecture, sizes, tokenizer, chat template. */
mcv_status gguf_add_language_metadata(mcv_gguf_writer *writer, const ModelFiles *files, const MiniCPMVConfig *config,
                                      uint32_t file_type);

/* That of the vision side's. */
mcv_status gguf_add_vision_metadata(mcv_gguf_writer *writer, const ModelFiles *files, const MiniCPMVConfig *config,
                                    uint32_t file_type);

#endif
