/* A whole GGUF file: its parts, and look-ups by name. */
#include "formats/gguf.h"

#include <math.h>
#include <stdio.h>

#include "core/text.h"
#include "formats/gguf_internal.h"

/* ---- Opening ------------------------------------------------------------------------------------------------- */

static int compare_keys(const void *left, const void *right) {
    const mcv_gguf_value *const *a = left, *const *b = right;
    return strcmp((*a)->key, (*b)->key);
}

static int compare_names(const void *left, const void *right) {
    const mcv_gguf_tensor *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

static mcv_status sort_keys(mcv_gguf *file) {
    const mcv_gguf_part *part = &file->parts[0];
    size_t count = part->value_count;
    MCV_TRY(MCV_ARENA_NEW(&file->arena, &file->values_by_key, count));
    for (size_t i = 0; i < count; i++)
        file->values_by_key[i] = &part->values[i];
    if (count > 0)
        qsort(file->values_by_key, count, sizeof *file->values_by_key, compare_keys);
    for (size_t i = 1; i < count; i++)
        if (strcmp(file->values_by_key[i - 1]->key, file->values_by_key[i]->key) == 0)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: this key occurs twice", part->path, file->values_by_key[i]->key);
    return MCV_OK;
}

static mcv_status sort_names(mcv_gguf *file) {
    size_t count = 0;
    for (size_t i = 0; i < file->part_count; i++)
        count += file->parts[i].tensor_count;
    MCV_TRY(MCV_ARENA_NEW(&file->arena, &file->tensors, count));
    MCV_TRY(MCV_ARENA_NEW(&file->arena, &file->tensors_by_name, count));
    for (size_t i = 0; i < file->part_count; i++)
        for (size_t j = 0; j < file->parts[i].tensor_count; j++) {
            file->parts[i].tensors[j].part = i;
            file->tensors[file->tensor_count] = file->tensors_by_name[file->tensor_count] = &file->parts[i].tensors[j];
            file->tensor_count++;
        }
    if (count > 0)
        qsort(file->tensors_by_name, count, sizeof *file->tensors_by_name, compare_names);
    for (size_t i = 1; i < count; i++) {
        const mcv_gguf_tensor *a = file->tensors_by_name[i - 1], *b = file->tensors_by_name[i];
        if (strcmp(a->name, b->name) == 0)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: this tensor is in %s too", file->parts[b->part].path, b->name,
                            file->parts[a->part].path);
    }
    return MCV_OK;
}

static mcv_status open_part(mcv_gguf *file, const char *path) {
    mcv_gguf_part *part = &file->parts[file->part_count++];
    MCV_TRY(mcv_strdup(&part->path, path));
    MCV_TRY(mcv_file_open_map(path, &part->map));
    part->is_mapped = true;
    return mcv_gguf_parse(part, &file->arena);
}

/* ---- Split files --------------------------------------------------------------------------------------------- */

/* "NAME-00002-of-00003.gguf": the length of NAME and the number of parts, 0 where it is no such path. */
static size_t split_path(const char *path, size_t *parts) {
    static const char PATTERN[] = "-00000-of-00000.gguf";
    size_t length = strlen(path), pattern = sizeof PATTERN - 1, number = 0;
    *parts = 0;
    if (length <= pattern)
        return 0;
    const char *end = path + length - pattern;
    for (size_t i = 0; i < pattern; i++) {
        bool is_digit = end[i] >= '0' && end[i] <= '9';
        if (PATTERN[i] == '0' ? !is_digit : end[i] != PATTERN[i])
            return 0;
        if (PATTERN[i] == '0')
            number = number * 10 + (size_t)(end[i] - '0');
    }
    *parts = number % 100000;
    return length - pattern;
}

static mcv_status check_split(const mcv_gguf *file, size_t index) {
    const mcv_gguf_part *part = &file->parts[index];
    static const char *const KEYS[] = {"split.no", "split.count"};
    const uint64_t expected[] = {index, file->part_count};
    for (int k = 0; k < 2; k++) {
        uint64_t found = UINT64_MAX;
        for (size_t i = 0; i < part->value_count; i++) {
            const mcv_gguf_value *value = &part->values[i];
            if (strcmp(value->key, KEYS[k]) == 0 && value->type == MCV_GGUF_U16 && !value->is_array)
                found = (uint64_t)(value->data[0] | value->data[1] << 8);
        }
        if (found != expected[k])
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: expected a uint16 of %llu as in the file's name, found %lld",
                            part->path, KEYS[k], (unsigned long long)expected[k], (long long)found);
    }
    return MCV_OK;
}

static mcv_status open_split(mcv_gguf *file, size_t stem, size_t parts) {
    char *path;
    size_t size = strlen(file->path) + 1;
    MCV_TRY(MCV_NEW(&path, size));
    mcv_status status = MCV_OK;
    for (size_t i = 0; i < parts && status == MCV_OK; i++) {
        snprintf(path, size, "%.*s-%05zu-of-%05zu.gguf", (int)stem, file->path, i + 1, parts);
        status = open_part(file, path);
    }
    free(path);
    for (size_t i = 0; i < parts && status == MCV_OK; i++)
        status = check_split(file, i);
    return status;
}

static mcv_status check_split_total(const mcv_gguf *file) {
    int64_t total = (int64_t)file->tensor_count;
    MCV_TRY(mcv_gguf_get_int(file, "split.tensors.count", 0, INT64_MAX, &total));
    return total == (int64_t)file->tensor_count
               ? MCV_OK
               : MCV_FAIL(MCV_BAD_INPUT, "%s: split.tensors.count is %lld, the parts have %zu tensors", file->path,
                          (long long)total, file->tensor_count);
}

static mcv_status open_all(mcv_gguf *file) {
    size_t parts, stem = split_path(file->path, &parts);
    MCV_TRY(MCV_NEW(&file->parts, parts ? parts : 1));
    MCV_TRY(parts ? open_split(file, stem, parts) : open_part(file, file->path));
    MCV_TRY(sort_keys(file));
    MCV_TRY(sort_names(file));
    return check_split_total(file);
}

mcv_status mcv_gguf_open(const char *path, mcv_gguf **out) {
    mcv_gguf *file;
    *out = NULL;
    MCV_TRY(MCV_NEW(&file, 1));
    mcv_status status = mcv_strdup(&file->path, path);
    if (status == MCV_OK)
        status = open_all(file);
    if (status == MCV_OK)
        *out = file;
    else
        mcv_gguf_close(file);
    return status;
}

static mcv_status read_memory(mcv_gguf *file, const void *data, size_t size) {
    MCV_TRY(MCV_NEW(&file->parts, 1));
    file->part_count = 1;
    file->parts[0].map = (mcv_file_map){data, size};
    MCV_TRY(mcv_strdup(&file->parts[0].path, file->path));
    MCV_TRY(mcv_gguf_parse(&file->parts[0], &file->arena));
    MCV_TRY(sort_keys(file));
    return sort_names(file);
}

mcv_status mcv_gguf_read(const void *data, size_t size, const char *name, mcv_gguf **out) {
    mcv_gguf *file;
    *out = NULL;
    MCV_TRY(MCV_NEW(&file, 1));
    mcv_status status = mcv_strdup(&file->path, name);
    if (status == MCV_OK)
        status = read_memory(file, data, size);
    if (status == MCV_OK)
        *out = file;
    else
        mcv_gguf_close(file);
    return status;
}

void mcv_gguf_close(mcv_gguf *file) {
    if (!file)
        return;
    for (size_t i = 0; i < file->part_count; i++) {
        if (file->parts[i].is_mapped)
            mcv_file_close_map(&file->parts[i].map);
        free(file->parts[i].path);
    }
    free(file->parts);
    mcv_arena_free(&file->arena);
    free(file->path);
    free(file);
}

mcv_status mcv_path_is_gguf(const char *path, bool *is_gguf) {
    static const char MAGIC[] = "GGUF";
    *is_gguf = mcv_ends_with(path, ".gguf");
    if (*is_gguf || !mcv_file_exists(path) || mcv_path_is_folder(path))
        return MCV_OK;
    mcv_file_map map;
    MCV_TRY(mcv_file_open_map(path, &map));
    *is_gguf = map.size >= sizeof MAGIC - 1 && memcmp(map.data, MAGIC, sizeof MAGIC - 1) == 0;
    mcv_file_close_map(&map);
    return MCV_OK;
}

const char *mcv_gguf_path(const mcv_gguf *file) {
    return file->path;
}

int mcv_gguf_version(const mcv_gguf *file) {
    return file->parts[0].version;
}

size_t mcv_gguf_parts(const mcv_gguf *file) {
    return file->part_count;
}

const char *mcv_gguf_part_path(const mcv_gguf *file, size_t part) {
    return file->parts[part].path;
}

/* ---- Tensors ------------------------------------------------------------------------------------------------- */

size_t mcv_gguf_tensor_count(const mcv_gguf *file) {
    return file->tensor_count;
}

const mcv_gguf_tensor *mcv_gguf_tensor_at(const mcv_gguf *file, size_t index) {
    return file->tensors[index];
}

const mcv_gguf_tensor *mcv_gguf_find_tensor(const mcv_gguf *file, const char *name) {
    const mcv_gguf_tensor key = {.name = name}, *wanted = &key;
    const mcv_gguf_tensor **found =
        bsearch(&wanted, file->tensors_by_name, file->tensor_count, sizeof wanted, compare_names);
    return found ? *found : NULL;
}

/* ---- Metadata ------------------------------------------------------------------------------------------------ */

const char *mcv_gguf_type_name(mcv_gguf_type type) {
    static const char *const NAMES[MCV_GGUF_TYPE_COUNT] = {"uint8",  "int8",    "uint16", "int16",  "uint32",
                                                           "int32",  "float32", "bool",   "string", "array",
                                                           "uint64", "int64",   "float64"};
    return NAMES[type];
}

size_t mcv_gguf_value_count(const mcv_gguf *file) {
    return file->parts[0].value_count;
}

const mcv_gguf_value *mcv_gguf_value_at(const mcv_gguf *file, size_t index) {
    return &file->parts[0].values[index];
}

const mcv_gguf_value *mcv_gguf_find_value(const mcv_gguf *file, const char *key) {
    const mcv_gguf_value wanted = {.key = key}, *pointer = &wanted;
    const mcv_gguf_value **found =
        bsearch(&pointer, file->values_by_key, file->parts[0].value_count, sizeof pointer, compare_keys);
    return found ? *found : NULL;
}

mcv_status mcv_gguf_fail(mcv_status status, const mcv_gguf *file, const char *key, const char *expected) {
    const mcv_gguf_value *value = mcv_gguf_find_value(file, key);
    char text[64] = "";
    if (!value)
        return MCV_FAIL(status, "%s: %s: expected %s, found no such key", file->path, key, expected);
    if (value->is_array)
        snprintf(text, sizeof text, "of %zu elements", value->count);
    else
        mcv_gguf_element_text(value, 0, text, sizeof text);
    return MCV_FAIL(status, "%s: %s: expected %s, found %s%s %s", file->path, key, expected,
                    mcv_gguf_type_name(value->type), value->is_array ? " array" : "", text);
}

/* false where the element is no integer, or beyond 64 bits with sign. */
static bool integer_at(const mcv_gguf_value *value, size_t index, int64_t *number) {
    size_t size = mcv_gguf_type_size(value->type);
    uint64_t bits = 0;
    if (size > 0)
        memcpy(&bits, value->data + index * size, size);
    *number = (int64_t)bits;
    switch (value->type) {
    case MCV_GGUF_I8:
        *number = (int8_t)bits;
        return true;
    case MCV_GGUF_I16:
        *number = (int16_t)bits;
        return true;
    case MCV_GGUF_I32:
        *number = (int32_t)bits;
        return true;
    case MCV_GGUF_U8:
    case MCV_GGUF_U16:
    case MCV_GGUF_U32:
    case MCV_GGUF_I64:
        return true;
    case MCV_GGUF_U64:
        return bits <= INT64_MAX;
    default:
        return false;
    }
}

static bool real_at(const mcv_gguf_value *value, size_t index, double *number) {
    float single;
    if (value->type == MCV_GGUF_F64) {
        memcpy(number, value->data + index * sizeof *number, sizeof *number);
        return true;
    }
    if (value->type != MCV_GGUF_F32)
        return false;
    memcpy(&single, value->data + index * sizeof single, sizeof single);
    *number = (double)single;
    return true;
}

mcv_status mcv_gguf_get_int(const mcv_gguf *file, const char *key, int64_t low, int64_t high, int64_t *value) {
    const mcv_gguf_value *found = mcv_gguf_find_value(file, key);
    int64_t number;
    char expected[80];
    if (!found)
        return MCV_OK;
    if (!found->is_array && integer_at(found, 0, &number) && number >= low && number <= high) {
        *value = number;
        return MCV_OK;
    }
    snprintf(expected, sizeof expected, "an integer from %lld to %lld", (long long)low, (long long)high);
    return mcv_gguf_fail(MCV_BAD_INPUT, file, key, expected);
}

mcv_status mcv_gguf_get_double(const mcv_gguf *file, const char *key, double *value) {
    const mcv_gguf_value *found = mcv_gguf_find_value(file, key);
    double number;
    if (!found)
        return MCV_OK;
    if (found->is_array || !real_at(found, 0, &number) || !isfinite(number))
        return mcv_gguf_fail(MCV_BAD_INPUT, file, key, "a finite real number");
    *value = number;
    return MCV_OK;
}

mcv_status mcv_gguf_get_bool(const mcv_gguf *file, const char *key, bool *value) {
    const mcv_gguf_value *found = mcv_gguf_find_value(file, key);
    if (!found)
        return MCV_OK;
    if (found->is_array || found->type != MCV_GGUF_BOOL)
        return mcv_gguf_fail(MCV_BAD_INPUT, file, key, "a bool");
    *value = found->data[0];
    return MCV_OK;
}

/* The string at *data, which moves behind it. Lengths have been checked. */
static mcv_gguf_string next_string(const uint8_t **data) {
    uint64_t size;
    memcpy(&size, *data, sizeof size);
    mcv_gguf_string string = {(const char *)*data + sizeof size, (size_t)size};
    *data += sizeof size + (size_t)size;
    return string;
}

mcv_status mcv_gguf_get_string(const mcv_gguf *file, const char *key, mcv_gguf_string *value) {
    const mcv_gguf_value *found = mcv_gguf_find_value(file, key);
    if (!found)
        return MCV_OK;
    if (found->is_array || found->type != MCV_GGUF_STRING)
        return mcv_gguf_fail(MCV_BAD_INPUT, file, key, "a string");
    const uint8_t *data = found->data;
    *value = next_string(&data);
    return MCV_OK;
}

mcv_status mcv_gguf_get_strings(const mcv_gguf *file, const char *key, mcv_arena *arena, mcv_gguf_string **values,
                                size_t *count) {
    const mcv_gguf_value *found = mcv_gguf_find_value(file, key);
    *count = 0;
    *values = NULL;
    if (!found)
        return MCV_OK;
    if (!found->is_array || found->type != MCV_GGUF_STRING)
        return mcv_gguf_fail(MCV_BAD_INPUT, file, key, "an array of strings");
    MCV_TRY(MCV_ARENA_NEW(arena, values, found->count));
    const uint8_t *data = found->data;
    for (*count = 0; *count < found->count; ++*count)
        (*values)[*count] = next_string(&data);
    return MCV_OK;
}

mcv_status mcv_gguf_get_ints(const mcv_gguf *file, const char *key, mcv_arena *arena, int64_t **values, size_t *count) {
    const mcv_gguf_value *found = mcv_gguf_find_value(file, key);
    *count = 0;
    *values = NULL;
    if (!found)
        return MCV_OK;
    MCV_TRY(MCV_ARENA_NEW(arena, values, found->count));
    for (*count = 0; *count < found->count; ++*count)
        if (!found->is_array || !integer_at(found, *count, *values + *count))
            return mcv_gguf_fail(MCV_BAD_INPUT, file, key, "an array of integers");
    return MCV_OK;
}

mcv_status mcv_gguf_get_doubles(const mcv_gguf *file, const char *key, mcv_arena *arena, double **values,
                                size_t *count) {
    const mcv_gguf_value *found = mcv_gguf_find_value(file, key);
    *count = 0;
    *values = NULL;
    if (!found)
        return MCV_OK;
    MCV_TRY(MCV_ARENA_NEW(arena, values, found->count));
    for (*count = 0; *count < found->count; ++*count)
        if (!found->is_array || !real_at(found, *count, *values + *count))
            return mcv_gguf_fail(MCV_BAD_INPUT, file, key, "an array of real numbers");
    return MCV_OK;
}

void mcv_gguf_element_text(const mcv_gguf_value *value, size_t index, char *text, size_t size) {
    int64_t integer;
    double real;
    const uint8_t *data = value->data;
    mcv_gguf_string string = {"", 0};
    if (integer_at(value, index, &integer)) {
        snprintf(text, size, "%lld", (long long)integer);
    } else if (real_at(value, index, &real)) {
        snprintf(text, size, "%.9g", real);
    } else if (value->type == MCV_GGUF_BOOL) {
        snprintf(text, size, "%s", value->data[index] ? "true" : "false");
    } else if (value->type == MCV_GGUF_STRING) {
        for (size_t i = 0; i <= index; i++)
            string = next_string(&data);
        snprintf(text, size, "%.*s", string.size < size ? (int)string.size : (int)size, string.data);
    } else {
        uint64_t bits; /* a uint64 beyond the integers above */
        memcpy(&bits, value->data + index * sizeof bits, sizeof bits);
        snprintf(text, size, "%llu", (unsigned long long)bits);
    }
}
