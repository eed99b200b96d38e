/* Weights of GGUF files under their Hugging Face names: renamed, and put together again where the converter of the
 * vision side cut or turned them. */
#include <stdio.h>

#include "formats/gguf_names.h"
#include "formats/weights_table.h"

static mcv_weight weight_of(const mcv_gguf_tensor *tensor) {
    mcv_weight weight = {.type = tensor->weight_type, .rank = tensor->rank, .data = tensor->data, .is_mapped = true};
    memcpy(weight.shape, tensor->shape, sizeof tensor->shape);
    mcv_weight_lay_out(&weight);
    return weight;
}

static mcv_status add(mcv_weights *weights, const char *name, const mcv_weight *weight, const char *unsupported) {
    char *copy;
    mcv_weights_entry *entry;
    MCV_TRY(MCV_ARENA_NEW(&weights->arena, &copy, strlen(name) + 1));
    strcpy(copy, name);
    MCV_TRY(mcv_weights_add(weights, copy, &entry));
    entry->weight = *weight;
    entry->unsupported = unsupported;
    return MCV_OK;
}

/* ---- The vision side's MLP ----------------------------------------------------------------------------------- */

/* Some converters call fc1 ffn_up, others ffn_down. fc1 is the one that reads the encoder's width, which its norms
 * have. *hf_name is changed where this file's names are the other way round than the list has them. */
static void settle_mlp_name(const mcv_gguf *file, char *hf_name) {
    static const char DOWN[] = "v.blk.0.ffn_down.weight", NORM[] = "v.blk.0.ln1.weight";
    const mcv_gguf_tensor *down = mcv_gguf_find_tensor(file, DOWN), *norm = mcv_gguf_find_tensor(file, NORM);
    char *fc = strstr(hf_name, ".mlp.fc");
    if (!fc || !down || !norm || down->rank != 2 || norm->rank != 1 || down->shape[1] == norm->shape[0])
        return;
    char *number = fc + strlen(".mlp.fc");
    *number = *number == '1' ? '2' : '1';
}

/* ---- The resampler ------------------------------------------------------------------------------------------- */

/* in_proj_weight and in_proj_bias: q, k and v, one below the other. */
static mcv_status join_in_proj(mcv_weights *weights, const mcv_gguf *file, const char *part) {
    const mcv_gguf_tensor *parts[3];
    size_t bytes = 0;
    for (int i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "resampler.attn.%c.%s", "qkv"[i], part);
        parts[i] = mcv_gguf_find_tensor(file, name);
        if (!parts[i])
            return MCV_OK;        /* what is missing shows when the model asks for it */
        bytes += parts[i]->bytes; /* of tensors in one file: no overflow */
        bool same = parts[i]->rank > 0 && parts[i]->type_id == parts[0]->type_id && parts[i]->rank == parts[0]->rank &&
                    memcmp(parts[i]->shape, parts[0]->shape, sizeof parts[0]->shape) == 0;
        if (!same)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: expected the type and shape of resampler.attn.q.%s",
                            mcv_gguf_path(file), name, part);
    }
    mcv_weight joined = weight_of(parts[0]);
    uint8_t *data;
    char name[64];
    MCV_TRY(MCV_ARENA_NEW(&weights->arena, &data, bytes));
    for (int i = 0; i < 3; i++)
        memcpy(data + (size_t)i * parts[0]->bytes, parts[i]->data, parts[i]->bytes);
    joined.data = data;
    joined.is_mapped = false;
    joined.shape[0] *= 3;
    mcv_weight_lay_out(&joined);
    snprintf(name, sizeof name, "resampler.attn.in_proj_%s", part);
    return add(weights, name, &joined, parts[0]->has_weight_type ? NULL : mcv_gguf_element_of(parts[0]->type_id)->name);
}

static mcv_status turn_proj(mcv_weights *weights, const mcv_gguf_tensor *tensor) {
    mcv_weight weight = weight_of(tensor);
    if (!tensor->has_weight_type)
        return add(weights, "resampler.proj", &weight, mcv_gguf_element_of(tensor->type_id)->name);
    float *values, *turned;
    size_t count;
    if (tensor->rank != 2 || !mcv_mul_size(weight.rows, weight.columns, &count))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: expected a matrix", tensor->name);
    MCV_TRY(MCV_ARENA_NEW(&weights->arena, &turned, count));
    MCV_TRY(MCV_NEW(&values, weight.columns));
    for (size_t i = 0; i < weight.rows; i++) {
        mcv_weight_to_f32(&weight, i, 1, values);
        for (size_t j = 0; j < weight.columns; j++)
            turned[j * weight.rows + i] = values[j];
    }
    free(values);
    weight = mcv_weight_matrix(MCV_WEIGHT_F32, turned, weight.shape[1], weight.shape[0]);
    return add(weights, "resampler.proj", &weight, NULL);
}

/* ---- Files --------------------------------------------------------------------------------------------------- */

/* What is not in the list keeps its name, so that `inspect` can show that nothing uses it. */
static mcv_status add_tensor(mcv_weights *weights, const mcv_gguf *file, const mcv_gguf_tensor *tensor) {
    char hf_name[MCV_GGUF_NAME_SIZE];
    mcv_weight weight = weight_of(tensor);
    const char *unsupported = tensor->has_weight_type ? NULL : mcv_gguf_element_of(tensor->type_id)->name;
    if (strcmp(tensor->name, "resampler.proj.weight") == 0)
        return turn_proj(weights, tensor);
    if (!mcv_gguf_to_hf_name(tensor->name, hf_name))
        return add(weights, tensor->name, &weight, unsupported);
    settle_mlp_name(file, hf_name);
    return add(weights, hf_name, &weight, unsupported);
}

mcv_status mcv_weights_add_gguf(mcv_weights *weights, const mcv_gguf *file) {
    for (size_t i = 0; i < mcv_gguf_tensor_count(file); i++)
        MCV_TRY(add_tensor(weights, file, mcv_gguf_tensor_at(file, i)));
    MCV_TRY(join_in_proj(weights, file, "weight"));
    return join_in_proj(weights, file, "bias");
}
