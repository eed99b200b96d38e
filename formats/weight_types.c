#include "formats/weight_types.h"

static const struct {
    const char *name;
    size_t block_size, block_bytes;
    mcv_dequantize_fn dequantize;
} TYPES[MCV_WEIGHT_BLOCK_TYPES] = {
    [MCV_WEIGHT_F32] = {"F32", 1, 4, mcv_dequantize_f32},
    [MCV_WEIGHT_F16] = {"F16", 1, 2, mcv_dequantize_f16},
    [MCV_WEIGHT_BF16] = {"BF16", 1, 2, mcv_dequantize_bf16},
    [MCV_WEIGHT_Q4_0] = {"Q4_0", 32, 18, mcv_dequantize_q4_0},
    [MCV_WEIGHT_Q4_1] = {"Q4_1", 32, 20, mcv_dequantize_q4_1},
    [MCV_WEIGHT_Q5_0] = {"Q5_0", 32, 22, mcv_dequantize_q5_0},
    [MCV_WEIGHT_Q5_1] = {"Q5_1", 32, 24, mcv_dequantize_q5_1},
    [MCV_WEIGHT_Q8_0] = {"Q8_0", 32, 34, mcv_dequantize_q8_0},
    [MCV_WEIGHT_Q2_K] = {"Q2_K", 256, 84, mcv_dequantize_q2_k},
    [MCV_WEIGHT_Q3_K] = {"Q3_K", 256, 110, mcv_dequantize_q3_k},
    [MCV_WEIGHT_Q4_K] = {"Q4_K", 256, 144, mcv_dequantize_q4_k},
    [MCV_WEIGHT_Q5_K] = {"Q5_K", 256, 176, mcv_dequantize_q5_k},
    [MCV_WEIGHT_Q6_K] = {"Q6_K", 256, 210, mcv_dequantize_q6_k},
    [MCV_WEIGHT_IQ4_NL] = {"IQ4_NL", 32, 18, mcv_dequantize_iq4_nl},
    [MCV_WEIGHT_IQ4_XS] = {"IQ4_XS", 256, 136, mcv_dequantize_iq4_xs},
};

const char *mcv_weight_type_name(mcv_weight_type type) {
    static const char *const PACKED[] = {"AWQ", "GPTQ", "NF4"};
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

void mcv_dequantize(mcv_weight_type type, const void *blocks, size_t count, float *out) {
    TYPES[type].dequantize(blocks, count, out);
}
