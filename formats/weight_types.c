#include "formats/unpack_blocks.h"

static const struct {
    const char *name;
    size_t block_size, block_bytes;
    mcv_dequantize_fn dequantize; /* of plain types */
    mcv_unpack_fn unpack;         /* of quantized types */
    mcv_block_form form;          /* the same */
} TYPES[MCV_WEIGHT_BLOCK_TYPES] = {
    [MCV_WEIGHT_F32] = {"F32", 1, 4, .dequantize = mcv_dequantize_f32},
    [MCV_WEIGHT_F16] = {"F16", 1, 2, .dequantize = mcv_dequantize_f16},
    [MCV_WEIGHT_BF16] = {"BF16", 1, 2, .dequantize = mcv_dequantize_bf16},
    [MCV_WEIGHT_Q4_0] = {"Q4_0", 32, 18, .unpack = mcv_unpack_q4_0, .form = {32, 4, 8, false, false, NULL}},
    [MCV_WEIGHT_Q4_1] = {"Q4_1", 32, 20, .unpack = mcv_unpack_q4_1, .form = {32, 4, 0, false, true, NULL}},
    [MCV_WEIGHT_Q5_0] = {"Q5_0", 32, 22, .unpack = mcv_unpack_q5_0, .form = {32, 5, 16, false, false, NULL}},
    [MCV_WEIGHT_Q5_1] = {"Q5_1", 32, 24, .unpack = mcv_unpack_q5_1, .form = {32, 5, 0, false, true, NULL}},
    [MCV_WEIGHT_Q8_0] = {"Q8_0", 32, 34, .unpack = mcv_unpack_q8_0, .form = {32, 8, 128, false, false, NULL}},
    [MCV_WEIGHT_Q2_K] = {"Q2_K", 256, 84, .unpack = mcv_unpack_q2_k, .form = {16, 2, 0, true, true, NULL}},
    [MCV_WEIGHT_Q3_K] = {"Q3_K", 256, 110, .unpack = mcv_unpack_q3_k, .form = {16, 3, 4, true, false, NULL}},
    [MCV_WEIGHT_Q4_K] = {"Q4_K", 256, 144, .unpack = mcv_unpack_q4_k, .form = {32, 4, 0, true, true, NULL}},
    [MCV_WEIGHT_Q5_K] = {"Q5_K", 256, 176, .unpack = mcv_unpack_q5_k, .form = {32, 5, 0, true, true, NULL}},
    [MCV_WEIGHT_Q6_K] = {"Q6_K", 256, 210, .unpack = mcv_unpack_q6_k, .form = {16, 6, 32, true, false, NULL}},
    [MCV_WEIGHT_IQ4_NL] = {"IQ4_NL", 32, 18, .unpack = mcv_unpack_iq4_nl,
                           .form = {32, 4, 0, false, false, mcv_iq4_levels}},
    [MCV_WEIGHT_IQ4_XS] = {"IQ4_XS", 256, 136, .unpack = mcv_unpack_iq4_xs,
                           .form = {32, 4, 0, true, false, mcv_iq4_levels}},
};

const char *mcv_weight_type_name(mcv_weight_type type) {
    static const char *const PACKED[] = {"AWQ", "GPTQ", "NF4", "INT8"};
    return type < MCV_WEIGHT_BLOCK_TYPES ? TYPES[type].name : PACKED[type - MCV_WEIGHT_BLOCK_TYPES];
}

bool mcv_weight_type_from_name(const char *name, mcv_weight_type *type) {
    for (int i = 0; i < MCV_WEIGHT_BLOCK_TYPES; i++)
        if (strcmp(name, TYPES[i].name) == 0) {
            *type = (mcv_weight_type)i;
            return true;
        }
    return false;
}

size_t mcv_weight_block_size(mcv_weight_type type) {
    return TYPES[type].block_size;
}

size_t mcv_weight_block_bytes(mcv_weight_type type) {
    return TYPES[type].block_bytes;
}

const mcv_block_form *mcv_weight_block_form(mcv_weight_type type) {
    return type < MCV_WEIGHT_BLOCK_TYPES && TYPES[type].unpack ? &TYPES[type].form : NULL;
}

void mcv_unpack_block(mcv_weight_type type, const uint8_t *block, mcv_block *out) {
    TYPES[type].unpack(block, out);
}

static void dequantize_block(const mcv_block_form *form, const mcv_block *block, int size, float *out) {
    float d = mcv_f32_from_f16(block->d), dmin = mcv_f32_from_f16(block->dmin);
    for (int j = 0; j < size / form->group; j++) {
        float step = d * (float)block->scale[j], offset = dmin * (float)block->minimum[j];
        for (int i = j * form->group; i < (j + 1) * form->group; i++) {
            int number = form->levels ? form->levels[block->code[i]] : block->code[i] - form->zero;
            out[i] = step * (float)number - offset;
        }
    }
}

void mcv_dequantize(mcv_weight_type type, const void *blocks, size_t count, float *out) {
    size_t size = mcv_weight_block_size(type), bytes = mcv_weight_block_bytes(type);
    mcv_block block;
    if (TYPES[type].dequantize) {
        TYPES[type].dequantize(blocks, count, out);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        mcv_unpack_block(type, (const uint8_t *)blocks + i * bytes, &block);
        dequantize_block(&TYPES[type].form, &block, (int)size, out + i * size);
    }
}
