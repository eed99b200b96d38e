/* F32, F16, BF16: one element a block. */
#include "formats/load_bytes.h"
#include "formats/weight_types.h"

void mcv_dequantize_f32(const uint8_t *blocks, size_t count, float *out) {
    memcpy(out, blocks, count * sizeof *out);
}

void mcv_dequantize_f16(const uint8_t *blocks, size_t count, float *out) {
    for (size_t i = 0; i < count; i++)
        out[i] = mcv_f32_from_f16(mcv_load_u16(blocks + 2 * i));
}

void mcv_dequantize_bf16(const uint8_t *blocks, size_t count, float *out) {
    for (size_t i = 0; i < count; i++)
        out[i] = mcv_f32_from_bf16(mcv_load_u16(blocks + 2 * i));
}
