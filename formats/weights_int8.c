/* INT8 as compressed-tensors saves it: formats/weights_packed.h. */
#include "core/buffer.h"
#include "formats/weights_table.h"

void mcv_int8_to_f32(const mcv_int8 *packed, size_t row, float *out) {
    const uint8_t *codes = packed->weight + row * packed->in;
    size_t size = packed->in / packed->groups;
    for (size_t g = 0; g < packed->groups; g++) {
        float scale;
        mcv_tensor_to_f32(&packed->scales, row * packed->groups + g, 1, &scale);
        for (size_t i = g * size; i < (g + 1) * size; i++)
            out[i] = (float)(int8_t)codes[i] * scale;
    }
}

static mcv_status fail(const mcv_weights *weights, const char *name, const char *expected) {
    return MCV_FAIL(MCV_BAD_INPUT, "%s: %s_scale: expected %s", weights->path, name, expected);
}

/* Weights with zero points or groups in another order would be read wrongly. */
static mcv_status refuse_part(const mcv_weights *weights, const char *name, const char *part) {
    mcv_buffer other = {0};
    mcv_tensor found;
    MCV_TRY(mcv_buffer_printf(&other, "%s_%s", name, part));
    mcv_status status = MCV_OK;
    if (mcv_safetensors_find(weights->safetensors, mcv_buffer_text(&other), &found))
        status = MCV_FAIL(MCV_UNSUPPORTED,
                          "%s: %s: INT8 with zero points or an order of its groups; symmetric INT8 expected",
                          weights->path, mcv_buffer_text(&other));
    mcv_buffer_free(&other);
    return status;
}

mcv_status mcv_weights_add_int8(mcv_weights *weights, const char *name, const mcv_tensor *bytes,
                                const mcv_tensor *scales) {
    mcv_weights_entry *entry;
    mcv_int8 *packed;
    size_t count;
    MCV_TRY(refuse_part(weights, name, "zero_point"));
    MCV_TRY(refuse_part(weights, name, "g_idx"));
    if (bytes->rank != 2 || bytes->shape[0] < 1 || bytes->shape[1] < 1)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: expected a matrix", weights->path, name);
    if (scales->dtype != MCV_F32 && scales->dtype != MCV_F16 && scales->dtype != MCV_BF16)
        return fail(weights, name, "F16, BF16 or F32");
    if (!mcv_tensor_count(scales, &count) || scales->rank < 1 || scales->shape[0] != bytes->shape[0] ||
        count % (size_t)bytes->shape[0] != 0 || count == 0 ||
        (size_t)bytes->shape[1] % (count / (size_t)bytes->shape[0]) != 0)
        return fail(weights, name, "a scale for each row, or for groups of one size");
    MCV_TRY(MCV_ARENA_NEW(&weights->arena, &packed, 1));
    *packed = (mcv_int8){.weight = bytes->data,
                         .scales = *scales,
                         .in = (size_t)bytes->shape[1],
                         .groups = count / (size_t)bytes->shape[0]};
    MCV_TRY(mcv_weights_add(weights, name, &entry));
    entry->weight = (mcv_weight){.type = MCV_WEIGHT_INT8,
                                 .rank = 2,
                                 .shape = {bytes->shape[0], bytes->shape[1]},
                                 .rows = (size_t)bytes->shape[0],
                                 .columns = (size_t)bytes->shape[1],
                                 .is_mapped = true,
                                 .int8 = packed};
    return MCV_OK;
}
