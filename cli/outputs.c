#include "cli/outputs.h"

#include <dirent.h>
#include <string.h>

#include "core/file.h"
#include "formats/gguf.h"

mcv_status mcv_output_check_file(const char *output, const char *option) {
    if (!output || strcmp(output, "-") != 0)
        return MCV_OK;
    return MCV_FAIL(MCV_USAGE, "%s -: expected a file, as standard output tells what was done", option);
}

mcv_status mcv_output_check(const char *output, const char *other, const char *what) {
    if (!output || !other || !mcv_file_is_same(output, other))
        return MCV_OK;
    return MCV_FAIL(MCV_USAGE, "%s would take the place of %s, %s", output, other, what);
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), size = strlen(end);
    return length >= size && strcmp(text + length - size, end) == 0;
}

static mcv_status check_entry(const char *output, const char *folder, const char *name) {
    char *path;
    if (ends_with(name, ".gguf")) /* a folder's model does not lie in it */
        return MCV_OK;
    MCV_TRY(mcv_path_join(&path, folder, name));
    mcv_status status = mcv_path_is_folder(path) ? MCV_OK : mcv_output_check(output, path, "a file of the model");
    free(path);
    return status;
}

static mcv_status check_folder(const char *output, const char *folder) {
    DIR *entries = opendir(folder);
    mcv_status status = MCV_OK;
    for (struct dirent *entry; entries && status == MCV_OK && (entry = readdir(entries));)
        status = check_entry(output, folder, entry->d_name);
    if (entries)
        closedir(entries);
    return status;
}

static mcv_status check_gguf(const char *output, const char *path) {
    mcv_gguf *file;
    MCV_TRY(mcv_gguf_open(path, &file));
    mcv_status status = MCV_OK;
    for (size_t i = 0; i < mcv_gguf_parts(file) && status == MCV_OK; i++)
        status = mcv_output_check(output, mcv_gguf_part_path(file, i), "a file of the model");
    mcv_gguf_close(file);
    return status;
}

mcv_status mcv_output_check_model(const char *output, const ModelFiles *files) {
    bool is_gguf;
    if (!output || !files->model)
        return MCV_OK;
    MCV_TRY(mcv_output_check(output, files->preprocessor_config, "--preprocessor-config"));
    MCV_TRY(mcv_output_check(output, files->mmproj, "--mmproj"));
    if (mcv_path_is_folder(files->model))
        return check_folder(output, files->model);
    MCV_TRY(mcv_path_is_gguf(files->model, &is_gguf));
    return is_gguf ? check_gguf(output, files->model) : mcv_output_check(output, files->model, "the model");
}
