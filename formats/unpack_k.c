/* Q2_K to Q6_K: blocks of 256 elements with binary16 scales d (and dmin), and a small integer scale (and minimum) for
 * each group of 16 or 32 elements. */
#include "formats/load_bytes.h"
#include "formats/unpack_blocks.h"

/* 64 bytes: byte 32 h + j holds two bits of the elements 128 h + j + (0, 32, 64, 96), the lowest first. */
static void take_two_bits(const uint8_t *qs, uint8_t *code) {
    for (int i = 0; i < 256; i += 32)
        for (int j = 0; j < 32; j++)
            code[i + j] = qs[i / 128 * 32 + j] >> (i % 128 / 32 * 2) & 3;
}

/* 128 bytes: byte 32 h + j holds the elements 64 h + j and 64 h + j + 32. */
static void take_four_bits(const uint8_t *qs, uint8_t *code) {
    for (int i = 0; i < 256; i += 64)
        for (int j = 0; j < 32; j++) {
            code[i + j] = qs[i / 2 + j] & 15;
            code[i + 32 + j] = qs[i / 2 + j] >> 4;
        }
}

/* 32 bytes: one bit more, of element i in bit i / 32 of byte i % 32, which becomes bit `place`. */
static void add_one_bit(const uint8_t *high, int place, uint8_t *code) {
    for (int i = 0; i < 256; i += 32)
        for (int j = 0; j < 32; j++)
            code[i + j] |= (uint8_t)((high[j] >> (i / 32) & 1) << place);
}

/* 16 bytes: scale (lower half) and minimum of 16 groups; 64 bytes: two bits an element; d, dmin. */
void mcv_unpack_q2_k(const uint8_t *block, mcv_block *out) {
    out->d = mcv_load_u16(block + 80);
    out->dmin = mcv_load_u16(block + 82);
    for (int j = 0; j < 16; j++) {
        out->scale[j] = (int8_t)(block[j] & 15);
        out->minimum[j] = block[j] >> 4;
    }
    take_two_bits(block + 16, out->code);
}

/* 32 bytes: the third bit; 64 bytes: the lower two; 12 bytes: 16 scales of six bits, from which 32 is taken; d. */
void mcv_unpack_q3_k(const uint8_t *block, mcv_block *out) {
    const uint8_t *scales = block + 96;
    out->d = mcv_load_u16(block + 108);
    out->dmin = 0;
    for (int j = 0; j < 16; j++) {
        int low = j < 8 ? scales[j] & 15 : scales[j - 8] >> 4, high = scales[8 + j % 4] >> (j / 4 * 2) & 3;
        out->scale[j] = (int8_t)((low | high << 4) - 32);
        out->minimum[j] = 0;
    }
    take_two_bits(block + 32, out->code);
    add_one_bit(block, 2, out->code);
}

/* What Q4_K and Q5_K begin with: d, dmin, 12 bytes: scales and minima of 8 groups, six bits each. */
static void take_scales_and_minima(const uint8_t *block, mcv_block *out) {
    const uint8_t *scales = block + 4;
    out->d = mcv_load_u16(block);
    out->dmin = mcv_load_u16(block + 2);
    for (int j = 0; j < 4; j++) {
        out->scale[j] = (int8_t)(scales[j] & 63);
        out->minimum[j] = scales[j + 4] & 63;
        out->scale[j + 4] = (int8_t)((scales[j + 8] & 15) | scales[j] >> 6 << 4);
        out->minimum[j + 4] = (uint8_t)(scales[j + 8] >> 4 | scales[j + 4] >> 6 << 4);
    }
}

/* 128 bytes: four bits an element. */
void mcv_unpack_q4_k(const uint8_t *block, mcv_block *out) {
    take_scales_and_minima(block, out);
    take_four_bits(block + 16, out->code);
}

/* 32 bytes: the fifth bit; 128 bytes: the lower four. */
void mcv_unpack_q5_k(const uint8_t *block, mcv_block *out) {
    take_scales_and_minima(block, out);
    take_four_bits(block + 48, out->code);
    add_one_bit(block + 16, 4, out->code);
}

/* 128 bytes: the lower four bits, byte 64 h + j holding the elements 128 h + j and 128 h + j + 64; 64 bytes: the upper
 * two; 16 signed scales; d. */
void mcv_unpack_q6_k(const uint8_t *block, mcv_block *out) {
    out->d = mcv_load_u16(block + 208);
    out->dmin = 0;
    memcpy(out->scale, block + 192, 16);
    memset(out->minimum, 0, 16);
    take_two_bits(block + 128, out->code);
    for (int i = 0; i < 256; i += 64)
        for (int j = 0; j < 64; j++)
            out->code[i + j] = (uint8_t)(out->code[i + j] << 4 | (block[i / 128 * 64 + j] >> (i % 128 / 64 * 4) & 15));
}
