#include "formats/safetensors.h"

#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/text.h"
#include "formats/json.h"

enum { LENGTH_SIZE = 8, MAX_HEADER_SIZE = 100000000 };

/* One file. The tensors' names belong to its header. */
typedef struct shard_file {
    char *path;
    mcv_file_map map;
    mcv_json header;
    const unsigned char *data; /* behind the header */
    size_t data_size;
} shard_file;

typedef struct tensor_entry {
    const char *name;
    mcv_tensor tensor;
    size_t begin, end; /* in the shard's data */
    size_t shard;
} tensor_entry;

struct mcv_safetensors {
    shard_file *shards;
    size_t shard_count, shard_capacity;
    tensor_entry *entries; /* shard by shard, by offset */
    size_t count, capacity;
    const tensor_entry **by_name; /* [count], sorted */
};

/* ---- One header ---------------------------------------------------------------------------------------------- */

static mcv_status read_header(shard_file *shard) {
    static const char LFS_POINTER[] = "version https://git-lfs";
    const mcv_file_map *map = &shard->map;
    if (map->size < LENGTH_SIZE)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: not a safetensors file: %zu bytes, expected at least %d", shard->path,
                        map->size, LENGTH_SIZE);
    if (map->size >= sizeof LFS_POINTER && memcmp(map->data, LFS_POINTER, sizeof LFS_POINTER - 1) == 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: a Git LFS pointer, not the tensors: fetch the file's content", shard->path);
    uint64_t length = 0;
    for (int i = LENGTH_SIZE - 1; i >= 0; i--)
        length = length << 8 | map->data[i];
    if (length > MAX_HEADER_SIZE)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: byte 0: header length %llu, the format's limit is %d (not safetensors?)",
                        shard->path, (unsigned long long)length, MAX_HEADER_SIZE);
    if (length > map->size - LENGTH_SIZE)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: byte 0: header length %llu in a file of %zu bytes (cut short?)",
                        shard->path, (unsigned long long)length, map->size);
    const char *text = (const char *)map->data + LENGTH_SIZE;
    MCV_TRY(mcv_json_parse(text, length, shard->path, &shard->header));
    if (!json_is_object(shard->header.value) || text[0] != '{')
        return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %d: expected a header that begins with {", shard->path, LENGTH_SIZE);
    shard->data = map->data + LENGTH_SIZE + length;
    shard->data_size = map->size - LENGTH_SIZE - length;
    return MCV_OK;
}

static mcv_status check_metadata(const mcv_json *header) {
    mcv_json metadata;
    MCV_TRY(mcv_json_get_object(header, "__metadata__", &metadata));
    const char *key;
    json_t *value;
    json_object_foreach(metadata.value, key, value) {
        mcv_json member = mcv_json_member(&metadata, key);
        if (!json_is_string(value))
            return mcv_json_fail(MCV_BAD_INPUT, &member, "a string");
    }
    return MCV_OK;
}

static mcv_status read_size(const mcv_json *array, size_t index, int64_t *size) {
    mcv_json item = mcv_json_item(array, index);
    if (!json_is_integer(item.value) || json_integer_value(item.value) < 0)
        return mcv_json_fail(MCV_BAD_INPUT, &item, "an integer of at least 0");
    *size = json_integer_value(item.value);
    return MCV_OK;
}

static mcv_status read_shape(const mcv_json *info, mcv_tensor *tensor) {
    mcv_json shape;
    MCV_TRY(mcv_json_require(info, "shape"));
    MCV_TRY(mcv_json_get_array(info, "shape", &shape));
    size_t rank = mcv_json_count(&shape);
    if (rank > MCV_MAX_RANK)
        return MCV_FAIL(MCV_UNSUPPORTED, "%s: %s: %zu dimensions, at most %d are supported", info->parent->file,
                        info->key, rank, MCV_MAX_RANK);
    tensor->rank = (int)rank;
    for (size_t i = 0; i < rank; i++)
        MCV_TRY(read_size(&shape, i, &tensor->shape[i]));
    return MCV_OK;
}

static mcv_status read_dtype(const mcv_json *info, mcv_tensor *tensor) {
    const char *name = "";
    MCV_TRY(mcv_json_require(info, "dtype"));
    MCV_TRY(mcv_json_get_string(info, "dtype", &name));
    mcv_json dtype = mcv_json_member(info, "dtype");
    return mcv_dtype_from_name(name, &tensor->dtype) ? MCV_OK
                                                     : mcv_json_fail(MCV_BAD_INPUT, &dtype, "a safetensors type");
}

static mcv_status read_offsets(const mcv_json *info, const shard_file *shard, tensor_entry *entry) {
    mcv_json offsets;
    int64_t begin = 0, end = 0;
    MCV_TRY(mcv_json_require(info, "data_offsets"));
    MCV_TRY(mcv_json_get_array(info, "data_offsets", &offsets));
    if (mcv_json_count(&offsets) != 2)
        return mcv_json_fail(MCV_BAD_INPUT, &offsets, "two offsets");
    MCV_TRY(read_size(&offsets, 0, &begin));
    MCV_TRY(read_size(&offsets, 1, &end));
    if (begin > end || (uint64_t)end > shard->data_size)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: data_offsets [%lld, %lld], the file has %zu bytes of data (cut short?)",
                        shard->path, entry->name, (long long)begin, (long long)end, shard->data_size);
    entry->begin = (size_t)begin;
    entry->end = (size_t)end;
    return MCV_OK;
}

static mcv_status check_keys(const mcv_json *info) {
    if (!json_is_object(info->value))
        return mcv_json_fail(MCV_BAD_INPUT, info, "an object with dtype, shape and data_offsets");
    const char *key;
    json_t *value;
    json_object_foreach(info->value, key, value) {
        if (strcmp(key, "dtype") != 0 && strcmp(key, "shape") != 0 && strcmp(key, "data_offsets") != 0)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: unknown key \"%.60s\"", info->parent->file, info->key, key);
    }
    return MCV_OK;
}

static mcv_status read_entry(const mcv_json *info, const shard_file *shard, tensor_entry *entry) {
    size_t bytes;
    char shape[160];
    entry->name = info->key;
    MCV_TRY(check_keys(info));
    MCV_TRY(read_dtype(info, &entry->tensor));
    MCV_TRY(read_shape(info, &entry->tensor));
    MCV_TRY(read_offsets(info, shard, entry));
    entry->tensor.data = shard->data + entry->begin;
    if (mcv_tensor_bytes(&entry->tensor, &bytes) && bytes == entry->end - entry->begin)
        return MCV_OK;
    return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: %s %s does not take the %zu bytes of data_offsets [%zu, %zu]", shard->path,
                    entry->name, mcv_dtype_name(entry->tensor.dtype),
                    mcv_tensor_shape_text(&entry->tensor, shape, sizeof shape), entry->end - entry->begin, entry->begin,
                    entry->end);
}

static int compare_offsets(const void *left, const void *right) {
    const tensor_entry *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end)
        return a->end < b->end ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* The format allows neither holes nor overlaps, and every byte belongs to a tensor. */
static mcv_status check_layout(const mcv_safetensors *file, const shard_file *shard, size_t first) {
    size_t covered = 0;
    for (size_t i = first; i < file->count; i++) {
        const tensor_entry *entry = &file->entries[i];
        if (entry->begin != covered)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: data begins at offset %zu, the tensor before it ends at %zu",
                            shard->path, entry->name, entry->begin, covered);
        covered = entry->end;
    }
    if (covered != shard->data_size)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %zu bytes of data, the tensors take %zu", shard->path, shard->data_size,
                        covered);
    return MCV_OK;
}

/* Maps a file and appends its tensors. Takes `path`. */
static mcv_status open_shard(mcv_safetensors *file, char *path) {
    mcv_status status = MCV_GROW(&file->shards, &file->shard_capacity, file->shard_count + 1);
    if (status != MCV_OK) {
        free(path);
        return status;
    }
    size_t index = file->shard_count++, first = file->count;
    shard_file *shard = &file->shards[index];
    *shard = (shard_file){.path = path};
    MCV_TRY(mcv_file_open_map(path, &shard->map));
    MCV_TRY(read_header(shard));
    MCV_TRY(check_metadata(&shard->header));
    MCV_TRY(MCV_GROW(&file->entries, &file->capacity, first + json_object_size(shard->header.value)));
    const char *name;
    json_t *value;
    json_object_foreach(shard->header.value, name, value) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        mcv_json info = mcv_json_member(&shard->header, name);
        tensor_entry *entry = &file->entries[file->count];
        *entry = (tensor_entry){.shard = index};
        MCV_TRY(read_entry(&info, shard, entry));
        file->count++;
    }
    if (file->count > first)
        qsort(file->entries + first, file->count - first, sizeof *file->entries, compare_offsets);
    return check_layout(file, shard, first);
}

/* ---- Names --------------------------------------------------------------------------------------------------- */

static int compare_names(const void *left, const void *right) {
    const tensor_entry *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

static mcv_status sort_names(mcv_safetensors *file) {
    MCV_TRY(MCV_NEW(&file->by_name, file->count));
    for (size_t i = 0; i < file->count; i++)
        file->by_name[i] = &file->entries[i];
    qsort(file->by_name, file->count, sizeof *file->by_name, compare_names);
    for (size_t i = 1; i < file->count; i++) {
        const tensor_entry *a = file->by_name[i - 1], *b = file->by_name[i];
        if (strcmp(a->name, b->name) == 0)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: this tensor is in %s too", file->shards[b->shard].path, b->name,
                            file->shards[a->shard].path);
    }
    return MCV_OK;
}

static const tensor_entry *find_entry(const mcv_safetensors *file, const char *name) {
    const tensor_entry key = {.name = name}, *wanted = &key;
    const tensor_entry **found = bsearch(&wanted, file->by_name, file->count, sizeof *file->by_name, compare_names);
    return found ? *found : NULL;
}

/* ---- Shards with an index ------------------------------------------------------------------------------------ */

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int compare_strings(const void *left, const void *right) {
    const char *const *a = left, *const *b = right;
    return strcmp(*a, *b);
}

/* names: the different file names in weight_map, sorted, [*count]. To be released with free(); the strings belong to
 * weight_map. */
static mcv_status shard_names(const mcv_json *weight_map, const char ***names, size_t *count) {
    size_t all = json_object_size(weight_map->value), used = 0;
    MCV_TRY(MCV_NEW(names, all));
    const char *key;
    json_t *value;
    json_object_foreach(weight_map->value, key, value) {
        mcv_json member = mcv_json_member(weight_map, key);
        if (!json_is_string(value) || !json_string_length(value) || strchr(json_string_value(value), '/'))
            return mcv_json_fail(MCV_BAD_INPUT, &member, "the name of a file beside the index");
        (*names)[used++] = json_string_value(value);
    }
    qsort(*names, used, sizeof **names, compare_strings);
    *count = 0;
    for (size_t i = 0; i < used; i++)
        if (i == 0 || strcmp((*names)[i], (*names)[*count - 1]) != 0)
            (*names)[(*count)++] = (*names)[i];
    return MCV_OK;
}

static mcv_status open_shards(mcv_safetensors *file, const char *index_path, const mcv_json *weight_map) {
    const char **names = NULL;
    char *folder = NULL;
    size_t count = 0;
    mcv_status status = mcv_path_folder(&folder, index_path);
    if (status == MCV_OK)
        status = shard_names(weight_map, &names, &count);
    for (size_t i = 0; i < count && status == MCV_OK; i++) {
        char *path;
        status = mcv_path_join(&path, folder, names[i]);
        if (status == MCV_OK)
            status = open_shard(file, path);
        if (status != MCV_OK)
            status = mcv_fail_context(status, "%s names a file", index_path);
    }
    free(names);
    free(folder);
    return status;
}

/* Index and shards say the same of every tensor. */
static mcv_status compare_with_index(const mcv_safetensors *file, const char *index_path, const mcv_json *weight_map) {
    const char *name;
    json_t *value;
    json_object_foreach(weight_map->value, name, value) {
        const tensor_entry *entry = find_entry(file, name);
        const char *expected = json_string_value(value);
        if (!entry || strcmp(base_name(file->shards[entry->shard].path), expected) != 0)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: expected in %s, found in %s", index_path, name, expected,
                            entry ? file->shards[entry->shard].path : "no shard");
    }
    for (size_t i = 0; i < file->count; i++)
        if (!json_object_get(weight_map->value, file->entries[i].name))
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s is in %s and missing in the index", index_path,
                            file->entries[i].name, file->shards[file->entries[i].shard].path);
    return MCV_OK;
}

static mcv_status open_index(mcv_safetensors *file, const char *path) {
    mcv_json index, weight_map;
    MCV_TRY(mcv_json_load(path, &index));
    mcv_status status = mcv_json_require(&index, "weight_map");
    if (status == MCV_OK)
        status = mcv_json_get_object(&index, "weight_map", &weight_map);
    if (status == MCV_OK)
        status = open_shards(file, path, &weight_map);
    if (status == MCV_OK)
        status = sort_names(file);
    if (status == MCV_OK)
        status = compare_with_index(file, path, &weight_map);
    mcv_json_free(&index);
    return status;
}

/* ---- Public -------------------------------------------------------------------------------------------------- */

/* *found = the safetensors file or index that `path` means. To be released with free(). */
static mcv_status resolve(const char *path, char **found) {
    static const char *const NAMES[] = {"model.safetensors", "model.safetensors.index.json"};
    struct stat about;
    if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode))
        return mcv_strdup(found, path);
    for (int i = 0; i < 2; i++) {
        MCV_TRY(mcv_path_join(found, path, NAMES[i]));
        if (mcv_file_exists(*found))
            return MCV_OK;
        free(*found);
    }
    *found = NULL;
    return MCV_FAIL(MCV_BAD_INPUT, "%s: neither %s nor %s is in this folder", path, NAMES[0], NAMES[1]);
}

/* Takes `path`. */
static mcv_status open_file_or_index(mcv_safetensors *file, char *path) {
    if (mcv_ends_with(path, ".json")) {
        mcv_status status = open_index(file, path);
        free(path);
        return status;
    }
    MCV_TRY(open_shard(file, path));
    return sort_names(file);
}

mcv_status mcv_safetensors_open(const char *path, mcv_safetensors **out) {
    *out = NULL;
    mcv_safetensors *file;
    char *found;
    MCV_TRY(resolve(path, &found));
    mcv_status status = MCV_NEW(&file, 1);
    if (status != MCV_OK) {
        free(found);
        return status;
    }
    status = open_file_or_index(file, found);
    if (status == MCV_OK)
        *out = file;
    else
        mcv_safetensors_close(file);
    return status;
}

void mcv_safetensors_close(mcv_safetensors *file) {
    if (!file)
        return;
    for (size_t i = 0; i < file->shard_count; i++) {
        mcv_json_free(&file->shards[i].header);
        mcv_file_close_map(&file->shards[i].map);
        free(file->shards[i].path);
    }
    free(file->shards);
    free(file->entries);
    free(file->by_name);
    free(file);
}

size_t mcv_safetensors_count(const mcv_safetensors *file) {
    return file->count;
}

const char *mcv_safetensors_name(const mcv_safetensors *file, size_t index) {
    return file->entries[index].name;
}

mcv_tensor mcv_safetensors_at(const mcv_safetensors *file, size_t index) {
    return file->entries[index].tensor;
}

bool mcv_safetensors_find(const mcv_safetensors *file, const char *name, mcv_tensor *tensor) {
    const tensor_entry *entry = find_entry(file, name);
    if (entry)
        *tensor = entry->tensor;
    return entry;
}

const char *mcv_safetensors_metadata(const mcv_safetensors *file, const char *key) {
    for (size_t i = 0; i < file->shard_count; i++) {
        const json_t *metadata = json_object_get(file->shards[i].header.value, "__metadata__");
        const json_t *value = json_object_get(metadata, key);
        if (value)
            return json_string_value(value);
    }
    return NULL;
}
