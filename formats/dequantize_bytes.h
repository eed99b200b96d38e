/* Numbers at any address, as blocks of quantized weights hold them. */
#ifndef MCV_FORMATS_DEQUANTIZE_BYTES_H
#define MCV_FORMATS_DEQUANTIZE_BYTES_H

#include "core/tensor.h"

static inline uint16_t mcv_load_u16(const uint8_t *bytes) {
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint32_t mcv_load_u32(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline float mcv_load_f16(const uint8_t *bytes) {
    return mcv_f32_from_f16(mcv_load_u16(bytes));
}

#endif
