/* Numbers at any address, as blocks of quantized weights hold them. */
#ifndef MCV_FORMATS_LOAD_BYTES_H
#define MCV_FORMATS_LOAD_BYTES_H

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

#endif
