/* The safetensors format: one memory-mapped file, or shards with an index, read; one file written.
 * Format: https://huggingface.co/docs/safetensors (8-byte header length, JSON header, data). */
#ifndef MCV_FORMATS_SAFETENSORS_H
#define MCV_FORMATS_SAFETENSORS_H

#include "core/tensor.h"

typedef struct mcv_safetensors mcv_safetensors;

/* Opens a .safetensors file, a model.safetensors.index.json, or a folder with either (the first wins). The header is
 * validated whole: sizes, overlaps, gaps, overflow, duplicate names, unknown keys. Of shards, each tensor lies in the
 * file that the index names, and none lies in another besides. Data stays mapped; views of it live until
 * mcv_safetensors_close, and are aligned as the file has it, which the format does not promise.
 * MCV_BAD_INPUT: anything missing, damaged or contradictory. MCV_UNSUPPORTED: more than MCV_MAX_RANK dimensions. */
mcv_status mcv_safetensors_open(const char *path, mcv_safetensors **file);
void mcv_safetensors_close(mcv_safetensors *file);

/* Tensors in the order of their data; shards in the order of their names. */
size_t mcv_safetensors_count(const mcv_safetensors *file);
const char *mcv_safetensors_name(const mcv_safetensors *file, size_t index);
mcv_tensor mcv_safetensors_at(const mcv_safetensors *file, size_t index);

/* false where no tensor has this name. */
bool mcv_safetensors_find(const mcv_safetensors *file, const char *name, mcv_tensor *tensor);

/* A string of __metadata__ (of the first shard that has it), or NULL. */
const char *mcv_safetensors_metadata(const mcv_safetensors *file, const char *key);

/* Writing: add metadata and tensors (data is copied to a file aside at once, so that memory stays bounded), then
 * commit. Where a call fails, the writer is still to be abandoned. In the file, tensors with larger elements come
 * first, so that every tensor is aligned; otherwise they keep their order. */
typedef struct mcv_safetensors_writer mcv_safetensors_writer;
mcv_status mcv_safetensors_create(const char *path, mcv_safetensors_writer **writer);
mcv_status mcv_safetensors_add_metadata(mcv_safetensors_writer *writer, const char *key, const char *value);
mcv_status mcv_safetensors_add(mcv_safetensors_writer *writer, const char *name, const mcv_tensor *tensor);
/* Writes header and data, renames the file into place and releases the writer, whatever the outcome. */
mcv_status mcv_safetensors_commit(mcv_safetensors_writer *writer);
/* Releases the writer; nothing is left behind. NULL is fine. */
void mcv_safetensors_abandon(mcv_safetensors_writer *writer);

#endif
