/* Q4_0, Q4_1, Q5_0, Q5_1, Q8_0: blocks of 32 elements with a binary16 scale d and, in the _1 types, a minimum m, which
 * is added.
 *
 * Byte j of the 16 bytes `qs` holds the lower four bits of element j in its lower half and those of element j + 16 in
 * its upper half; bit i of the 32 bits `qh` is element i's fifth. */
#include "formats/load_bytes.h"
#include "formats/unpack_blocks.h"

enum { BLOCK = 32, HALF = 16, SIGN = 0x8000 };

static void take_scale(const uint8_t *d, mcv_block *out) {
    out->d = mcv_load_u16(d);
    out->dmin = 0;
    out->scale[0] = 1;
    out->minimum[0] = 0;
}

static void take_scale_and_minimum(const uint8_t *d, const uint8_t *m, mcv_block *out) {
    out->d = mcv_load_u16(d);
    out->dmin = mcv_load_u16(m) ^ SIGN;
    out->scale[0] = 1;
    out->minimum[0] = 1;
}

static void take_nibbles(const uint8_t *qs, uint8_t *code) {
    for (int i = 0; i < HALF; i++) {
        code[i] = qs[i] & 15;
        code[i + HALF] = qs[i] >> 4;
    }
}

static void add_fifth_bits(uint32_t qh, uint8_t *code) {
    for (int i = 0; i < BLOCK; i++)
        code[i] |= (uint8_t)((qh >> i & 1) << 4);
}

/* d, qs. */
void mcv_unpack_q4_0(const uint8_t *block, mcv_block *out) {
    take_scale(block, out);
    take_nibbles(block + 2, out->code);
}

/* d, m, qs. */
void mcv_unpack_q4_1(const uint8_t *block, mcv_block *out) {
    take_scale_and_minimum(block, block + 2, out);
    take_nibbles(block + 4, out->code);
}

/* d, qh, qs. */
void mcv_unpack_q5_0(const uint8_t *block, mcv_block *out) {
    take_scale(block, out);
    take_nibbles(block + 6, out->code);
    add_fifth_bits(mcv_load_u32(block + 2), out->code);
}

/* d, m, qh, qs. */
void mcv_unpack_q5_1(const uint8_t *block, mcv_block *out) {
    take_scale_and_minimum(block, block + 2, out);
    take_nibbles(block + 8, out->code);
    add_fifth_bits(mcv_load_u32(block + 4), out->code);
}

/* d, 32 signed bytes. */
void mcv_unpack_q8_0(const uint8_t *block, mcv_block *out) {
    take_scale(block, out);
    for (int i = 0; i < BLOCK; i++)
        out->code[i] = block[2 + i] ^ 128;
}
