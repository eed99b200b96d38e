#include "formats/random_blocks.h"

#include "core/random.h"

/* Where a block has its binary16 scales, and what they are for a span of 1: d is one over the largest product of a
 * sub-block's scale and an element, m brings the middle to 0. */
typedef struct scales {
    int d_at, m_at; /* m_at -1: none */
    float d, m;
} scales;

static const scales SCALES[MCV_WEIGHT_BLOCK_TYPES] = {
    [MCV_WEIGHT_Q4_0] = {0, -1, 1.0f / 8, 0},
    [MCV_WEIGHT_Q4_1] = {0, 2, 2.0f / 15, -1},
    [MCV_WEIGHT_Q5_0] = {0, -1, 1.0f / 16, 0},
    [MCV_WEIGHT_Q5_1] = {0, 2, 2.0f / 31, -1},
    [MCV_WEIGHT_Q8_0] = {0, -1, 1.0f / 127, 0},
    [MCV_WEIGHT_Q2_K] = {80, 82, 2.0f / (15 * 3), 1.0f / 15},
    [MCV_WEIGHT_Q3_K] = {108, -1, 1.0f / (32 * 4), 0},
    [MCV_WEIGHT_Q4_K] = {0, 2, 2.0f / (63 * 15), 1.0f / 63},
    [MCV_WEIGHT_Q5_K] = {0, 2, 2.0f / (63 * 31), 1.0f / 63},
    [MCV_WEIGHT_Q6_K] = {208, -1, 1.0f / (128 * 32), 0},
    [MCV_WEIGHT_IQ4_NL] = {0, -1, 1.0f / 127, 0},
    [MCV_WEIGHT_IQ4_XS] = {0, -1, 1.0f / (32 * 127), 0},
};

static void put_half(uint8_t *out, uint16_t bits) {
    memcpy(out, &bits, sizeof bits);
}

static void put_plain(mcv_weight_type type, float value, uint8_t *out) {
    if (type == MCV_WEIGHT_F32)
        memcpy(out, &value, sizeof value);
    else
        put_half(out, type == MCV_WEIGHT_F16 ? mcv_f16_from_f32(value) : mcv_bf16_from_f32(value));
}

static void put_block(mcv_weight_type type, uint64_t stream, size_t index, float span, uint8_t *block) {
    size_t bytes = mcv_weight_block_bytes(type);
    mcv_random random = mcv_random_begin(stream, index);
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t bits = mcv_random_next(&random);
        memcpy(block + i, &bits, bytes - i < 8 ? bytes - i : 8);
    }
    put_half(block + SCALES[type].d_at, mcv_f16_from_f32(SCALES[type].d * span));
    if (SCALES[type].m_at >= 0)
        put_half(block + SCALES[type].m_at, mcv_f16_from_f32(SCALES[type].m * span));
}

void mcv_random_blocks(mcv_weight_type type, uint64_t stream, float middle, float span, size_t begin, size_t end,
                       uint8_t *blocks) {
    size_t bytes = mcv_weight_block_bytes(type);
    for (size_t i = begin; i < end; i++) {
        if (mcv_weight_block_size(type) > 1) {
            put_block(type, stream, i, span, blocks + i * bytes);
            continue;
        }
        float uniform = (float)(mcv_random_mix(stream + i) >> 40) * 0x1p-23f - 1;
        put_plain(type, middle + span * uniform, blocks + i * bytes);
    }
}
