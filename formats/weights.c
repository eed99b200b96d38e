#include "formats/weights.h"

#include <stdio.h>

#include "core/file.h"
#include "formats/weights_table.h"

bool mcv_weight_lay_out(mcv_weight *weight) {
    size_t block = mcv_weight_block_size(weight->type);
    weight->rows = 1;
    weight->columns = 1;
    for (int i = 0; i < weight->rank; i++) {
        bool is_outermost = i == 0 && weight->rank > 1;
        size_t *product = is_outermost ? &weight->rows : &weight->columns;
        *product *= (size_t)weight->shape[i];
    }
    weight->row_bytes = weight->columns / block * mcv_weight_block_bytes(weight->type);
    return weight->columns % block == 0;
}

mcv_weight mcv_weight_from_tensor(const mcv_tensor *tensor, const char **unsupported) {
    mcv_weight weight = {.rank = tensor->rank, .data = tensor->data, .is_mapped = true};
    memcpy(weight.shape, tensor->shape, sizeof weight.shape);
    *unsupported = NULL;
    if (tensor->dtype == MCV_F32)
        weight.type = MCV_WEIGHT_F32;
    else if (tensor->dtype == MCV_F16)
        weight.type = MCV_WEIGHT_F16;
    else if (tensor->dtype == MCV_BF16)
        weight.type = MCV_WEIGHT_BF16;
    else
        *unsupported = mcv_dtype_name(tensor->dtype);
    mcv_weight_lay_out(&weight);
    return weight;
}

mcv_status mcv_weights_add(mcv_weights *weights, const char *name, mcv_weights_entry **entry) {
    MCV_TRY(MCV_GROW(&weights->entries, &weights->capacity, weights->count + 1));
    *entry = &weights->entries[weights->count++];
    **entry = (mcv_weights_entry){.name = name};
    return MCV_OK;
}

static int compare_names(const void *left, const void *right) {
    const mcv_weights_entry *a = left, *b = right;
    return strcmp(a->name, b->name);
}

/* Whether `name` ends with `end`; then *stem = what stands before it. */
static bool has_end(const char *name, const char *end, char *stem, size_t size) {
    size_t length = strlen(name), tail = strlen(end);
    if (length <= tail || length - tail >= size || strcmp(name + length - tail, end) != 0)
        return false;
    memcpy(stem, name, length - tail);
    stem[length - tail] = 0;
    return true;
}

enum { NAME_ROOM = 224 };

static bool exists(const mcv_safetensors *file, const char *stem, const char *end, mcv_tensor *tensor) {
    char name[NAME_ROOM + 64];
    snprintf(name, sizeof name, "%s%s", stem, end);
    return mcv_safetensors_find(file, name, tensor);
}

static const char SCALE_OF_INT8[] = "_scale";
static const char NF4_STATE[] = ".quant_state.bitsandbytes__nf4";

/* Whether a tensor is part of a quantized layer, but not the one that stands for it. */
static bool is_side_part(const mcv_safetensors *file, const char *name) {
    static const char *const OF_GROUPED[] = {".qzeros", ".scales", ".g_idx"};
    static const char *const OF_NF4[] = {".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"};
    char stem[NAME_ROOM];
    mcv_tensor other;
    for (size_t i = 0; i < sizeof OF_GROUPED / sizeof *OF_GROUPED; i++)
        if (has_end(name, OF_GROUPED[i], stem, sizeof stem) && exists(file, stem, ".qweight", &other))
            return true;
    for (size_t i = 0; i < sizeof OF_NF4 / sizeof *OF_NF4; i++)
        if (has_end(name, OF_NF4[i], stem, sizeof stem) && exists(file, stem, NF4_STATE, &other))
            return true;
    if (has_end(name, SCALE_OF_INT8, stem, sizeof stem) && exists(file, stem, "", &other))
        return other.dtype == MCV_I8;
    return has_end(name, NF4_STATE, stem, sizeof stem) && exists(file, stem, "", &other);
}

static mcv_status add_tensor(mcv_weights *weights, const char *name, const mcv_tensor *tensor) {
    const mcv_safetensors *file = weights->safetensors;
    char stem[NAME_ROOM];
    mcv_tensor state;
    mcv_weights_entry *entry;
    if (is_side_part(file, name))
        return MCV_OK;
    if (has_end(name, ".qweight", stem, sizeof stem))
        return mcv_weights_add_grouped(weights, stem, tensor);
    if (has_end(name, "", stem, sizeof stem) && exists(file, stem, NF4_STATE, &state))
        return mcv_weights_add_nf4(weights, name, tensor, &state);
    if (tensor->dtype == MCV_I8 && has_end(name, "", stem, sizeof stem) && exists(file, stem, SCALE_OF_INT8, &state))
        return mcv_weights_add_int8(weights, name, tensor, &state);
    MCV_TRY(mcv_weights_add(weights, name, &entry));
    entry->weight = mcv_weight_from_tensor(tensor, &entry->unsupported);
    return MCV_OK;
}

static mcv_status add_safetensors(mcv_weights *weights) {
    MCV_TRY(mcv_safetensors_open(weights->path, &weights->safetensors));
    for (size_t i = 0; i < mcv_safetensors_count(weights->safetensors); i++) {
        mcv_tensor tensor = mcv_safetensors_at(weights->safetensors, i);
        MCV_TRY(add_tensor(weights, mcv_safetensors_name(weights->safetensors, i), &tensor));
    }
    return MCV_OK;
}

static mcv_status add_files(mcv_weights *weights, const char *mmproj) {
    bool is_gguf;
    MCV_TRY(mcv_path_is_gguf(weights->path, &is_gguf));
    if (!is_gguf && mmproj)
        return MCV_FAIL(MCV_USAGE, "%s is no GGUF file: its vision side is not in another file", weights->path);
    if (!is_gguf)
        return add_safetensors(weights);
    MCV_TRY(mcv_gguf_open(weights->path, &weights->gguf));
    MCV_TRY(mcv_weights_add_gguf(weights, weights->gguf));
    if (!mmproj)
        return MCV_OK;
    MCV_TRY(mcv_gguf_open(mmproj, &weights->mmproj));
    return mcv_weights_add_gguf(weights, weights->mmproj);
}

static mcv_status sort_entries(mcv_weights *weights) {
    if (weights->count > 0)
        qsort(weights->entries, weights->count, sizeof *weights->entries, compare_names);
    for (size_t i = 1; i < weights->count; i++)
        if (strcmp(weights->entries[i - 1].name, weights->entries[i].name) == 0)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: two tensors of this name", weights->path, weights->entries[i].name);
    return MCV_OK;
}

mcv_status mcv_weights_open(const char *path, const char *mmproj, mcv_weights **out) {
    mcv_weights *weights;
    *out = NULL;
    MCV_TRY(MCV_NEW(&weights, 1));
    mcv_status status = mcv_strdup(&weights->path, path);
    if (status == MCV_OK)
        status = add_files(weights, mmproj);
    if (status == MCV_OK)
        status = sort_entries(weights);
    if (status == MCV_OK)
        *out = weights;
    else
        mcv_weights_close(weights);
    return status;
}

void mcv_weights_close(mcv_weights *weights) {
    if (!weights)
        return;
    mcv_safetensors_close(weights->safetensors);
    mcv_gguf_close(weights->gguf);
    mcv_gguf_close(weights->mmproj);
    mcv_arena_free(&weights->arena);
    free(weights->entries);
    free(weights->path);
    free(weights);
}

size_t mcv_weights_count(const mcv_weights *weights) {
    return weights->count;
}

const char *mcv_weights_at(const mcv_weights *weights, size_t index, mcv_weight *weight, const char **unsupported) {
    *weight = weights->entries[index].weight;
    *unsupported = weights->entries[index].unsupported;
    return weights->entries[index].name;
}

mcv_status mcv_weights_find(const mcv_weights *weights, const char *name, mcv_weight *weight) {
    mcv_weights_entry key = {.name = name};
    const mcv_weights_entry *entry =
        weights->count > 0 ? bsearch(&key, weights->entries, weights->count, sizeof key, compare_names) : NULL;
    if (!entry)
        return MCV_FAIL(MCV_BAD_INPUT, "the weights have no tensor %s", name);
    if (entry->unsupported)
        return MCV_FAIL(MCV_UNSUPPORTED, "tensor %s: weights of type %s; F32, F16, BF16 or a quantized type expected",
                        name, entry->unsupported);
    *weight = entry->weight;
    return MCV_OK;
}

void mcv_weight_to_f32(const mcv_weight *weight, size_t row, size_t count, float *out) {
    row += weight->first_row;
    if (weight->nf4) {
        mcv_nf4_to_f32(weight->nf4, row * weight->columns, count * weight->columns, out);
        return;
    }
    if (weight->int8) {
        for (size_t i = 0; i < count; i++)
            mcv_int8_to_f32(weight->int8, row + i, out + i * weight->columns);
        return;
    }
    if (weight->grouped) {
        for (size_t i = 0; i < count; i++)
            mcv_grouped_to_f32(weight->grouped, row + i, out + i * weight->columns);
        return;
    }
    size_t blocks = weight->columns / mcv_weight_block_size(weight->type);
    mcv_dequantize(weight->type, weight->data + row * weight->row_bytes, count * blocks, out);
}

/* What holds the elements, one after the other: blocks, or the codes of a type without. */
static const uint8_t *bytes_of(const mcv_weight *weight, size_t *size) {
    *size = weight->grouped ? weight->grouped->in * weight->grouped->out / 2
            : weight->nf4   ? weight->nf4->elements / 2
            : weight->int8  ? weight->rows * weight->columns
                            : weight->rows * weight->row_bytes;
    return weight->grouped ? weight->grouped->qweight
           : weight->nf4   ? weight->nf4->weight
           : weight->int8  ? weight->int8->weight
                           : weight->data;
}

size_t mcv_weight_sample(const mcv_weight *weight, size_t most, const uint8_t **bytes) {
    size_t size;
    const uint8_t *all = bytes_of(weight, &size);
    most = size < most ? size : most;
    *bytes = all + (size - most) / 2;
    return most;
}

void mcv_weight_forget(const mcv_weight *weight) {
    size_t size;
    const uint8_t *all = bytes_of(weight, &size);
    if (weight->is_mapped)
        mcv_file_forget(all, size);
}

mcv_weight mcv_weight_rows(const mcv_weight *weight, size_t row, size_t count) {
    mcv_weight part = *weight;
    part.rows = count;
    part.shape[0] = (int64_t)count;
    if (weight->data)
        part.data += row * weight->row_bytes;
    else
        part.first_row += row;
    return part;
}

mcv_weight mcv_weight_matrix(mcv_weight_type type, const void *data, int64_t rows, int64_t columns) {
    mcv_weight weight = {.type = type, .rank = 2, .shape = {rows, columns}, .data = data};
    mcv_weight_lay_out(&weight);
    return weight;
}
