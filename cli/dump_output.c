#include "cli/dump_output.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/json_output.h"
#include "core/file.h"
#include "formats/hash.h"
#include "formats/npy.h"
#include "formats/safetensors.h"

/* ---- safetensors ------------------------------------------------------------------------------------------------- */

static mcv_status add_tensor(void *context, const char *name, const mcv_tensor *tensor) {
    return mcv_safetensors_add(context, name, tensor);
}

static mcv_status add_text(void *context, const char *name, const char *text) {
    return mcv_safetensors_add_metadata(context, name, text);
}

static mcv_status finish_file(void *context, bool complete) {
    if (complete)
        return mcv_safetensors_commit(context);
    mcv_safetensors_abandon(context);
    return MCV_OK;
}

mcv_status mcv_dump_to_safetensors(const char *path, mcv_dump_output *output) {
    mcv_safetensors_writer *writer;
    MCV_TRY(mcv_safetensors_create(path, &writer));
    *output = (mcv_dump_output){add_tensor, add_text, finish_file, writer};
    return MCV_OK;
}

/* ---- A folder of .npy files -------------------------------------------------------------------------------------- */

typedef struct npy_folder {
    char *path;
    const mcv_unfinished *before; /* listed before the folder was made */
    json_t *metadata;
} npy_folder;

/* *path: of a file in the folder, which is removed if the run fails. To be released with free(). */
static mcv_status add_file(const npy_folder *self, const char *name, const char *suffix, char **path) {
    mcv_buffer file_name = {0};
    *path = NULL;
    mcv_status status = mcv_buffer_printf(&file_name, "%s%s", name, suffix);
    if (status == MCV_OK)
        status = mcv_path_join(path, self->path, mcv_buffer_text(&file_name));
    mcv_buffer_free(&file_name);
    return status == MCV_OK ? mcv_unfinished_add(*path, NULL) : status;
}

static mcv_status write_array(void *context, const char *name, const mcv_tensor *tensor) {
    char *path;
    mcv_status status = add_file(context, name, ".npy", &path);
    if (status == MCV_OK)
        status = mcv_npy_write(path, tensor);
    free(path);
    return status;
}

static mcv_status keep_text(void *context, const char *name, const char *text) {
    npy_folder *self = context;
    return json_object_set_new(self->metadata, name, json_string(text)) == 0 ? MCV_OK : MCV_FAIL_MEMORY(strlen(text));
}

static mcv_status write_metadata(const npy_folder *self) {
    char *path;
    mcv_status status = add_file(self, "metadata", ".json", &path);
    if (status == MCV_OK && json_dump_file(self->metadata, path, JSON_INDENT(1)) != 0)
        status = MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be written: %s", path, strerror(errno));
    free(path);
    return status;
}

static mcv_status finish_folder(void *context, bool complete) {
    npy_folder *self = context;
    mcv_status status = complete ? write_metadata(self) : MCV_OK;
    mcv_unfinished_settle(self->before, complete && status == MCV_OK);
    free(self->path);
    json_decref(self->metadata);
    free(self);
    return status;
}

static mcv_status start_folder(npy_folder *self, const char *path) {
    self->before = mcv_unfinished_newest();
    self->metadata = json_object();
    MCV_TRY(mcv_strdup(&self->path, path));
    if (!self->metadata)
        return MCV_FAIL_MEMORY(0);
    if (mkdir(path, 0777) != 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: a new folder cannot be created: %s", path, strerror(errno));
    return mcv_unfinished_add(path, NULL);
}

mcv_status mcv_dump_to_npy(const char *path, mcv_dump_output *output) {
    npy_folder *self;
    MCV_TRY(MCV_NEW(&self, 1));
    mcv_status status = start_folder(self, path);
    *output = (mcv_dump_output){write_array, keep_text, finish_folder, self};
    if (status != MCV_OK)
        finish_folder(self, false);
    return status;
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

typedef struct tensor_stats {
    double least, greatest, sum, squares;
    size_t finite, not_finite;
    mcv_hash hash;
} tensor_stats;

static mcv_status measure(const mcv_tensor *tensor, tensor_stats *stats) {
    size_t count = 0;
    *stats = (tensor_stats){.least = (double)INFINITY, .greatest = -(double)INFINITY};
    mcv_tensor_count(tensor, &count);
    for (size_t i = 0; i < count; i++) {
        double value = mcv_tensor_get(tensor, i);
        if (!isfinite(value)) {
            stats->not_finite++;
            continue;
        }
        stats->finite++;
        stats->sum += value;
        stats->squares += value * value;
        stats->least = fmin(stats->least, value);
        stats->greatest = fmax(stats->greatest, value);
    }
    return mcv_hash_tensor(tensor, &stats->hash);
}

static double mean(const tensor_stats *stats) {
    return stats->sum / (double)stats->finite;
}

static double root_mean_square(const tensor_stats *stats) {
    return sqrt(stats->squares / (double)stats->finite);
}

static mcv_status print_stats(void *context, const char *name, const mcv_tensor *tensor) {
    (void)context;
    tensor_stats stats;
    char shape[160];
    MCV_TRY(measure(tensor, &stats));
    printf("%-44s %-4s %-16s", name, mcv_dtype_name(tensor->dtype), mcv_tensor_shape_text(tensor, shape, sizeof shape));
    if (stats.finite)
        printf(" %10.3e %10.3e %10.3e %9.3e", stats.least, stats.greatest, mean(&stats), root_mean_square(&stats));
    else
        printf(" %10s %10s %10s %9s", "-", "-", "-", "-");
    printf(" %6zu  %s\n", stats.not_finite, stats.hash.xxh3_64);
    return MCV_OK;
}

static mcv_status finish_table(void *context, bool complete) {
    (void)context, (void)complete;
    return MCV_OK;
}

static mcv_status list_stats(void *context, const char *name, const mcv_tensor *tensor) {
    json_t **list = context;
    tensor_stats stats;
    MCV_TRY(measure(tensor, &stats));
    json_t *object = json_pack("{s:s, s:s}", "name", name, "dtype", mcv_dtype_name(tensor->dtype));
    mcv_json_set(&object, "shape", mcv_json_shape(tensor));
    mcv_json_set(&object, "min", mcv_json_number(stats.least));
    mcv_json_set(&object, "max", mcv_json_number(stats.greatest));
    mcv_json_set(&object, "mean", mcv_json_number(mean(&stats)));
    mcv_json_set(&object, "rms", mcv_json_number(root_mean_square(&stats)));
    mcv_json_set(&object, "not_finite", json_integer((json_int_t)stats.not_finite));
    mcv_json_set(&object, "xxh3_64", json_string(stats.hash.xxh3_64));
    mcv_json_append(list, object);
    return MCV_OK;
}

static mcv_status finish_list(void *context, bool complete) {
    json_t **list = context, *object = json_object();
    mcv_json_set(&object, "tensors", *list);
    free(list);
    if (complete)
        return mcv_json_print(object);
    json_decref(object);
    return MCV_OK;
}

mcv_status mcv_dump_to_stats(bool json, mcv_dump_output *output) {
    json_t **list = NULL;
    if (json) {
        MCV_TRY(MCV_NEW(&list, 1));
        *list = json_array();
        *output = (mcv_dump_output){list_stats, NULL, finish_list, list};
        return MCV_OK;
    }
    printf("%-44s %-4s %-16s %10s %10s %10s %9s %6s  xxh3_64\n", "name", "type", "shape", "min", "max", "mean", "rms",
           "nonfin");
    *output = (mcv_dump_output){print_stats, NULL, finish_table, NULL};
    return MCV_OK;
}
