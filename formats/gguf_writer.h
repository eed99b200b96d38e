/* Writing a GGUF file, version 3: metadata, then the tensors' names and shapes, then their data one by one, so that
 * memory holds one tensor at a time.
 *
 *     MCV_TRY(mcv_gguf_create(path, &writer));
 *     status = mcv_gguf_add_u32(writer, "qwen3.block_count", 36);
 *     status = mcv_gguf_declare(writer, "output.weight", MCV_WEIGHT_Q6_K, 2, shape);
 *     status = mcv_gguf_write(writer, blocks, bytes);
 *     status = mcv_gguf_commit(writer);
 *
 * Where a call fails, the writer is still to be abandoned. */
#ifndef MCV_FORMATS_GGUF_WRITER_H
#define MCV_FORMATS_GGUF_WRITER_H

#include "formats/gguf.h"

typedef struct mcv_gguf_writer mcv_gguf_writer;

/* Writes to a file aside. */
mcv_status mcv_gguf_create(const char *path, mcv_gguf_writer **writer);

/* Metadata, in the order in which it is added. */
mcv_status mcv_gguf_add_u32(mcv_gguf_writer *writer, const char *key, uint32_t value);
mcv_status mcv_gguf_add_i32(mcv_gguf_writer *writer, const char *key, int32_t value);
mcv_status mcv_gguf_add_f32(mcv_gguf_writer *writer, const char *key, float value);
mcv_status mcv_gguf_add_bool(mcv_gguf_writer *writer, const char *key, bool value);
mcv_status mcv_gguf_add_string(mcv_gguf_writer *writer, const char *key, const char *value);
mcv_status mcv_gguf_add_strings(mcv_gguf_writer *writer, const char *key, const mcv_gguf_string *values, size_t count);
mcv_status mcv_gguf_add_i32s(mcv_gguf_writer *writer, const char *key, const int32_t *values, size_t count);
mcv_status mcv_gguf_add_f32s(mcv_gguf_writer *writer, const char *key, const float *values, size_t count);

/* The next tensor. shape: [rank], outermost first; its last dimension is a multiple of the type's block. */
mcv_status mcv_gguf_declare(mcv_gguf_writer *writer, const char *name, mcv_weight_type type, int rank,
                            const int64_t *shape);

/* The data of the first declared tensor that has none yet. From the first call on nothing more can be added. */
mcv_status mcv_gguf_write(mcv_gguf_writer *writer, const void *data, size_t size);

/* Renames the file into place and releases the writer, whatever the outcome. MCV_USAGE where a tensor has no data. */
mcv_status mcv_gguf_commit(mcv_gguf_writer *writer);
/* Releases the writer; nothing is left behind. NULL is fine. */
void mcv_gguf_abandon(mcv_gguf_writer *writer);

#endif
