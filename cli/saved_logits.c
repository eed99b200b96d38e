#include "cli/saved_logits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/json_output.h"
#include "cli/logits_measure.h"
#include "cli/machine.h"
#include "cli/outputs.h"
#include "core/file.h"
#include "core/text.h"
#include "formats/dump_reader.h"
#include "formats/hash.h"
#include "formats/json.h"
#include "formats/npy.h"
#include "formats/safetensors.h"

static mcv_status make_name(mcv_buffer *name, const char *case_name) {
    return mcv_buffer_printf(name, "logits.%s", case_name);
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

struct mcv_logits_writer {
    mcv_safetensors_writer *numbers; /* one of the three */
    mcv_file_writer json;
    char *npy;
    bool npy_written;
    json_t *root; /* {"made_with": ..., "rows": [...]} */
};

static json_t *describe_origin(const mcv_logits_origin *origin) {
    mcv_machine machine = mcv_machine_get();
    return json_pack("{s:s, s:s, s:s?, s:s, s:s}", "engine", origin->engine, "dtype", origin->dtype, "target",
                     origin->target, "architecture", machine.architecture, "cpu", machine.cpu);
}

static mcv_status open_writer(mcv_logits_writer *self, const char *path, const mcv_logits_origin *origin) {
    self->root = json_pack("{s:o, s:[]}", "made_with", describe_origin(origin), "rows");
    if (!self->root)
        return MCV_FAIL_MEMORY(0);
    if (mcv_ends_with(path, ".json"))
        return mcv_writer_open(&self->json, path);
    if (mcv_ends_with(path, ".npy"))
        return mcv_strdup(&self->npy, path);
    MCV_TRY(mcv_safetensors_create(path, &self->numbers));
    char *text = json_dumps(json_object_get(self->root, "made_with"), JSON_COMPACT);
    mcv_status status = text ? mcv_safetensors_add_metadata(self->numbers, "made_with", text) : MCV_FAIL_MEMORY(0);
    free(text);
    if (status == MCV_OK && origin->input)
        status = mcv_safetensors_add_metadata(self->numbers, "input", origin->input);
    return status;
}

mcv_status mcv_logits_writer_open(const char *path, const mcv_logits_origin *origin, mcv_logits_writer **writer) {
    *writer = NULL;
    mcv_logits_writer *self;
    MCV_TRY(MCV_NEW(&self, 1));
    mcv_status status = open_writer(self, path, origin);
    if (status == MCV_OK)
        *writer = self;
    else
        mcv_logits_writer_close(self, false);
    return status;
}

static mcv_status add_rows(mcv_logits_writer *writer, const json_t *rows) {
    if (!rows)
        return MCV_FAIL(MCV_USAGE, "a .json file keeps no numbers; name a safetensors file");
    json_t *copies = json_deep_copy(rows);
    int failed = copies ? json_array_extend(json_object_get(writer->root, "rows"), copies) : -1;
    json_decref(copies);
    return failed ? MCV_FAIL_MEMORY(0) : MCV_OK;
}

static mcv_status add_numbers(mcv_logits_writer *writer, const char *case_name, const mcv_tensor *logits) {
    mcv_buffer name = {0};
    mcv_status status = make_name(&name, case_name);
    if (status == MCV_OK)
        status = mcv_safetensors_add(writer->numbers, mcv_buffer_text(&name), logits);
    mcv_buffer_free(&name);
    return status;
}

mcv_status mcv_logits_writer_add(mcv_logits_writer *writer, const char *case_name, const mcv_tensor *logits,
                                 const json_t *rows) {
    if (writer->numbers)
        return add_numbers(writer, case_name, logits);
    if (!writer->npy)
        return add_rows(writer, rows);
    if (writer->npy_written)
        return MCV_FAIL(MCV_USAGE, "%s: a .npy file holds one case; for more, a safetensors file", writer->npy);
    writer->npy_written = true;
    return mcv_npy_write(writer->npy, logits);
}

static mcv_status write_json(mcv_logits_writer *self) {
    if (json_dumpf(self->root, self->json.stream, JSON_INDENT(1)) == 0 && fputc('\n', self->json.stream) != EOF)
        return mcv_writer_commit(&self->json);
    return MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be written: %s", self->json.path, strerror(errno));
}

mcv_status mcv_logits_writer_close(mcv_logits_writer *writer, bool complete) {
    if (!writer)
        return MCV_OK;
    mcv_status status = MCV_OK;
    if (writer->numbers && complete)
        status = mcv_safetensors_commit(writer->numbers);
    else if (writer->json.stream && complete)
        status = write_json(writer);
    else
        mcv_safetensors_abandon(writer->numbers);
    free(writer->npy);
    mcv_writer_abandon(&writer->json);
    json_decref(writer->root);
    free(writer);
    return status;
}

/* ---- What may be written over ------------------------------------------------------------------------------------ */

static bool is_kept_json(const char *path) {
    mcv_json root, rows;
    if (mcv_json_load(path, &root) != MCV_OK)
        return false;
    bool kept = mcv_json_get_array(&root, "rows", &rows) == MCV_OK && rows.value &&
                json_is_object(json_object_get(root.value, "made_with"));
    mcv_json_free(&root);
    return kept;
}

static bool is_kept_array(const char *path) {
    mcv_npy array;
    if (mcv_npy_open(path, &array) != MCV_OK)
        return false;
    bool kept = array.tensor.rank == 2 && mcv_dtype_is_float(array.tensor.dtype);
    mcv_npy_close(&array);
    return kept;
}

static bool is_kept_file(const char *path) {
    mcv_safetensors *file;
    if (mcv_safetensors_open(path, &file) != MCV_OK)
        return false;
    bool kept = mcv_safetensors_metadata(file, "made_with") != NULL;
    for (size_t i = 0; i < mcv_safetensors_count(file); i++)
        kept = kept && strncmp(mcv_safetensors_name(file, i), "logits.", strlen("logits.")) == 0;
    mcv_safetensors_close(file);
    return kept;
}

mcv_status mcv_logits_check_output(const char *path, int cases, bool has_rows) {
    struct stat about;
    bool is_json = mcv_ends_with(path, ".json"), is_array = mcv_ends_with(path, ".npy");
    MCV_TRY(mcv_output_check_file(path, "--save"));
    if (is_array && cases > 1)
        return MCV_FAIL(MCV_USAGE, "%s: a .npy file holds one case; for more, a safetensors file", path);
    if (is_json && !has_rows)
        return MCV_FAIL(MCV_USAGE, "%s: a .json file keeps no numbers; name a safetensors file", path);
    if (stat(path, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size == 0)
        return MCV_OK;
    if (is_json ? is_kept_json(path) : is_array ? is_kept_array(path) : is_kept_file(path))
        return MCV_OK;
    return MCV_FAIL(MCV_BAD_INPUT, "%s: not a file of kept logits; it is left as it is", path);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

struct mcv_saved_logits {
    char *path;
    mcv_dump *numbers; /* one of the three */
    mcv_npy array;
    mcv_json root, rows;
    float *row; /* the row asked for last */
};

static mcv_status open_json(mcv_saved_logits *self, const char *path) {
    MCV_TRY(mcv_json_load(path, &self->root));
    MCV_TRY(mcv_json_require(&self->root, "rows"));
    return mcv_json_get_array(&self->root, "rows", &self->rows);
}

static mcv_status open_any(mcv_saved_logits *self, const char *path) {
    MCV_TRY(mcv_strdup(&self->path, path));
    if (mcv_ends_with(path, ".json"))
        return open_json(self, path);
    if (mcv_ends_with(path, ".npy"))
        return mcv_npy_open(path, &self->array);
    return mcv_dump_open(path, NULL, &self->numbers);
}

mcv_status mcv_saved_logits_open(const char *path, mcv_saved_logits **saved) {
    mcv_saved_logits *self;
    *saved = NULL;
    MCV_TRY(MCV_NEW(&self, 1));
    mcv_status status = open_any(self, path);
    if (status == MCV_OK)
        *saved = self;
    else
        mcv_saved_logits_close(self);
    return status;
}

void mcv_saved_logits_close(mcv_saved_logits *saved) {
    if (!saved)
        return;
    mcv_dump_close(saved->numbers);
    mcv_npy_close(&saved->array);
    mcv_json_free(&saved->root);
    free(saved->row);
    free(saved->path);
    free(saved);
}

const char *mcv_saved_logits_input(const mcv_saved_logits *saved) {
    return saved->numbers ? mcv_dump_metadata(saved->numbers, "input") : NULL;
}

static mcv_status no_row(const mcv_saved_logits *saved, const char *case_name, int conversation) {
    return MCV_FAIL(MCV_DIFFERS, "%s: has nothing of %s, conversation %d", saved->path, case_name, conversation);
}

/* The tensor of a case; a .npy file is of whichever case is asked for. */
static mcv_status find_tensor(const mcv_saved_logits *saved, const char *case_name, mcv_tensor *tensor, bool *found) {
    mcv_buffer name = {0};
    *found = !saved->numbers;
    *tensor = saved->array.tensor;
    if (*found)
        return MCV_OK;
    mcv_status status = make_name(&name, case_name);
    *found = status == MCV_OK && mcv_dump_find(saved->numbers, mcv_buffer_text(&name), tensor);
    mcv_buffer_free(&name);
    return status;
}

static mcv_status find_numbers(mcv_saved_logits *saved, const char *case_name, int conversation, size_t size,
                               mcv_saved_row *row) {
    mcv_tensor tensor;
    bool found;
    MCV_TRY(find_tensor(saved, case_name, &tensor, &found));
    if (!found || tensor.rank != 2 || conversation >= tensor.shape[0])
        return no_row(saved, case_name, conversation);
    if (!mcv_dtype_is_float(tensor.dtype) || (size_t)tensor.shape[1] != size)
        return MCV_FAIL(MCV_DIFFERS, "%s: %s: %lld numbers a row, expected %zu", saved->path, case_name,
                        (long long)tensor.shape[1], size);
    free(saved->row);
    saved->row = NULL;
    MCV_TRY(MCV_NEW(&saved->row, size));
    mcv_tensor_to_f32(&tensor, (size_t)conversation * size, size, saved->row);
    mcv_hash hash = mcv_hash_bytes(saved->row, size * sizeof *saved->row);
    row->logits = saved->row;
    memcpy(row->hash, hash.xxh3_128, sizeof row->hash);
    mcv_logits_top(saved->row, size, 1, &row->best);
    return MCV_OK;
}

/* {"case": ..., "conversation": ..., "xxh3_128": ..., "top": [{"id": ...}, ...]} */
static mcv_status read_row(const mcv_json *json, mcv_saved_row *row) {
    const char *hash = NULL;
    mcv_json top;
    int best = -1;
    MCV_TRY(mcv_json_require(json, "xxh3_128"));
    MCV_TRY(mcv_json_get_string(json, "xxh3_128", &hash));
    MCV_TRY(mcv_json_get_array(json, "top", &top));
    if (mcv_json_count(&top) > 0) {
        mcv_json first = mcv_json_item(&top, 0);
        MCV_TRY(mcv_json_get_int(&first, "id", 0, INT32_MAX, &best));
    }
    snprintf(row->hash, sizeof row->hash, "%s", hash);
    row->logits = NULL;
    row->best = best;
    return MCV_OK;
}

static mcv_status find_hash(mcv_saved_logits *saved, const char *case_name, int conversation, mcv_saved_row *row) {
    for (size_t i = 0; i < mcv_json_count(&saved->rows); i++) {
        mcv_json json = mcv_json_item(&saved->rows, i);
        const char *name = NULL;
        int number = -1;
        MCV_TRY(mcv_json_require(&json, "case"));
        MCV_TRY(mcv_json_get_string(&json, "case", &name));
        MCV_TRY(mcv_json_get_int(&json, "conversation", 0, INT32_MAX, &number));
        if (strcmp(name, case_name) == 0 && number == conversation)
            return read_row(&json, row);
    }
    return no_row(saved, case_name, conversation);
}

mcv_status mcv_saved_logits_find(mcv_saved_logits *saved, const char *case_name, int conversation, size_t size,
                                 mcv_saved_row *row) {
    if (saved->root.value)
        return find_hash(saved, case_name, conversation, row);
    return find_numbers(saved, case_name, conversation, size, row);
}
