/* One GGUF file: its header, checked whole. */
#include "formats/gguf_internal.h"

enum {
    DEFAULT_ALIGNMENT = 32,
    MIN_VALUE_BYTES = 8 + 4 + 1,      /* an empty key, a type, one byte */
    MIN_TENSOR_BYTES = 8 + 4 + 4 + 8, /* an empty name, a rank of 0, type, offset */
    MAX_NAME = 65535,
};

/* ---- Reading forward ----------------------------------------------------------------------------------------- */

typedef struct cursor {
    const char *path;
    const uint8_t *data;
    size_t size, at;
} cursor;

/* *bytes = the next `size` bytes, which `what` takes. */
static mcv_status take(cursor *in, uint64_t size, const char *what, const uint8_t **bytes) {
    if (size > in->size - in->at)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: %s takes %llu bytes, the file has %zu more (cut short?)",
                        in->path, in->at, what, (unsigned long long)size, in->size - in->at);
    *bytes = in->data + in->at;
    in->at += (size_t)size;
    return MCV_OK;
}

static mcv_status take_u32(cursor *in, const char *what, uint32_t *value) {
    const uint8_t *bytes;
    MCV_TRY(take(in, sizeof *value, what, &bytes));
    memcpy(value, bytes, sizeof *value);
    return MCV_OK;
}

static mcv_status take_u64(cursor *in, const char *what, uint64_t *value) {
    const uint8_t *bytes;
    MCV_TRY(take(in, sizeof *value, what, &bytes));
    memcpy(value, bytes, sizeof *value);
    return MCV_OK;
}

/* A count of things that take at least min_bytes each. */
static mcv_status take_count(cursor *in, const char *what, size_t min_bytes, size_t *count) {
    uint64_t value;
    size_t at = in->at;
    MCV_TRY(take_u64(in, what, &value));
    if (value > (in->size - in->at) / min_bytes)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: %s is %llu, more than the %zu bytes behind it can hold", in->path,
                        at, what, (unsigned long long)value, in->size - in->at);
    *count = (size_t)value;
    return MCV_OK;
}

static mcv_status take_string(cursor *in, const char *what, const uint8_t **bytes, size_t *size) {
    uint64_t length;
    MCV_TRY(take_u64(in, what, &length));
    MCV_TRY(take(in, length, what, bytes));
    *size = (size_t)length;
    return MCV_OK;
}

/* A key or a tensor's name, as a string in the arena. */
static mcv_status take_name(cursor *in, const char *what, mcv_arena *arena, const char **name) {
    const uint8_t *bytes;
    size_t at = in->at, size;
    char *copy;
    MCV_TRY(take_string(in, what, &bytes, &size));
    if (size == 0 || size > MAX_NAME || memchr(bytes, 0, size))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: expected %s of 1 to %d bytes without a 0 byte, found %zu bytes",
                        in->path, at, what, MAX_NAME, size);
    MCV_TRY(MCV_ARENA_NEW(arena, &copy, size + 1));
    memcpy(copy, bytes, size);
    copy[size] = 0;
    *name = copy;
    return MCV_OK;
}

/* ---- Metadata ------------------------------------------------------------------------------------------------ */

size_t mcv_gguf_type_size(mcv_gguf_type type) {
    static const uint8_t SIZES[MCV_GGUF_TYPE_COUNT] = {
        [MCV_GGUF_U8] = 1,  [MCV_GGUF_I8] = 1,  [MCV_GGUF_U16] = 2, [MCV_GGUF_I16] = 2,
        [MCV_GGUF_U32] = 4, [MCV_GGUF_I32] = 4, [MCV_GGUF_F32] = 4, [MCV_GGUF_BOOL] = 1,
        [MCV_GGUF_U64] = 8, [MCV_GGUF_I64] = 8, [MCV_GGUF_F64] = 8,
    };
    return SIZES[type];
}

static mcv_status take_type(cursor *in, const char *key, mcv_gguf_type *type) {
    uint32_t number;
    size_t at = in->at;
    MCV_TRY(take_u32(in, "a type", &number));
    if (number >= MCV_GGUF_TYPE_COUNT)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: byte %zu: unknown type %lu of a value", in->path, key, at,
                        (unsigned long)number);
    *type = (mcv_gguf_type)number;
    return MCV_OK;
}

static mcv_status skip_elements(cursor *in, const mcv_gguf_value *value) {
    const uint8_t *bytes;
    size_t size = mcv_gguf_type_size(value->type), length;
    for (size_t i = 0; i < value->count && size == 0; i++)
        MCV_TRY(take_string(in, "a string", &bytes, &length));
    return take(in, value->count * size, "the value", &bytes);
}

static mcv_status check_bools(const cursor *in, const mcv_gguf_value *value) {
    for (size_t i = 0; i < value->count && value->type == MCV_GGUF_BOOL; i++)
        if (value->data[i] > 1)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: expected a bool, 0 or 1, found %d", in->path,
                            (size_t)(value->data + i - in->data), value->data[i]);
    return MCV_OK;
}

static mcv_status take_elements(cursor *in, mcv_gguf_value *value) {
    MCV_TRY(take_type(in, value->key, &value->type));
    value->count = 1;
    value->is_array = value->type == MCV_GGUF_ARRAY;
    if (value->is_array) {
        MCV_TRY(take_type(in, value->key, &value->type));
        if (value->type == MCV_GGUF_ARRAY)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: expected elements of an array, found an array of arrays",
                            in->path, in->at);
        size_t min_bytes = value->type == MCV_GGUF_STRING ? sizeof(uint64_t) : mcv_gguf_type_size(value->type);
        MCV_TRY(take_count(in, "the number of elements", min_bytes, &value->count));
    }
    value->data = in->data + in->at;
    MCV_TRY(skip_elements(in, value));
    return check_bools(in, value);
}

static mcv_status take_value(cursor *in, mcv_arena *arena, mcv_gguf_value *value) {
    *value = (mcv_gguf_value){0};
    MCV_TRY(take_name(in, "a key", arena, &value->key));
    mcv_status status = take_elements(in, value);
    return status == MCV_OK ? status : mcv_fail_context(status, "%s", value->key);
}

/* ---- Tensors ------------------------------------------------------------------------------------------------- */

/* The file has the innermost dimension first. */
static mcv_status take_shape(cursor *in, mcv_gguf_tensor *tensor, uint64_t *elements) {
    uint32_t rank;
    *elements = 1;
    MCV_TRY(take_u32(in, "the number of dimensions", &rank));
    if (rank > MCV_GGUF_MAX_RANK)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: expected at most %d dimensions, found %lu", in->path, tensor->name,
                        MCV_GGUF_MAX_RANK, (unsigned long)rank);
    tensor->rank = (int)rank;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        uint64_t size;
        MCV_TRY(take_u64(in, "a dimension", &size));
        if (size == 0)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: dimension %d: expected at least 1, found 0", in->path, tensor->name,
                            tensor->rank - 1 - i);
        if (size > INT64_MAX || __builtin_mul_overflow(*elements, size, elements) || *elements > INT64_MAX)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: dimension %d of %llu: too many elements", in->path, tensor->name,
                            tensor->rank - 1 - i, (unsigned long long)size);
        tensor->shape[i] = (int64_t)size;
    }
    return MCV_OK;
}

static mcv_status set_type(const cursor *in, uint64_t elements, mcv_gguf_tensor *tensor) {
    const mcv_gguf_element *element = mcv_gguf_element_of(tensor->type_id);
    if (!element)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: unknown element type %lu", in->path, tensor->name,
                        (unsigned long)tensor->type_id);
    uint64_t columns = tensor->rank ? (uint64_t)tensor->shape[tensor->rank - 1] : 1;
    if (columns % element->block_size != 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: rows of %llu elements, expected a multiple of %zu for type %s",
                        in->path, tensor->name, (unsigned long long)columns, element->block_size, element->name);
    if (!mcv_mul_size((size_t)(elements / element->block_size), element->block_bytes, &tensor->bytes))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: too many elements", in->path, tensor->name);
    tensor->has_weight_type = element->weight_type >= 0;
    tensor->weight_type = tensor->has_weight_type ? (mcv_weight_type)element->weight_type : MCV_WEIGHT_F32;
    return MCV_OK;
}

/* *offset: where its data begins, counted from the start of all data. */
static mcv_status take_tensor(cursor *in, mcv_arena *arena, mcv_gguf_tensor *tensor, uint64_t *offset) {
    uint64_t elements;
    *tensor = (mcv_gguf_tensor){0};
    MCV_TRY(take_name(in, "a tensor's name", arena, &tensor->name));
    MCV_TRY(take_shape(in, tensor, &elements));
    MCV_TRY(take_u32(in, "a tensor's type", &tensor->type_id));
    MCV_TRY(set_type(in, elements, tensor));
    return take_u64(in, "a tensor's offset", offset);
}

/* ---- Layout of the data -------------------------------------------------------------------------------------- */

static mcv_status find_alignment(const mcv_gguf_part *part, size_t *alignment) {
    *alignment = DEFAULT_ALIGNMENT;
    for (size_t i = 0; i < part->value_count; i++) {
        const mcv_gguf_value *value = &part->values[i];
        uint32_t number = 0;
        if (strcmp(value->key, "general.alignment") != 0)
            continue;
        if (value->type == MCV_GGUF_U32 && !value->is_array)
            memcpy(&number, value->data, sizeof number);
        if (number == 0 || (number & (number - 1)) != 0)
            return MCV_FAIL(MCV_BAD_INPUT,
                            "%s: general.alignment: expected a uint32 that is a power of two, found %s %lu", part->path,
                            mcv_gguf_type_name(value->type), (unsigned long)number);
        *alignment = number;
    }
    return MCV_OK;
}

static int compare_data(const void *left, const void *right) {
    const mcv_gguf_tensor *const *a = left, *const *b = right;
    if ((*a)->data != (*b)->data)
        return (*a)->data < (*b)->data ? -1 : 1;
    return ((*a)->bytes > (*b)->bytes) - ((*a)->bytes < (*b)->bytes);
}

static mcv_status check_overlaps(const mcv_gguf_part *part, mcv_arena *arena) {
    const mcv_gguf_tensor **sorted;
    MCV_TRY(MCV_ARENA_NEW(arena, &sorted, part->tensor_count));
    for (size_t i = 0; i < part->tensor_count; i++)
        sorted[i] = &part->tensors[i];
    if (part->tensor_count > 0)
        qsort(sorted, part->tensor_count, sizeof *sorted, compare_data);
    for (size_t i = 1; i < part->tensor_count; i++)
        if (sorted[i - 1]->data + sorted[i - 1]->bytes > sorted[i]->data)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: its data begins at byte %zu, within that of %s", part->path,
                            sorted[i]->name, (size_t)(sorted[i]->data - part->map.data), sorted[i - 1]->name);
    return MCV_OK;
}

/* offsets: [tensor_count]. `in` stands behind the header. */
static mcv_status place_tensors(const cursor *in, mcv_gguf_part *part, const uint64_t *offsets, mcv_arena *arena) {
    size_t alignment, padded;
    MCV_TRY(find_alignment(part, &alignment));
    padded = (in->at + alignment - 1) / alignment * alignment;
    /* Without tensors the file may end with its header. */
    size_t start = padded < in->size ? padded : in->size, size = in->size - start;
    for (size_t i = 0; i < part->tensor_count; i++) {
        mcv_gguf_tensor *tensor = &part->tensors[i];
        if (offsets[i] % alignment != 0)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: offset %llu, expected a multiple of the alignment, %zu", part->path,
                            tensor->name, (unsigned long long)offsets[i], alignment);
        if (offsets[i] > size || tensor->bytes > size - (size_t)offsets[i])
            return MCV_FAIL(MCV_BAD_INPUT,
                            "%s: %s: %zu bytes from offset %llu on, the file has %zu bytes of data (cut short?)",
                            part->path, tensor->name, tensor->bytes, (unsigned long long)offsets[i], size);
        tensor->data = in->data + start + (size_t)offsets[i];
    }
    return check_overlaps(part, arena);
}

/* ---- The file ------------------------------------------------------------------------------------------------ */

static mcv_status take_magic(cursor *in, mcv_gguf_part *part) {
    const uint8_t *magic;
    uint32_t version;
    MCV_TRY(take(in, 4, "the magic number", &magic));
    if (memcmp(magic, "GGUF", 4) != 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: not a GGUF file: it begins with %02x %02x %02x %02x", in->path, magic[0],
                        magic[1], magic[2], magic[3]);
    MCV_TRY(take_u32(in, "the version", &version));
    if (version != 0 && (version & 0xffff) == 0)
        return MCV_FAIL(MCV_UNSUPPORTED, "%s: a big-endian GGUF file", in->path);
    if (version == 0 || version > 3)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: byte 4: GGUF version %lu, expected 2 or 3", in->path,
                        (unsigned long)version);
    if (version == 1)
        return MCV_FAIL(MCV_UNSUPPORTED, "%s: GGUF version 1, expected 2 or 3", in->path);
    part->version = (int)version;
    return MCV_OK;
}

mcv_status mcv_gguf_parse(mcv_gguf_part *part, mcv_arena *arena) {
    cursor in = {part->path, part->map.data, part->map.size, 0};
    uint64_t *offsets;
    size_t tensors, values;
    MCV_TRY(take_magic(&in, part));
    MCV_TRY(take_count(&in, "the number of tensors", MIN_TENSOR_BYTES, &tensors));
    MCV_TRY(take_count(&in, "the number of metadata values", MIN_VALUE_BYTES, &values));
    MCV_TRY(MCV_ARENA_NEW(arena, &part->values, values));
    for (part->value_count = 0; part->value_count < values; part->value_count++)
        MCV_TRY(take_value(&in, arena, &part->values[part->value_count]));
    MCV_TRY(MCV_ARENA_NEW(arena, &part->tensors, tensors));
    MCV_TRY(MCV_ARENA_NEW(arena, &offsets, tensors));
    for (part->tensor_count = 0; part->tensor_count < tensors; part->tensor_count++)
        MCV_TRY(take_tensor(&in, arena, &part->tensors[part->tensor_count], &offsets[part->tensor_count]));
    return place_tensors(&in, part, offsets, arena);
}
