/* IQ4_NL and IQ4_XS: four bits an element, indices into 16 levels that lie closer together near zero. */
#include "formats/load_bytes.h"
#include "formats/unpack_blocks.h"

const int8_t mcv_iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

int mcv_iq4_index(int level) {
    int i = 0;
    while (i < 15 && mcv_iq4_levels[i] != level)
        i++;
    return i;
}

/* 16 bytes as in Q4_0. */
static void take_codes(const uint8_t *qs, uint8_t *code) {
    for (int i = 0; i < 16; i++) {
        code[i] = qs[i] & 15;
        code[i + 16] = qs[i] >> 4;
    }
}

/* d, 16 bytes. */
void mcv_unpack_iq4_nl(const uint8_t *block, mcv_block *out) {
    out->d = mcv_load_u16(block);
    out->dmin = 0;
    out->scale[0] = 1;
    out->minimum[0] = 0;
    take_codes(block + 2, out->code);
}

/* d, 16 bits: the upper two of 8 scales, 4 bytes: the lower four; then 16 bytes for each group of 32. */
void mcv_unpack_iq4_xs(const uint8_t *block, mcv_block *out) {
    out->d = mcv_load_u16(block);
    out->dmin = 0;
    for (int j = 0; j < 8; j++) {
        int low = block[4 + j / 2] >> (j % 2 * 4) & 15, high = mcv_load_u16(block + 2) >> (2 * j) & 3;
        out->scale[j] = (int8_t)((low | high << 4) - 32);
        out->minimum[j] = 0;
        take_codes(block + 8 + 16 * j, out->code + 32 * j);
    }
}
