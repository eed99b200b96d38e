/* IQ4_NL and IQ4_XS: four bits an element, indices into 16 levels that lie closer together near zero. */
#include "formats/dequantize_iq4.h"
#include "formats/dequantize_bytes.h"
#include "formats/weight_types.h"

const int8_t mcv_iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

int mcv_iq4_index(int level) {
    int i = 0;
    while (i < 15 && mcv_iq4_levels[i] != level)
        i++;
    return i;
}

static void dequantize_32(const uint8_t *qs, float d, float *out) {
    for (int i = 0; i < 16; i++) {
        out[i] = d * (float)mcv_iq4_levels[qs[i] & 15];
        out[i + 16] = d * (float)mcv_iq4_levels[qs[i] >> 4];
    }
}

/* d, 16 bytes as in Q4_0. */
void mcv_dequantize_iq4_nl(const uint8_t *blocks, size_t count, float *out) {
    for (; count > 0; count--, blocks += 18, out += 32)
        dequantize_32(blocks + 2, mcv_load_f16(blocks), out);
}

int mcv_iq4_xs_scale(const uint8_t *block, int j) {
    int low = block[4 + j / 2] >> (j % 2 * 4) & 15, high = mcv_load_u16(block + 2) >> (2 * j) & 3;
    return (low | high << 4) - 32;
}

/* d, 16 bits: the upper two of 8 scales, 4 bytes: the lower four; then 16 bytes for each sub-block of 32. */
void mcv_dequantize_iq4_xs(const uint8_t *blocks, size_t count, float *out) {
    for (; count > 0; count--, blocks += 136, out += 256) {
        float d = mcv_load_f16(blocks);
        for (int j = 0; j < 8; j++)
            dequantize_32(blocks + 8 + 16 * j, d * (float)mcv_iq4_xs_scale(blocks, j), out + 32 * j);
    }
}
