/* What reading one GGUF file and putting several together share. */
#ifndef MCV_FORMATS_GGUF_INTERNAL_H
#define MCV_FORMATS_GGUF_INTERNAL_H

#include "core/file.h"
#include "formats/gguf.h"

/* One file. */
typedef struct mcv_gguf_part {
    char *path;
    mcv_file_map map; /* of a file in memory: not to be closed */
    bool is_mapped;
    int version;
    mcv_gguf_value *values; /* [value_count], in the file's order */
    size_t value_count;
    mcv_gguf_tensor *tensors; /* [tensor_count] */
    size_t tensor_count;
} mcv_gguf_part;

struct mcv_gguf {
    char *path; /* as given */
    mcv_arena arena;
    mcv_gguf_part *parts;
    size_t part_count;
    const mcv_gguf_value **values_by_key; /* of the first part, sorted */
    const mcv_gguf_tensor **tensors;      /* of all parts, [tensor_count] */
    const mcv_gguf_tensor **tensors_by_name;
    size_t tensor_count;
};

/* Reads and checks the header of part->map. Names are copied into the arena, everything else stays where it is. */
mcv_status mcv_gguf_parse(mcv_gguf_part *part, mcv_arena *arena);

/* Bytes of a metadata element; 0 for strings. */
size_t mcv_gguf_type_size(mcv_gguf_type type);

#endif
