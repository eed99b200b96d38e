#include "formats/gguf_writer.h"

#include "core/file.h"

enum { ALIGNMENT = 32 };

struct mcv_gguf_writer {
    mcv_file_writer file;
    mcv_buffer values, tensors; /* the two parts of the header, as they will be written */
    uint64_t value_count, tensor_count;
    uint64_t data_size; /* of all tensors declared so far, each padded */
    size_t *sizes;      /* [tensor_count] */
    size_t size_capacity;
    uint64_t written; /* tensors whose data has been written */
};

mcv_status mcv_gguf_create(const char *path, mcv_gguf_writer **out) {
    mcv_gguf_writer *writer;
    *out = NULL;
    MCV_TRY(MCV_NEW(&writer, 1));
    mcv_status status = mcv_writer_open(&writer->file, path);
    if (status != MCV_OK) {
        free(writer);
        return status;
    }
    *out = writer;
    return MCV_OK;
}

/* ---- Header -------------------------------------------------------------------------------------------------- */

static mcv_status append_u32(mcv_buffer *buffer, uint32_t value) {
    return mcv_buffer_append(buffer, &value, sizeof value);
}

static mcv_status append_u64(mcv_buffer *buffer, uint64_t value) {
    return mcv_buffer_append(buffer, &value, sizeof value);
}

static mcv_status append_string(mcv_buffer *buffer, const char *data, size_t size) {
    MCV_TRY(append_u64(buffer, size));
    return mcv_buffer_append(buffer, data, size);
}

static mcv_status append_key(mcv_gguf_writer *writer, const char *key, mcv_gguf_type type) {
    writer->value_count++;
    MCV_TRY(append_string(&writer->values, key, strlen(key)));
    return append_u32(&writer->values, type);
}

static mcv_status append_array(mcv_gguf_writer *writer, const char *key, mcv_gguf_type type, size_t count) {
    MCV_TRY(append_key(writer, key, MCV_GGUF_ARRAY));
    MCV_TRY(append_u32(&writer->values, type));
    return append_u64(&writer->values, count);
}

mcv_status mcv_gguf_add_u32(mcv_gguf_writer *writer, const char *key, uint32_t value) {
    MCV_TRY(append_key(writer, key, MCV_GGUF_U32));
    return append_u32(&writer->values, value);
}

mcv_status mcv_gguf_add_i32(mcv_gguf_writer *writer, const char *key, int32_t value) {
    MCV_TRY(append_key(writer, key, MCV_GGUF_I32));
    return mcv_buffer_append(&writer->values, &value, sizeof value);
}

mcv_status mcv_gguf_add_f32(mcv_gguf_writer *writer, const char *key, float value) {
    MCV_TRY(append_key(writer, key, MCV_GGUF_F32));
    return mcv_buffer_append(&writer->values, &value, sizeof value);
}

mcv_status mcv_gguf_add_bool(mcv_gguf_writer *writer, const char *key, bool value) {
    uint8_t byte = value;
    MCV_TRY(append_key(writer, key, MCV_GGUF_BOOL));
    return mcv_buffer_append(&writer->values, &byte, sizeof byte);
}

mcv_status mcv_gguf_add_string(mcv_gguf_writer *writer, const char *key, const char *value) {
    MCV_TRY(append_key(writer, key, MCV_GGUF_STRING));
    return append_string(&writer->values, value, strlen(value));
}

mcv_status mcv_gguf_add_strings(mcv_gguf_writer *writer, const char *key, const mcv_gguf_string *values, size_t count) {
    MCV_TRY(append_array(writer, key, MCV_GGUF_STRING, count));
    for (size_t i = 0; i < count; i++)
        MCV_TRY(append_string(&writer->values, values[i].data, values[i].size));
    return MCV_OK;
}

mcv_status mcv_gguf_add_i32s(mcv_gguf_writer *writer, const char *key, const int32_t *values, size_t count) {
    MCV_TRY(append_array(writer, key, MCV_GGUF_I32, count));
    return mcv_buffer_append(&writer->values, values, count * sizeof *values);
}

mcv_status mcv_gguf_add_f32s(mcv_gguf_writer *writer, const char *key, const float *values, size_t count) {
    MCV_TRY(append_array(writer, key, MCV_GGUF_F32, count));
    return mcv_buffer_append(&writer->values, values, count * sizeof *values);
}

static size_t padding(uint64_t size) {
    return (size_t)(-size % ALIGNMENT);
}

mcv_status mcv_gguf_declare(mcv_gguf_writer *writer, const char *name, mcv_weight_type type, int rank,
                            const int64_t *shape) {
    mcv_buffer *header = &writer->tensors;
    size_t elements = 1, size;
    for (int i = 0; i < rank; i++)
        elements *= (size_t)shape[i];
    size = elements / mcv_weight_block_size(type) * mcv_weight_block_bytes(type);
    MCV_TRY(MCV_GROW(&writer->sizes, &writer->size_capacity, (size_t)writer->tensor_count + 1));
    writer->sizes[writer->tensor_count++] = size;
    MCV_TRY(append_string(header, name, strlen(name)));
    MCV_TRY(append_u32(header, (uint32_t)rank));
    for (int i = rank - 1; i >= 0; i--)
        MCV_TRY(append_u64(header, (uint64_t)shape[i]));
    MCV_TRY(append_u32(header, mcv_gguf_type_id(type)));
    MCV_TRY(append_u64(header, writer->data_size));
    writer->data_size += size + padding(size);
    return MCV_OK;
}

/* ---- File ---------------------------------------------------------------------------------------------------- */

static mcv_status write_padding(mcv_gguf_writer *writer, uint64_t size) {
    static const uint8_t ZEROS[ALIGNMENT];
    return mcv_writer_write(&writer->file, ZEROS, padding(size));
}

static mcv_status write_header(mcv_gguf_writer *writer) {
    struct {
        char magic[4];
        uint32_t version;
        uint64_t tensor_count, value_count;
    } start = {{'G', 'G', 'U', 'F'}, 3, writer->tensor_count, writer->value_count};
    MCV_TRY(mcv_writer_write(&writer->file, &start, sizeof start));
    MCV_TRY(mcv_writer_write(&writer->file, mcv_buffer_text(&writer->values), writer->values.size));
    MCV_TRY(mcv_writer_write(&writer->file, mcv_buffer_text(&writer->tensors), writer->tensors.size));
    return write_padding(writer, sizeof start + writer->values.size + writer->tensors.size);
}

mcv_status mcv_gguf_write(mcv_gguf_writer *writer, const void *data, size_t size) {
    if (writer->written >= writer->tensor_count || size != writer->sizes[writer->written])
        return MCV_FAIL(MCV_USAGE, "%s: tensor %llu of %llu: %zu bytes are not what was declared", writer->file.path,
                        (unsigned long long)writer->written, (unsigned long long)writer->tensor_count, size);
    if (writer->written++ == 0)
        MCV_TRY(write_header(writer));
    MCV_TRY(mcv_writer_write(&writer->file, data, size));
    return write_padding(writer, size);
}

static void release(mcv_gguf_writer *writer) {
    mcv_buffer_free(&writer->values);
    mcv_buffer_free(&writer->tensors);
    free(writer->sizes);
    free(writer);
}

mcv_status mcv_gguf_commit(mcv_gguf_writer *writer) {
    mcv_status status = MCV_OK;
    if (writer->written != writer->tensor_count)
        status = MCV_FAIL(MCV_USAGE, "%s: %llu of %llu tensors have data", writer->file.path,
                          (unsigned long long)writer->written, (unsigned long long)writer->tensor_count);
    else if (writer->tensor_count == 0)
        status = write_header(writer);
    if (status == MCV_OK)
        status = mcv_writer_commit(&writer->file);
    else
        mcv_writer_abandon(&writer->file);
    release(writer);
    return status;
}

void mcv_gguf_abandon(mcv_gguf_writer *writer) {
    if (!writer)
        return;
    mcv_writer_abandon(&writer->file);
    release(writer);
}
