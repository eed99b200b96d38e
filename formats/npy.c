#include "formats/npy.h"

#include <string.h>

static const char MAGIC[] = "\x93NUMPY";
enum { MAGIC_SIZE = 6, ALIGNMENT = 64 };

static const struct {
    const char *descr;
    mcv_dtype dtype;
} TYPES[] = {
    {"|b1", MCV_BOOL}, {"|u1", MCV_U8},  {"|i1", MCV_I8},  {"<u2", MCV_U16}, {"<i2", MCV_I16},
    {"<f2", MCV_F16},  {"<u4", MCV_U32}, {"<i4", MCV_I32}, {"<f4", MCV_F32}, {"<c8", MCV_C64},
    {"<u8", MCV_U64},  {"<i8", MCV_I64}, {"<f8", MCV_F64},
};
enum { TYPE_COUNT = sizeof TYPES / sizeof TYPES[0] };

static bool dtype_of(const char *descr, mcv_dtype *dtype) {
    for (int i = 0; i < TYPE_COUNT; i++)
        if (strcmp(TYPES[i].descr, descr) == 0) {
            *dtype = TYPES[i].dtype;
            return true;
        }
    return false;
}

/* ---- Writing --------------------------------------------------------------------------------------------------- */

/* NULL where NumPy has no such type. */
static const char *descr_of(mcv_dtype dtype) {
    for (int i = 0; i < TYPE_COUNT; i++)
        if (TYPES[i].dtype == dtype)
            return TYPES[i].descr;
    return NULL;
}

/* "(2, 3)", "(2,)" or "()". */
static mcv_status append_shape(mcv_buffer *header, const mcv_tensor *tensor) {
    MCV_TRY(mcv_buffer_append_string(header, "("));
    for (int i = 0; i < tensor->rank; i++)
        MCV_TRY(mcv_buffer_printf(header, "%s%lld", i ? ", " : "", (long long)tensor->shape[i]));
    return mcv_buffer_append_string(header, tensor->rank == 1 ? ",)" : ")");
}

/* Blanks and a line's end fill the header up to a multiple of ALIGNMENT. */
static mcv_status make_header(mcv_buffer *header, const char *descr, const mcv_tensor *tensor) {
    static const char VERSION_AND_LENGTH[4] = {1, 0, 0, 0};
    MCV_TRY(mcv_buffer_append(header, MAGIC, MAGIC_SIZE));
    MCV_TRY(mcv_buffer_append(header, VERSION_AND_LENGTH, sizeof VERSION_AND_LENGTH));
    MCV_TRY(mcv_buffer_printf(header, "{'descr': '%s', 'fortran_order': False, 'shape': ", descr));
    MCV_TRY(append_shape(header, tensor));
    MCV_TRY(mcv_buffer_append_string(header, ", }"));
    MCV_TRY(mcv_buffer_printf(header, "%*s\n", (int)(ALIGNMENT - 1 - header->size % ALIGNMENT), ""));
    size_t length = header->size - MAGIC_SIZE - sizeof VERSION_AND_LENGTH;
    header->data[MAGIC_SIZE + 2] = (char)(length & 255);
    header->data[MAGIC_SIZE + 3] = (char)(length >> 8);
    return MCV_OK;
}

static mcv_status write_widened(mcv_file_writer *writer, const mcv_tensor *tensor, size_t count) {
    float values[4096];
    const size_t PIECE = sizeof values / sizeof values[0];
    for (size_t done = 0, part; done < count; done += part) {
        part = count - done < PIECE ? count - done : PIECE;
        mcv_tensor_to_f32(tensor, done, part, values);
        MCV_TRY(mcv_writer_write(writer, values, part * sizeof *values));
    }
    return MCV_OK;
}

mcv_status mcv_npy_write(const char *path, const mcv_tensor *tensor) {
    size_t count, bytes;
    char shape[160];
    if (!mcv_tensor_count(tensor, &count) || !mcv_tensor_bytes(tensor, &bytes))
        return MCV_FAIL(MCV_USAGE, "%s: %s %s has no size in whole bytes", path, mcv_dtype_name(tensor->dtype),
                        mcv_tensor_shape_text(tensor, shape, sizeof shape));
    const char *descr = descr_of(tensor->dtype);
    mcv_file_writer writer;
    mcv_buffer header = {0};
    MCV_TRY(mcv_writer_open(&writer, path));
    mcv_status status = make_header(&header, descr ? descr : descr_of(MCV_F32), tensor);
    if (status == MCV_OK)
        status = mcv_writer_write(&writer, header.data, header.size);
    mcv_buffer_free(&header);
    if (status == MCV_OK)
        status = descr ? mcv_writer_write(&writer, tensor->data, bytes) : write_widened(&writer, tensor, count);
    if (status == MCV_OK)
        return mcv_writer_commit(&writer);
    mcv_writer_abandon(&writer);
    return status;
}

/* ---- Reading: the header is a Python dictionary ----------------------------------------------------------------- */

/* What is left of the header. */
typedef struct unread {
    const char *at, *end;
} unread;

/* Passes over blanks and then `word`, if it is next. */
static bool accept(unread *rest, const char *word) {
    size_t length = strlen(word);
    while (rest->at < rest->end && (*rest->at == ' ' || *rest->at == '\n'))
        rest->at++;
    if ((size_t)(rest->end - rest->at) < length || memcmp(rest->at, word, length) != 0)
        return false;
    rest->at += length;
    return true;
}

static bool read_number(unread *rest, int64_t *number) {
    accept(rest, ""); /* blanks */
    const char *start = rest->at;
    *number = 0;
    while (rest->at < rest->end && *rest->at >= '0' && *rest->at <= '9')
        if (__builtin_mul_overflow(*number, 10, number) || __builtin_add_overflow(*number, *rest->at++ - '0', number))
            return false;
    return rest->at > start;
}

enum { NUMPY_MAX_RANK = 64 };

/* "(2, 3)", "(2,)" or "()"; "(2)" is a number in brackets. Sizes beyond MCV_MAX_RANK are counted and dropped. */
static bool read_shape(unread *rest, mcv_tensor *tensor) {
    tensor->rank = 0;
    if (!accept(rest, "("))
        return false;
    do {
        if (accept(rest, ")"))
            return true;
        int64_t size;
        if (tensor->rank == NUMPY_MAX_RANK || !read_number(rest, &size))
            return false;
        if (tensor->rank < MCV_MAX_RANK)
            tensor->shape[tensor->rank] = size;
        tensor->rank++;
    } while (accept(rest, ","));
    return tensor->rank > 1 && accept(rest, ")");
}

/* Reads a text in quotes; false where it is not one or too long. */
static bool read_quoted(unread *rest, char *out, size_t size) {
    const char *quote = accept(rest, "'") ? "'" : accept(rest, "\"") ? "\"" : NULL;
    if (!quote)
        return false;
    size_t used = 0;
    while (rest->at < rest->end && *rest->at != *quote && used + 1 < size)
        out[used++] = *rest->at++;
    out[used] = 0;
    return rest->at < rest->end && *rest->at++ == *quote;
}

enum { DESCR = 1, FORTRAN_ORDER = 2, SHAPE = 4 };

typedef struct npy_header {
    char descr[64];
    bool fortran_order;
    unsigned seen; /* keys */
    mcv_tensor tensor;
} npy_header;

static bool read_item(unread *rest, npy_header *header) {
    char key[16];
    if (!read_quoted(rest, key, sizeof key) || !accept(rest, ":"))
        return false;
    unsigned bit = strcmp(key, "descr") == 0           ? DESCR
                   : strcmp(key, "fortran_order") == 0 ? FORTRAN_ORDER
                   : strcmp(key, "shape") == 0         ? SHAPE
                                                       : 0;
    if (bit == 0 || header->seen & bit)
        return false;
    header->seen |= bit;
    if (bit == DESCR)
        return read_quoted(rest, header->descr, sizeof header->descr);
    if (bit == SHAPE)
        return read_shape(rest, &header->tensor);
    header->fortran_order = accept(rest, "True");
    return header->fortran_order || accept(rest, "False");
}

/* The three keys once each, in any order. */
static bool read_dictionary(unread rest, npy_header *header) {
    if (!accept(&rest, "{"))
        return false;
    bool closed = false;
    do {
        closed = accept(&rest, "}");
        if (!closed && !read_item(&rest, header))
            return false;
    } while (!closed && accept(&rest, ","));
    if (!closed && !accept(&rest, "}"))
        return false;
    accept(&rest, "");
    return rest.at == rest.end && header->seen == (DESCR | FORTRAN_ORDER | SHAPE);
}

/* Finds the header's text: behind a length of 2 bytes in version 1, of 4 in versions 2 and 3. */
static mcv_status find_header(const char *path, const mcv_file_map *map, unread *header) {
    size_t length_size = map->size > MAGIC_SIZE && map->data[MAGIC_SIZE] == 1 ? 2 : 4,
           start = MAGIC_SIZE + 2 + length_size;
    if (map->size < start || memcmp(map->data, MAGIC, MAGIC_SIZE) != 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: not a .npy file", path);
    if (map->data[MAGIC_SIZE] < 1 || map->data[MAGIC_SIZE] > 3)
        return MCV_FAIL(MCV_UNSUPPORTED, "%s: .npy version %d, expected 1 to 3", path, map->data[MAGIC_SIZE]);
    size_t length = 0;
    for (size_t i = length_size; i-- > 0;)
        length = length << 8 | map->data[MAGIC_SIZE + 2 + i];
    if (length > map->size - start)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %d: header length %zu in a file of %zu bytes", path, MAGIC_SIZE + 2,
                        length, map->size);
    header->at = (const char *)map->data + start;
    header->end = header->at + length;
    return MCV_OK;
}

static mcv_status read_tensor(const char *path, const mcv_file_map *map, mcv_tensor *tensor) {
    unread words;
    npy_header header = {0};
    MCV_TRY(find_header(path, map, &words));
    int shown = words.end - words.at < 80 ? (int)(words.end - words.at) : 80;
    if (!read_dictionary(words, &header))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: expected a header with descr, fortran_order and shape, found %.*s", path,
                        shown, words.at);
    if (header.tensor.rank > MCV_MAX_RANK)
        return MCV_FAIL(MCV_UNSUPPORTED, "%s: %d dimensions, at most %d are supported", path, header.tensor.rank,
                        MCV_MAX_RANK);
    if (!dtype_of(header.descr, &header.tensor.dtype))
        return MCV_FAIL(MCV_UNSUPPORTED, "%s: elements of type '%s' are not supported", path, header.descr);
    if (header.fortran_order && header.tensor.rank > 1)
        return MCV_FAIL(MCV_UNSUPPORTED, "%s: the array is in Fortran order", path);
    header.tensor.data = words.end;
    *tensor = header.tensor;
    size_t found = map->size - (size_t)((const unsigned char *)words.end - map->data), expected;
    char shape[160];
    if (!mcv_tensor_bytes(tensor, &expected) || expected != found)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %s %s does not take the %zu bytes of data in the file", path,
                        mcv_dtype_name(tensor->dtype), mcv_tensor_shape_text(tensor, shape, sizeof shape), found);
    return MCV_OK;
}

mcv_status mcv_npy_open(const char *path, mcv_npy *array) {
    *array = (mcv_npy){0};
    MCV_TRY(mcv_file_open_map(path, &array->map));
    mcv_status status = read_tensor(path, &array->map, &array->tensor);
    if (status != MCV_OK)
        mcv_npy_close(array);
    return status;
}

void mcv_npy_close(mcv_npy *array) {
    mcv_file_close_map(&array->map);
    *array = (mcv_npy){0};
}
