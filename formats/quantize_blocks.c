#include "formats/quantize_blocks.h"

enum { LARGEST_BLOCK = 256 };

typedef void (*quantize_fn)(const float *x, const float *weights, uint8_t *block);

static const quantize_fn QUANTIZE[MCV_WEIGHT_BLOCK_TYPES] = {
    [MCV_WEIGHT_Q4_0] = mcv_quantize_q4_0,     [MCV_WEIGHT_Q4_1] = mcv_quantize_q4_1,
    [MCV_WEIGHT_Q5_0] = mcv_quantize_q5_0,     [MCV_WEIGHT_Q5_1] = mcv_quantize_q5_1,
    [MCV_WEIGHT_Q8_0] = mcv_quantize_q8_0,     [MCV_WEIGHT_Q2_K] = mcv_quantize_q2_k,
    [MCV_WEIGHT_Q3_K] = mcv_quantize_q3_k,     [MCV_WEIGHT_Q4_K] = mcv_quantize_q4_k,
    [MCV_WEIGHT_Q5_K] = mcv_quantize_q5_k,     [MCV_WEIGHT_Q6_K] = mcv_quantize_q6_k,
    [MCV_WEIGHT_IQ4_NL] = mcv_quantize_iq4_nl, [MCV_WEIGHT_IQ4_XS] = mcv_quantize_iq4_xs,
};

static void put_half(mcv_weight_type type, const float *values, size_t columns, uint8_t *out) {
    for (size_t i = 0; i < columns; i++) {
        uint16_t bits = type == MCV_WEIGHT_F16 ? mcv_f16_from_f32(values[i]) : mcv_bf16_from_f32(values[i]);
        memcpy(out + 2 * i, &bits, sizeof bits);
    }
}

void mcv_quantize_row(mcv_weight_type type, const float *values, const float *importance, size_t columns,
                      uint8_t *blocks) {
    float alike[LARGEST_BLOCK];
    size_t size = mcv_weight_block_size(type), bytes = mcv_weight_block_bytes(type);
    if (type == MCV_WEIGHT_F32) {
        memcpy(blocks, values, columns * sizeof *values);
        return;
    }
    if (!QUANTIZE[type]) {
        put_half(type, values, columns, blocks);
        return;
    }
    for (size_t i = 0; i < LARGEST_BLOCK; i++)
        alike[i] = 1;
    for (size_t i = 0; i < columns / size; i++)
        QUANTIZE[type](values + i * size, importance ? importance + i * size : alike, blocks + i * bytes);
}
