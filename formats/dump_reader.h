/* Dumps: the tensors of a run under their modules' names. Ours are safetensors files; those of other engines may be
 * folders of .npy files (NAME.npy each, texts in metadata.json as an object of strings) and have names of their own. */
#ifndef MCV_FORMATS_DUMP_READER_H
#define MCV_FORMATS_DUMP_READER_H

#include "core/tensor.h"
#include "formats/name_map.h"

typedef struct mcv_dump mcv_dump;

/* Opens a folder of .npy files where `path` is a folder that holds any, else what mcv_safetensors_open takes. names may
 * be NULL. MCV_BAD_INPUT: a damaged file, or two tensors that end up under one name. */
mcv_status mcv_dump_open(const char *path, const mcv_name_map *names, mcv_dump **dump);
void mcv_dump_close(mcv_dump *dump);

/* Tensors in the order of their files. Views live until mcv_dump_close. */
size_t mcv_dump_count(const mcv_dump *dump);
const char *mcv_dump_name(const mcv_dump *dump, size_t index);
mcv_tensor mcv_dump_at(const mcv_dump *dump, size_t index);
bool mcv_dump_find(const mcv_dump *dump, const char *name, mcv_tensor *tensor);

/* A string of the metadata, or NULL. */
const char *mcv_dump_metadata(const mcv_dump *dump, const char *key);

#endif
