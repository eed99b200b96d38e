#include "cli/outputs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/text.h"
#include "formats/gguf.h"

mcv_status mcv_output_check_file(const char *output, const char *option) {
    if (!output || strcmp(output, "-") != 0)
        return MCV_OK;
    return MCV_FAIL(MCV_USAGE, "%s -: expected a file, as standard output tells what was done", option);
}

mcv_status mcv_output_try(const char *output) {
    mcv_file_writer writer;
    if (!output || (mcv_file_exists(output) && !mcv_path_is_folder(output) && mcv_file_check_regular(output) != MCV_OK))
        return MCV_OK;
    MCV_TRY(mcv_writer_open(&writer, output));
    mcv_writer_abandon(&writer);
    return MCV_OK;
}

static mcv_status check_file(const char *output, const char *other, const char *what) {
    if (!mcv_file_is_same(output, other))
        return MCV_OK;
    return MCV_FAIL(MCV_USAGE, "%s would take the place of %s, %s", output, other, what);
}

static mcv_status check_entry(const char *output, const char *folder, const char *name, const char *what) {
    char *path;
    if (mcv_ends_with(name, ".gguf")) /* a folder's model does not lie in it */
        return MCV_OK;
    MCV_TRY(mcv_path_join(&path, folder, name));
    mcv_status status = mcv_path_is_folder(path) ? MCV_OK : check_file(output, path, what);
    free(path);
    return status;
}

static mcv_status check_folder(const char *output, const char *folder, const char *what) {
    DIR *entries = opendir(folder);
    mcv_status status = MCV_OK;
    for (struct dirent *entry; entries && status == MCV_OK && (entry = readdir(entries));)
        status = check_entry(output, folder, entry->d_name, what);
    if (entries)
        closedir(entries);
    return status;
}

static mcv_status check_gguf(const char *output, const char *path) {
    mcv_gguf *file;
    MCV_TRY(mcv_gguf_open(path, &file));
    mcv_status status = MCV_OK;
    for (size_t i = 0; i < mcv_gguf_parts(file) && status == MCV_OK; i++)
        status = check_file(output, mcv_gguf_part_path(file, i), "a file of the model");
    mcv_gguf_close(file);
    return status;
}

mcv_status mcv_output_check_model(const char *output, const char *model) {
    bool is_gguf;
    if (mcv_path_is_folder(model))
        return check_folder(output, model, "a file of the model");
    MCV_TRY(mcv_path_is_gguf(model, &is_gguf));
    return is_gguf ? check_gguf(output, model) : check_file(output, model, "the model");
}

static mcv_status check_case(const char *output, const char *folder) {
    static const char *const FILES[] = {"case.json", "golden.safetensors", "exact.safetensors"};
    mcv_status status = check_file(output, folder, "which is read");
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES && status == MCV_OK; i++)
        status = check_entry(output, folder, FILES[i], "a file of the case");
    return status;
}

static mcv_status check_option(const char *output, const mcv_given_option *input) {
    char what[64];
    if (strcmp(input->name, "case") == 0)
        return check_case(output, input->value);
    if (strcmp(input->name, "model") == 0)
        return mcv_output_check_model(output, input->value);
    snprintf(what, sizeof what, "--%s", input->name);
    return mcv_path_is_folder(input->value) ? check_folder(output, input->value, what)
                                            : check_file(output, input->value, what);
}

mcv_status mcv_outputs_check(const mcv_arguments *arguments) {
    static const char *const OUTPUTS[] = {"output", "vision-output", "report",       "junit",
                                          "save",   "answers",       "contact-sheet"};
    for (size_t i = 0; i < sizeof OUTPUTS / sizeof *OUTPUTS; i++) {
        const char *output = mcv_option_value(arguments, OUTPUTS[i]);
        if (!output || strcmp(output, "-") == 0)
            continue;
        for (int j = 0; j < arguments->num_given; j++)
            if (arguments->given[j].value && strcmp(arguments->given[j].name, OUTPUTS[i]) != 0)
                MCV_TRY(check_option(output, &arguments->given[j]));
        for (int j = 0; j < arguments->num_operands; j++)
            MCV_TRY(check_case(output, arguments->operands[j]));
    }
    return MCV_OK;
}
