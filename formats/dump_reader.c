#include "formats/dump_reader.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/text.h"
#include "formats/json.h"
#include "formats/npy.h"
#include "formats/safetensors.h"

/* A tensor under the name that it goes by. */
typedef struct dump_entry {
    char *name;
    mcv_tensor tensor;
} dump_entry;

struct mcv_dump {
    dump_entry *entries; /* [count] */
    size_t count, capacity;
    mcv_safetensors *file; /* one of the two */
    mcv_npy *arrays;       /* [num_arrays] */
    size_t num_arrays;
    mcv_json metadata; /* of a folder; value NULL where it has none */
};

static mcv_status add_entry(mcv_dump *dump, const mcv_name_map *names, const char *path, const char *name,
                            const mcv_tensor *tensor) {
    char *translated;
    mcv_tensor other;
    MCV_TRY(mcv_name_map_translate(names, name, &translated));
    if (!translated)
        return MCV_OK;
    mcv_status status = MCV_OK;
    if (mcv_dump_find(dump, translated, &other))
        status = MCV_FAIL(MCV_BAD_INPUT, "%s: %s: another tensor goes by the name %s", path, name, translated);
    if (status == MCV_OK)
        status = MCV_GROW(&dump->entries, &dump->capacity, dump->count + 1);
    if (status != MCV_OK) {
        free(translated);
        return status;
    }
    dump->entries[dump->count++] = (dump_entry){translated, *tensor};
    return MCV_OK;
}

static mcv_status open_safetensors(mcv_dump *dump, const mcv_name_map *names, const char *path) {
    MCV_TRY(mcv_safetensors_open(path, &dump->file));
    for (size_t i = 0; i < mcv_safetensors_count(dump->file); i++) {
        mcv_tensor tensor = mcv_safetensors_at(dump->file, i);
        MCV_TRY(add_entry(dump, names, path, mcv_safetensors_name(dump->file, i), &tensor));
    }
    return MCV_OK;
}

/* ---- Folders ----------------------------------------------------------------------------------------------------- */

static const char SUFFIX[] = ".npy";

static int is_array(const struct dirent *entry) {
    return strlen(entry->d_name) > strlen(SUFFIX) && mcv_ends_with(entry->d_name, SUFFIX);
}

static mcv_status open_array(mcv_dump *dump, const mcv_name_map *names, const char *folder, char *file_name) {
    char *path;
    mcv_npy *array = &dump->arrays[dump->num_arrays];
    MCV_TRY(mcv_path_join(&path, folder, file_name));
    mcv_status status = mcv_npy_open(path, array);
    if (status == MCV_OK) {
        dump->num_arrays++;
        file_name[strlen(file_name) - strlen(SUFFIX)] = 0;
        status = add_entry(dump, names, folder, file_name, &array->tensor);
    }
    free(path);
    return status;
}

static mcv_status open_metadata(mcv_dump *dump, const char *folder) {
    char *path;
    MCV_TRY(mcv_path_join(&path, folder, "metadata.json"));
    mcv_status status = mcv_file_exists(path) ? mcv_json_load(path, &dump->metadata) : MCV_OK;
    free(path);
    return status;
}

static mcv_status open_folder(mcv_dump *dump, const mcv_name_map *names, const char *folder, struct dirent **files,
                              int count) {
    MCV_TRY(MCV_NEW(&dump->arrays, (size_t)count));
    for (int i = 0; i < count; i++)
        MCV_TRY(open_array(dump, names, folder, files[i]->d_name));
    return open_metadata(dump, folder);
}

/* A folder without arrays may hold safetensors. */
static mcv_status open_any(mcv_dump *dump, const mcv_name_map *names, const char *path) {
    struct dirent **files = NULL;
    int count = mcv_path_is_folder(path) ? scandir(path, &files, is_array, alphasort) : 0;
    mcv_status status = count > 0 ? open_folder(dump, names, path, files, count) : open_safetensors(dump, names, path);
    for (int i = 0; i < count; i++)
        free(files[i]);
    free(files);
    return status;
}

/* ---- The dump ---------------------------------------------------------------------------------------------------- */

mcv_status mcv_dump_open(const char *path, const mcv_name_map *names, mcv_dump **dump) {
    mcv_dump *self;
    *dump = NULL;
    MCV_TRY(MCV_NEW(&self, 1));
    mcv_status status = open_any(self, names, path);
    if (status == MCV_OK)
        *dump = self;
    else
        mcv_dump_close(self);
    return status;
}

void mcv_dump_close(mcv_dump *dump) {
    if (!dump)
        return;
    for (size_t i = 0; i < dump->count; i++)
        free(dump->entries[i].name);
    free(dump->entries);
    for (size_t i = 0; i < dump->num_arrays; i++)
        mcv_npy_close(&dump->arrays[i]);
    free(dump->arrays);
    mcv_safetensors_close(dump->file);
    mcv_json_free(&dump->metadata);
    free(dump);
}

size_t mcv_dump_count(const mcv_dump *dump) {
    return dump->count;
}

const char *mcv_dump_name(const mcv_dump *dump, size_t index) {
    return dump->entries[index].name;
}

mcv_tensor mcv_dump_at(const mcv_dump *dump, size_t index) {
    return dump->entries[index].tensor;
}

bool mcv_dump_find(const mcv_dump *dump, const char *name, mcv_tensor *tensor) {
    for (size_t i = 0; i < dump->count; i++)
        if (strcmp(dump->entries[i].name, name) == 0) {
            *tensor = dump->entries[i].tensor;
            return true;
        }
    return false;
}

const char *mcv_dump_metadata(const mcv_dump *dump, const char *key) {
    if (dump->file)
        return mcv_safetensors_metadata(dump->file, key);
    return json_string_value(json_object_get(dump->metadata.value, key));
}
