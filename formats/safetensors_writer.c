#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "formats/json.h"
#include "formats/safetensors.h"

/* A tensor whose data waits in the spill file. */
typedef struct spilled {
    json_t *info; /* its object in the header */
    size_t element_bits, offset, bytes;
} spilled;

struct mcv_safetensors_writer {
    mcv_file_writer file;
    FILE *spill; /* already without a name */
    size_t spill_size;
    json_t *header;
    spilled *tensors;
    size_t count, capacity;
};

/* Beside the file, where there is room for as much; for what is no regular file, where temporary files are. */
static FILE *open_spill(const char *aside) {
    mcv_buffer name = {0};
    FILE *spill = NULL;
    if (!aside)
        return tmpfile();
    if (mcv_buffer_printf(&name, "%s.XXXXXX", aside) != MCV_OK)
        return NULL;
    int file = mkostemp(name.data, O_CLOEXEC);
    if (file >= 0) {
        unlink(name.data);
        spill = fdopen(file, "w+b");
        if (!spill)
            close(file);
    }
    mcv_buffer_free(&name);
    return spill;
}

mcv_status mcv_safetensors_create(const char *path, mcv_safetensors_writer **out) {
    *out = NULL;
    mcv_safetensors_writer *writer;
    MCV_TRY(MCV_NEW(&writer, 1));
    mcv_status status = mcv_writer_open(&writer->file, path);
    if (status == MCV_OK) {
        writer->spill = open_spill(writer->file.aside);
        if (!writer->spill)
            status = MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be created: %s", path, strerror(errno));
    }
    if (status == MCV_OK) {
        writer->header = json_object();
        status = writer->header ? MCV_OK : MCV_FAIL_MEMORY(sizeof(json_t));
    }
    if (status == MCV_OK)
        *out = writer;
    else
        mcv_safetensors_abandon(writer);
    return status;
}

void mcv_safetensors_abandon(mcv_safetensors_writer *writer) {
    if (!writer)
        return;
    mcv_writer_abandon(&writer->file);
    if (writer->spill)
        fclose(writer->spill);
    json_decref(writer->header);
    free(writer->tensors);
    free(writer);
}

mcv_status mcv_safetensors_add_metadata(mcv_safetensors_writer *writer, const char *key, const char *value) {
    json_t *metadata = json_object_get(writer->header, "__metadata__");
    if (!metadata) {
        metadata = json_object();
        if (json_object_set_new(writer->header, "__metadata__", metadata) != 0)
            return MCV_FAIL_MEMORY(sizeof(json_t));
    }
    if (json_object_set_new(metadata, key, json_string(value)) != 0)
        return MCV_FAIL(MCV_USAGE, "%s: metadata \"%s\": key and value are to be UTF-8", writer->file.path, key);
    return MCV_OK;
}

static mcv_status check_tensor(const mcv_safetensors_writer *writer, const char *name, const mcv_tensor *tensor,
                               size_t *bytes) {
    char shape[160];
    if (json_object_get(writer->header, name) || strcmp(name, "__metadata__") == 0)
        return MCV_FAIL(MCV_USAGE, "%s: %s: this name is taken", writer->file.path, name);
    if (!mcv_tensor_bytes(tensor, bytes))
        return MCV_FAIL(MCV_USAGE, "%s: %s: %s %s has no size in whole bytes", writer->file.path, name,
                        mcv_dtype_name(tensor->dtype), mcv_tensor_shape_text(tensor, shape, sizeof shape));
    return MCV_OK;
}

/* Adds {"dtype": ..., "shape": [...]} under the tensor's name. */
static mcv_status add_info(mcv_safetensors_writer *writer, const char *name, const mcv_tensor *tensor, json_t **info) {
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++)
        if (json_array_append_new(shape, json_integer(tensor->shape[i])) != 0) {
            json_decref(shape);
            return MCV_FAIL_MEMORY(sizeof(json_t));
        }
    *info = json_pack("{s:s, s:o}", "dtype", mcv_dtype_name(tensor->dtype), "shape", shape);
    if (!*info)
        return MCV_FAIL_MEMORY(sizeof(json_t));
    if (json_object_set_new(writer->header, name, *info) != 0)
        return MCV_FAIL(MCV_USAGE, "%s: a tensor's name is to be UTF-8: %s", writer->file.path, name);
    return MCV_OK;
}

mcv_status mcv_safetensors_add(mcv_safetensors_writer *writer, const char *name, const mcv_tensor *tensor) {
    size_t bytes;
    json_t *info = NULL;
    MCV_TRY(check_tensor(writer, name, tensor, &bytes));
    MCV_TRY(MCV_GROW(&writer->tensors, &writer->capacity, writer->count + 1));
    if (bytes && fwrite(tensor->data, 1, bytes, writer->spill) != bytes)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be written: %s", writer->file.path, strerror(errno));
    MCV_TRY(add_info(writer, name, tensor, &info));
    writer->tensors[writer->count++] = (spilled){info, mcv_dtype_bits(tensor->dtype), writer->spill_size, bytes};
    writer->spill_size += bytes;
    return MCV_OK;
}

static int larger_elements_first(const void *left, const void *right) {
    const spilled *a = left, *b = right;
    if (a->element_bits != b->element_bits)
        return a->element_bits > b->element_bits ? -1 : 1;
    /* Tensors without data share their offset; which of them comes first does not matter. */
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* Of the data in the file. The format asks for 8; 64, a cache line, suits those who use it where it lies. */
enum { ALIGNMENT = 64 };

static mcv_status write_header(mcv_safetensors_writer *writer) {
    size_t offset = 0;
    for (size_t i = 0; i < writer->count; i++) {
        const spilled *tensor = &writer->tensors[i];
        json_t *offsets = json_pack("[I, I]", (json_int_t)offset, (json_int_t)(offset + tensor->bytes));
        if (json_object_set_new(tensor->info, "data_offsets", offsets) != 0)
            return MCV_FAIL_MEMORY(sizeof(json_t));
        offset += tensor->bytes;
    }
    char *text = json_dumps(writer->header, JSON_COMPACT);
    if (!text)
        return MCV_FAIL_MEMORY(sizeof(json_t));
    size_t size = strlen(text), padding = (ALIGNMENT - (size + 8) % ALIGNMENT) % ALIGNMENT;
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)(size + padding) >> 8 * i);
    mcv_status status = mcv_writer_write(&writer->file, length, sizeof length);
    if (status == MCV_OK)
        status = mcv_writer_write(&writer->file, text, size);
    if (status == MCV_OK) {
        char spaces[ALIGNMENT];
        memset(spaces, ' ', sizeof spaces);
        status = mcv_writer_write(&writer->file, spaces, padding);
    }
    free(text);
    return status;
}

static mcv_status copy_data(mcv_safetensors_writer *writer, const spilled *tensor, char *chunk, size_t chunk_size) {
    if (fseeko(writer->spill, (off_t)tensor->offset, SEEK_SET) != 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be written: %s", writer->file.path, strerror(errno));
    for (size_t left = tensor->bytes, part; left > 0; left -= part) {
        part = left < chunk_size ? left : chunk_size;
        if (fread(chunk, 1, part, writer->spill) != part)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: data set aside cannot be read: %s", writer->file.path, strerror(errno));
        MCV_TRY(mcv_writer_write(&writer->file, chunk, part));
    }
    return MCV_OK;
}

static mcv_status write_file(mcv_safetensors_writer *writer) {
    const size_t CHUNK_SIZE = (size_t)1 << 20;
    char *chunk;
    if (writer->count)
        qsort(writer->tensors, writer->count, sizeof *writer->tensors, larger_elements_first);
    MCV_TRY(write_header(writer));
    MCV_TRY(MCV_NEW(&chunk, CHUNK_SIZE));
    mcv_status status = MCV_OK;
    for (size_t i = 0; i < writer->count && status == MCV_OK; i++)
        status = copy_data(writer, &writer->tensors[i], chunk, CHUNK_SIZE);
    free(chunk);
    return status == MCV_OK ? mcv_writer_commit(&writer->file) : status;
}

mcv_status mcv_safetensors_commit(mcv_safetensors_writer *writer) {
    mcv_status status = write_file(writer);
    mcv_safetensors_abandon(writer);
    return status;
}
