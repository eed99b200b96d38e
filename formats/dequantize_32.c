/* Q4_0, Q4_1, Q5_0, Q5_1, Q8_0: blocks of 32 elements with a binary16 scale d and, in the _1 types, a minimum m.
 *
 * Byte j of the 16 bytes `qs` holds the lower four bits of element j in its lower half and those of element j + 16 in
 * its upper half; bit i of the 32 bits `qh` is element i's fifth. */
#include "formats/dequantize_bytes.h"
#include "formats/weight_types.h"

enum { BLOCK = 32, HALF = 16 };

static inline int nibble(const uint8_t *qs, int i) {
    return i < HALF ? qs[i] & 15 : qs[i - HALF] >> 4;
}

static inline int five_bits(const uint8_t *qs, uint32_t qh, int i) {
    return nibble(qs, i) | (int)(qh >> i & 1) << 4;
}

/* d, qs: d * (q - 8). */
void mcv_dequantize_q4_0(const uint8_t *blocks, size_t count, float *out) {
    for (; count > 0; count--, blocks += 2 + HALF, out += BLOCK) {
        float d = mcv_load_f16(blocks);
        for (int i = 0; i < BLOCK; i++)
            out[i] = d * (float)(nibble(blocks + 2, i) - 8);
    }
}

/* d, m, qs: d * q + m. */
void mcv_dequantize_q4_1(const uint8_t *blocks, size_t count, float *out) {
    for (; count > 0; count--, blocks += 4 + HALF, out += BLOCK) {
        float d = mcv_load_f16(blocks), m = mcv_load_f16(blocks + 2);
        for (int i = 0; i < BLOCK; i++)
            out[i] = d * (float)nibble(blocks + 4, i) + m;
    }
}

/* d, qh, qs: d * (q - 16). */
void mcv_dequantize_q5_0(const uint8_t *blocks, size_t count, float *out) {
    for (; count > 0; count--, blocks += 6 + HALF, out += BLOCK) {
        float d = mcv_load_f16(blocks);
        uint32_t qh = mcv_load_u32(blocks + 2);
        for (int i = 0; i < BLOCK; i++)
            out[i] = d * (float)(five_bits(blocks + 6, qh, i) - 16);
    }
}

/* d, m, qh, qs: d * q + m. */
void mcv_dequantize_q5_1(const uint8_t *blocks, size_t count, float *out) {
    for (; count > 0; count--, blocks += 8 + HALF, out += BLOCK) {
        float d = mcv_load_f16(blocks), m = mcv_load_f16(blocks + 2);
        uint32_t qh = mcv_load_u32(blocks + 4);
        for (int i = 0; i < BLOCK; i++)
            out[i] = d * (float)five_bits(blocks + 8, qh, i) + m;
    }
}

/* d, 32 signed bytes: q * d. */
void mcv_dequantize_q8_0(const uint8_t *blocks, size_t count, float *out) {
    for (; count > 0; count--, blocks += 2 + BLOCK, out += BLOCK) {
        float d = mcv_load_f16(blocks);
        for (int i = 0; i < BLOCK; i++)
            out[i] = (float)(int8_t)blocks[2 + i] * d;
    }
}
