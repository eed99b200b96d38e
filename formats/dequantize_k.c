/* Q2_K to Q6_K: blocks of 256 elements with binary16 scales d (and dmin), and a small integer scale (and minimum) for
 * each sub-block of 16 or 32 elements. */
#include "formats/dequantize_k.h"
#include "formats/dequantize_bytes.h"
#include "formats/weight_types.h"

enum { BLOCK = MCV_K_BLOCK };

/* 16 bytes: scale (lower half) and minimum of 16 sub-blocks; 64 bytes: 2 bits an element, where byte 32 h + j holds
 * elements 128 h + j + (0, 32, 64, 96); d, dmin. d * scale * q - dmin * minimum. */
void mcv_dequantize_q2_k(const uint8_t *blocks, size_t count, float *out) {
    for (; count > 0; count--, blocks += 84, out += BLOCK) {
        const uint8_t *scales = blocks, *qs = blocks + 16;
        float d = mcv_load_f16(blocks + 80), dmin = mcv_load_f16(blocks + 82);
        for (int i = 0; i < BLOCK; i++) {
            int q = qs[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
            float scale = d * (float)(scales[i / 16] & 15), minimum = dmin * (float)(scales[i / 16] >> 4);
            out[i] = scale * (float)q - minimum;
        }
    }
}

int mcv_q3_k_scale(const uint8_t *scales, int j) {
    int low = j < 8 ? scales[j] & 15 : scales[j - 8] >> 4, high = scales[8 + j % 4] >> (j / 4 * 2) & 3;
    return (low | high << 4) - 32;
}

/* 32 bytes: the third bit, of element i in bit i / 32 of byte i % 32; 64 bytes: the lower two bits, as in Q2_K; 12
 * bytes: 16 scales of 6 bits; d. d * scale * (q - 4). */
void mcv_dequantize_q3_k(const uint8_t *blocks, size_t count, float *out) {
    for (; count > 0; count--, blocks += 110, out += BLOCK) {
        const uint8_t *high = blocks, *qs = blocks + 32, *scales = blocks + 96;
        float d = mcv_load_f16(blocks + 108);
        for (int i = 0; i < BLOCK; i++) {
            int q = qs[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
            int third = high[i % 32] >> (i / 32) & 1;
            out[i] = d * (float)mcv_q3_k_scale(scales, i / 16) * (float)(q - (third ? 0 : 4));
        }
    }
}

void mcv_k_scale_and_minimum(const uint8_t *scales, int j, int *scale, int *minimum) {
    if (j < 4) {
        *scale = scales[j] & 63;
        *minimum = scales[j + 4] & 63;
    } else {
        *scale = (scales[j + 4] & 15) | (scales[j - 4] >> 6) << 4;
        *minimum = scales[j + 4] >> 4 | (scales[j] >> 6) << 4;
    }
}

/* d, dmin, 12 bytes: scales and minima of 8 sub-blocks, 6 bits each; 128 bytes: byte 32 h + j holds elements
 * 64 h + j and 64 h + j + 32. d * scale * q - dmin * minimum. */
void mcv_dequantize_q4_k(const uint8_t *blocks, size_t count, float *out) {
    for (; count > 0; count--, blocks += 144, out += BLOCK) {
        const uint8_t *scales = blocks + 4, *qs = blocks + 16;
        float d = mcv_load_f16(blocks), dmin = mcv_load_f16(blocks + 2);
        for (int j = 0; j < BLOCK / 32; j++) {
            int scale, minimum;
            mcv_k_scale_and_minimum(scales, j, &scale, &minimum);
            float step = d * (float)scale, offset = dmin * (float)minimum;
            for (int i = 0; i < 32; i++)
                out[32 * j + i] = step * (float)(qs[j / 2 * 32 + i] >> (j % 2 * 4) & 15) - offset;
        }
    }
}

/* d, dmin, scales and minima as in Q4_K; 32 bytes: the fifth bit, of element i in bit i / 32 of byte i % 32; 128 bytes:
 * the lower four, as in Q4_K. */
void mcv_dequantize_q5_k(const uint8_t *blocks, size_t count, float *out) {
    for (; count > 0; count--, blocks += 176, out += BLOCK) {
        const uint8_t *scales = blocks + 4, *high = blocks + 16, *qs = blocks + 48;
        float d = mcv_load_f16(blocks), dmin = mcv_load_f16(blocks + 2);
        for (int j = 0; j < BLOCK / 32; j++) {
            int scale, minimum;
            mcv_k_scale_and_minimum(scales, j, &scale, &minimum);
            float step = d * (float)scale, offset = dmin * (float)minimum;
            for (int i = 0; i < 32; i++) {
                int q = (qs[j / 2 * 32 + i] >> (j % 2 * 4) & 15) | (high[i] >> j & 1) << 4;
                out[32 * j + i] = step * (float)q - offset;
            }
        }
    }
}

/* 128 bytes: the lower four bits, byte 64 h + j holding elements 128 h + j and 128 h + j + 64; 64 bytes: the upper two,
 * as Q2_K's; 16 signed scales of sub-blocks of 16; d. d * scale * (q - 32). */
void mcv_dequantize_q6_k(const uint8_t *blocks, size_t count, float *out) {
    for (; count > 0; count--, blocks += 210, out += BLOCK) {
        const uint8_t *low = blocks, *high = blocks + 128, *scales = blocks + 192;
        float d = mcv_load_f16(blocks + 208);
        for (int i = 0; i < BLOCK; i++) {
            int half = i / 128, rest = i % 128;
            int q = (low[64 * half + rest % 64] >> (rest / 64 * 4) & 15) |
                    (high[32 * half + rest % 32] >> (rest / 32 * 2) & 3) << 4;
            out[i] = d * (float)(int8_t)scales[i / 16] * (float)(q - 32);
        }
    }
}
