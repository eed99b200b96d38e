#include "cli/manifest.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "cli/json_output.h"
#include "core/file.h"
#include "formats/hash.h"
#include "formats/json.h"
#include "formats/safetensors.h"

typedef struct inventory {
    char *folder; /* that the names of files are relative to */
    mcv_json root, files;
    bool json;
    json_t *problems; /* for JSON */
    size_t num_files, num_tensors, failed;
    char first[512]; /* what the first problem is */
} inventory;

static mcv_status note(inventory *self, const char *file, const char *tensor, const char *problem) {
    char words[512];
    snprintf(words, sizeof words, "%s%s%s: %s", file, tensor ? ": " : "", tensor ? tensor : "", problem);
    if (self->failed++ == 0)
        snprintf(self->first, sizeof self->first, "%s", words);
    if (!self->json)
        printf("%s\n", words);
    mcv_json_append(&self->problems, json_pack("{s:s, s:s?, s:s}", "file", file, "tensor", tensor, "problem", problem));
    return MCV_OK;
}

static mcv_status note_hash(inventory *self, const char *file, const char *tensor, const char *found,
                            const char *expected) {
    char problem[96];
    if (strcmp(found, expected) == 0)
        return MCV_OK;
    snprintf(problem, sizeof problem, "XXH3 is %s, the manifest says %.32s", found, expected);
    return note(self, file, tensor, problem);
}

/* ---- What the manifest lists ------------------------------------------------------------------------------------- */

/* `tensors`: an object of hashes by name. */
static mcv_status check_tensor(inventory *self, const char *file, const mcv_safetensors *opened,
                               const mcv_json *tensors, const char *name) {
    mcv_tensor tensor;
    mcv_hash hash;
    const char *expected = NULL;
    self->num_tensors++;
    MCV_TRY(mcv_json_require(tensors, name));
    MCV_TRY(mcv_json_get_string(tensors, name, &expected));
    if (!mcv_safetensors_find(opened, name, &tensor))
        return note(self, file, name, "missing");
    MCV_TRY(mcv_hash_tensor(&tensor, &hash));
    return note_hash(self, file, name, hash.xxh3_64, expected);
}

static mcv_status check_tensors(inventory *self, const char *file, const char *path, const mcv_json *tensors) {
    mcv_safetensors *opened;
    const char *name;
    json_t *unused;
    if (mcv_safetensors_open(path, &opened) != MCV_OK)
        return note(self, file, NULL, mcv_error_message());
    mcv_status status = MCV_OK;
    json_object_foreach(tensors->value, name, unused) {
        if (status == MCV_OK)
            status = check_tensor(self, file, opened, tensors, name);
    }
    mcv_safetensors_close(opened);
    return status;
}

static mcv_status check_file(inventory *self, const char *file, const char *path, const mcv_json *about) {
    const char *expected = NULL;
    mcv_json tensors;
    mcv_hash hash;
    self->num_files++;
    MCV_TRY(mcv_json_require(about, "xxh3"));
    MCV_TRY(mcv_json_get_string(about, "xxh3", &expected));
    MCV_TRY(mcv_json_get_object(about, "tensors", &tensors));
    if (!mcv_file_exists(path))
        return note(self, file, NULL, "missing");
    if (mcv_hash_file(path, &hash) != MCV_OK)
        return note(self, file, NULL, mcv_error_message());
    MCV_TRY(note_hash(self, file, NULL, hash.xxh3_64, expected));
    return tensors.value ? check_tensors(self, file, path, &tensors) : MCV_OK;
}

static mcv_status check_files(inventory *self) {
    const char *file;
    json_t *unused;
    json_object_foreach(self->files.value, file, unused) {
        mcv_json about;
        char *path;
        MCV_TRY(mcv_json_get_object(&self->files, file, &about));
        MCV_TRY(mcv_path_join(&path, self->folder, file));
        mcv_status status = check_file(self, file, path, &about);
        free(path);
        MCV_TRY(status);
    }
    return MCV_OK;
}

/* ---- What else is there ------------------------------------------------------------------------------------------ */

/* Whether the manifest lists files in the folder of this name. */
static bool is_listed_folder(const inventory *self, const char *name) {
    size_t length = strlen(name);
    const char *file;
    json_t *unused;
    json_object_foreach(self->files.value, file, unused) {
        if (strncmp(file, name, length) == 0 && file[length] == '/')
            return true;
    }
    return false;
}

static mcv_status look_into(inventory *self, const char *inside);

/* `inside`: the name of a file or folder, relative to the manifest. */
static mcv_status look_at(inventory *self, const char *inside) {
    char *path;
    MCV_TRY(mcv_path_join(&path, self->folder, inside));
    bool is_folder = mcv_path_is_folder(path);
    free(path);
    if (is_folder)
        return is_listed_folder(self, inside) ? look_into(self, inside)
                                              : note(self, inside, NULL, "not in the manifest");
    return json_object_get(self->files.value, inside) ? MCV_OK : note(self, inside, NULL, "not in the manifest");
}

/* The folder `inside`; "" is the manifest's own, of which only folders are looked at that it lists. */
static mcv_status look_into(inventory *self, const char *inside) {
    char *path;
    MCV_TRY(mcv_path_join(&path, self->folder, inside));
    DIR *folder = opendir(path);
    free(path);
    if (!folder)
        return note(self, inside, NULL, "cannot be read");
    mcv_status status = MCV_OK;
    for (const struct dirent *entry; status == MCV_OK && (entry = readdir(folder));) {
        char name[4096];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof name, "%s%s%s", inside, inside[0] ? "/" : "", entry->d_name);
        if (inside[0] || is_listed_folder(self, name))
            status = look_at(self, name);
    }
    closedir(folder);
    return status;
}

/* ---- The outcome ------------------------------------------------------------------------------------------------- */

static mcv_status print_outcome(const inventory *self) {
    if (self->json)
        return mcv_json_print(json_pack("{s:I, s:I, s:I, s:O, s:O?}", "files", (json_int_t)self->num_files, "tensors",
                                        (json_int_t)self->num_tensors, "failed", (json_int_t)self->failed, "problems",
                                        self->problems, "made_with", json_object_get(self->root.value, "made_with")));
    if (self->failed == 0)
        printf("whole: %zu files, %zu tensors\n", self->num_files, self->num_tensors);
    return MCV_OK;
}

static mcv_status verify(inventory *self, const char *path) {
    MCV_TRY(mcv_path_folder(&self->folder, path));
    MCV_TRY(mcv_json_load(path, &self->root));
    MCV_TRY(mcv_json_require(&self->root, "files"));
    MCV_TRY(mcv_json_get_object(&self->root, "files", &self->files));
    if (json_object_size(self->files.value) == 0)
        return mcv_json_fail(MCV_BAD_INPUT, &self->files, "files");
    MCV_TRY(check_files(self));
    MCV_TRY(look_into(self, ""));
    MCV_TRY(print_outcome(self));
    if (self->failed == 0)
        return MCV_OK;
    return MCV_FAIL(MCV_DIFFERS, "%s: %zu problem%s, the first: %s", path, self->failed, self->failed == 1 ? "" : "s",
                    self->first);
}

mcv_status mcv_manifest_verify(const char *path, bool json) {
    inventory self = {.json = json, .problems = json_array()};
    mcv_status status = verify(&self, path);
    json_decref(self.problems);
    mcv_json_free(&self.root);
    free(self.folder);
    return status;
}
