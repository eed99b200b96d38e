/* NF4 of bitsandbytes, as transformers saves it: formats/weights_packed.h. */
#include <math.h>
#include <stdio.h>

#include "formats/json.h"
#include "formats/load_bytes.h"
#include "formats/weights_table.h"

enum { TABLE = 16, NESTED_TABLE = 256, MOST_BLOCK_SIZE = 1 << 16 };

/* ---- Values -------------------------------------------------------------------------------------------------- */

static float load_f32(const uint8_t *values, size_t index) {
    return mcv_f32_from_bits(mcv_load_u32(values + 4 * index));
}

float mcv_nf4_scale(const mcv_nf4 *packed, size_t element) {
    size_t block = element / packed->block_size;
    const uint8_t *absmax = packed->absmax.data;
    if (!packed->nested_table)
        return load_f32(absmax, block);
    float scale = load_f32(packed->nested_table, absmax[block]);
    return scale * load_f32(packed->nested_absmax, block / packed->nested_block_size) + packed->nested_offset;
}

void mcv_nf4_codes(const mcv_nf4 *packed, size_t first, size_t count, uint8_t *codes) {
    for (size_t at = first; at < first + count; at++)
        *codes++ = packed->weight[at / 2] >> (at % 2 ? 0 : 4) & 15;
}

void mcv_nf4_to_f32(const mcv_nf4 *packed, size_t first, size_t count, float *out) {
    size_t at = first, end = first + count;
    while (at < end) {
        size_t block = at / packed->block_size, stop = (block + 1) * packed->block_size;
        float scale = mcv_nf4_scale(packed, at);
        for (stop = stop < end ? stop : end; at < stop; at++)
            *out++ = packed->table[packed->weight[at / 2] >> (at % 2 ? 0 : 4) & 15] * scale;
    }
}

/* ---- Reading ------------------------------------------------------------------------------------------------- */

typedef struct reader {
    const mcv_weights *weights;
    const char *name; /* "llm.model.layers.0.mlp.up_proj.weight" */
} reader;

static mcv_status fail(const reader *in, const char *part, const char *expected) {
    return MCV_FAIL(MCV_BAD_INPUT, "%s: %s.%s: expected %s", in->weights->path, in->name, part, expected);
}

static bool find(const reader *in, const char *part, mcv_tensor *tensor) {
    char name[256];
    snprintf(name, sizeof name, "%s.%s", in->name, part);
    return mcv_safetensors_find(in->weights->safetensors, name, tensor);
}

/* A vector of `count` elements; more are passed over. */
static mcv_status require(const reader *in, const char *part, mcv_dtype dtype, size_t count, mcv_tensor *tensor) {
    char expected[64];
    size_t found;
    snprintf(expected, sizeof expected, "%zu elements of type %s", count, mcv_dtype_name(dtype));
    if (!find(in, part, tensor) || tensor->dtype != dtype || !mcv_tensor_count(tensor, &found) || found < count)
        return fail(in, part, expected);
    return MCV_OK;
}

/* The shape of the matrix and the sizes of blocks, in JSON. */
static mcv_status read_state(const reader *in, const mcv_json *state, mcv_nf4 *packed, mcv_weight *weight) {
    mcv_json shape;
    int block_size = 64, nested_block_size = 256;
    double offset = 0;
    size_t elements = 1;
    MCV_TRY(mcv_json_get_int(state, "blocksize", 1, MOST_BLOCK_SIZE, &block_size));
    MCV_TRY(mcv_json_get_int(state, "nested_blocksize", 1, MOST_BLOCK_SIZE, &nested_block_size));
    MCV_TRY(mcv_json_get_double(state, "nested_offset", -1e30, 1e30, &offset));
    MCV_TRY(mcv_json_get_array(state, "shape", &shape));
    if (mcv_json_count(&shape) != 2)
        return mcv_json_fail(MCV_BAD_INPUT, &shape, "the two sizes of a matrix");
    for (size_t i = 0; i < 2; i++) {
        mcv_json size = mcv_json_item(&shape, i);
        weight->shape[i] = json_integer_value(size.value);
        if (weight->shape[i] < 1 || !mcv_mul_size(elements, (size_t)weight->shape[i], &elements))
            return mcv_json_fail(MCV_BAD_INPUT, &size, "a size");
    }
    if (packed->elements / 2 < elements / 2 + elements % 2)
        return fail(in, "quant_state", "a shape that the weights fill");
    packed->elements = elements;
    packed->block_size = (size_t)block_size;
    packed->nested_block_size = (size_t)nested_block_size;
    packed->nested_offset = (float)offset;
    weight->rows = (size_t)weight->shape[0];
    weight->columns = (size_t)weight->shape[1];
    return MCV_OK;
}

static mcv_status load_state(const reader *in, const mcv_tensor *bytes, mcv_nf4 *packed, mcv_weight *weight) {
    mcv_json state;
    size_t size;
    if (bytes->dtype != MCV_U8 || !mcv_tensor_bytes(bytes, &size))
        return fail(in, "quant_state.bitsandbytes__nf4", "JSON in bytes");
    MCV_TRY(mcv_json_parse(bytes->data, size, in->name, &state));
    mcv_status status = json_is_object(state.value) ? read_state(in, &state, packed, weight)
                                                    : mcv_json_fail(MCV_BAD_INPUT, &state, "an object");
    mcv_json_free(&state);
    return status;
}

static mcv_status read_scales(const reader *in, mcv_nf4 *packed) {
    mcv_tensor table, nested;
    size_t blocks = (packed->elements + packed->block_size - 1) / packed->block_size;
    MCV_TRY(require(in, "quant_map", MCV_F32, TABLE, &table));
    memcpy(packed->table, table.data, sizeof packed->table);
    if (!find(in, "nested_absmax", &nested))
        return require(in, "absmax", MCV_F32, blocks, &packed->absmax);
    MCV_TRY(require(in, "absmax", MCV_U8, blocks, &packed->absmax));
    MCV_TRY(require(in, "nested_absmax", MCV_F32, (blocks + packed->nested_block_size - 1) / packed->nested_block_size,
                    &nested));
    packed->nested_absmax = nested.data;
    MCV_TRY(require(in, "nested_quant_map", MCV_F32, NESTED_TABLE, &table));
    packed->nested_table = table.data;
    return MCV_OK;
}

mcv_status mcv_weights_add_nf4(mcv_weights *weights, const char *name, const mcv_tensor *bytes,
                               const mcv_tensor *state) {
    reader in = {weights, name};
    mcv_weight weight = {.type = MCV_WEIGHT_NF4, .rank = 2};
    mcv_nf4 *packed;
    mcv_weights_entry *entry;
    size_t size;
    MCV_TRY(MCV_ARENA_NEW(&weights->arena, &packed, 1));
    *packed = (mcv_nf4){.weight = bytes->data};
    if (bytes->dtype != MCV_U8 || !mcv_tensor_bytes(bytes, &size) || size > SIZE_MAX / 2)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: expected type U8", weights->path, name);
    packed->elements = 2 * size;
    MCV_TRY(load_state(&in, state, packed, &weight));
    MCV_TRY(read_scales(&in, packed));
    weight.is_mapped = true;
    weight.nf4 = packed;
    MCV_TRY(mcv_weights_add(weights, name, &entry));
    entry->weight = weight;
    return MCV_OK;
}
