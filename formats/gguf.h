/* The GGUF format, versions 2 and 3, little-endian: metadata and tensors of one memory-mapped file, or of all parts of
 * a split one. Specification: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
#ifndef MCV_FORMATS_GGUF_H
#define MCV_FORMATS_GGUF_H

#include "core/arena.h"
#include "formats/weight_types.h"

typedef struct mcv_gguf mcv_gguf;

/* Opens a file. Of a split one (NAME-00001-of-00003.gguf) any part stands for all, which lie beside it; metadata is the
 * first's. Everything is checked before it returns: lengths, counts, types, alignment, offsets, overlaps, duplicate
 * names. Data stays mapped until mcv_gguf_close.
 * MCV_BAD_INPUT: missing, damaged or contradictory; MCV_UNSUPPORTED: version 1, big-endian. */
mcv_status mcv_gguf_open(const char *path, mcv_gguf **file);
/* The same for one file in memory, which the caller keeps; `name` stands for it in messages. Parts of a split file are
 * not looked for. */
mcv_status mcv_gguf_read(const void *data, size_t size, const char *name, mcv_gguf **file);
/* NULL is fine. */
void mcv_gguf_close(mcv_gguf *file);

/* Whether a file begins as GGUF files do, or is named so; a folder and what is not there do not. */
mcv_status mcv_path_is_gguf(const char *path, bool *is_gguf);

/* The path as given. */
const char *mcv_gguf_path(const mcv_gguf *file);
int mcv_gguf_version(const mcv_gguf *file);
/* How many files it lies in. */
size_t mcv_gguf_parts(const mcv_gguf *file);
/* The path of one of them. */
const char *mcv_gguf_part_path(const mcv_gguf *file, size_t part);

/* ---- Metadata ------------------------------------------------------------------------------------------------ */

/* By their numbers in the format. */
typedef enum mcv_gguf_type {
    MCV_GGUF_U8,
    MCV_GGUF_I8,
    MCV_GGUF_U16,
    MCV_GGUF_I16,
    MCV_GGUF_U32,
    MCV_GGUF_I32,
    MCV_GGUF_F32,
    MCV_GGUF_BOOL,
    MCV_GGUF_STRING,
    MCV_GGUF_ARRAY,
    MCV_GGUF_U64,
    MCV_GGUF_I64,
    MCV_GGUF_F64,
    MCV_GGUF_TYPE_COUNT
} mcv_gguf_type;

/* Bytes, of any kind, without a 0 behind them. */
typedef struct mcv_gguf_string {
    const char *data;
    size_t size;
} mcv_gguf_string;

typedef struct mcv_gguf_value {
    const char *key;
    mcv_gguf_type type; /* of the value, or of an array's elements */
    bool is_array;
    size_t count;        /* elements; 1 where it is no array */
    const uint8_t *data; /* the elements as the file has them; not aligned */
} mcv_gguf_value;

/* "string". */
const char *mcv_gguf_type_name(mcv_gguf_type type);

/* Values in the file's order. */
size_t mcv_gguf_value_count(const mcv_gguf *file);
const mcv_gguf_value *mcv_gguf_value_at(const mcv_gguf *file, size_t index);
/* NULL where no value has this key. */
const mcv_gguf_value *mcv_gguf_find_value(const mcv_gguf *file, const char *key);

/* A getter leaves the default that it finds in *value where the key is missing. A value of another kind or out of range
 * is MCV_BAD_INPUT. Integers may have any width. */
mcv_status mcv_gguf_get_int(const mcv_gguf *file, const char *key, int64_t low, int64_t high, int64_t *value);
mcv_status mcv_gguf_get_double(const mcv_gguf *file, const char *key, double *value);
mcv_status mcv_gguf_get_bool(const mcv_gguf *file, const char *key, bool *value);
mcv_status mcv_gguf_get_string(const mcv_gguf *file, const char *key, mcv_gguf_string *value);
/* Arrays in `arena`, [*count]; 0 where the key is missing. */
mcv_status mcv_gguf_get_strings(const mcv_gguf *file, const char *key, mcv_arena *arena, mcv_gguf_string **values,
                                size_t *count);
mcv_status mcv_gguf_get_ints(const mcv_gguf *file, const char *key, mcv_arena *arena, int64_t **values, size_t *count);
mcv_status mcv_gguf_get_doubles(const mcv_gguf *file, const char *key, mcv_arena *arena, double **values,
                                size_t *count);

/* Records "FILE: KEY: expected EXPECTED, found FOUND" and returns `status`. value NULL: the key is missing. */
mcv_status mcv_gguf_fail(mcv_status status, const mcv_gguf *file, const char *key, const char *expected);

/* Element `index` of an array as it is printed in JSON but for strings, which are bare. */
void mcv_gguf_element_text(const mcv_gguf_value *value, size_t index, char *text, size_t size);

/* ---- Tensors ------------------------------------------------------------------------------------------------- */

enum { MCV_GGUF_MAX_RANK = 4 };

typedef struct mcv_gguf_tensor {
    const char *name;
    int rank;
    int64_t shape[MCV_GGUF_MAX_RANK]; /* outermost first; the file has them the other way round */
    uint32_t type_id;                 /* the format's number of the element type */
    bool has_weight_type;             /* false: a type whose values nothing here computes */
    mcv_weight_type weight_type;
    const uint8_t *data; /* mapped */
    size_t bytes;
    size_t part; /* the file it lies in, from 0 */
} mcv_gguf_tensor;

/* Tensors in the order of the files. */
size_t mcv_gguf_tensor_count(const mcv_gguf *file);
const mcv_gguf_tensor *mcv_gguf_tensor_at(const mcv_gguf *file, size_t index);
/* NULL where no tensor has this name. */
const mcv_gguf_tensor *mcv_gguf_find_tensor(const mcv_gguf *file, const char *name);

/* ---- Element types -------------------------------------------------------------------------------------------- */

/* An element type of the format. */
typedef struct mcv_gguf_element {
    uint32_t id;
    const char *name;
    size_t block_size, block_bytes;
    int weight_type; /* an mcv_weight_type, or -1 */
} mcv_gguf_element;

/* NULL where the format has no type of this number. */
const mcv_gguf_element *mcv_gguf_element_of(uint32_t type_id);
/* The format's number of a weight type. */
uint32_t mcv_gguf_type_id(mcv_weight_type type);

#endif
