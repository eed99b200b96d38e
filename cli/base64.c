#include "cli/base64.h"

#include <stdint.h>

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

mcv_status mcv_base64_encode(const void *bytes, size_t size, mcv_buffer *text) {
    const uint8_t *from = bytes;
    for (size_t i = 0; i < size; i += 3) {
        size_t count = size - i < 3 ? size - i : 3;
        uint32_t group = (uint32_t)from[i] << 16;
        group |= count > 1 ? (uint32_t)from[i + 1] << 8 : 0;
        group |= count > 2 ? (uint32_t)from[i + 2] : 0;
        char digits[4] = {'=', '=', '=', '='};
        for (size_t d = 0; d <= count; d++)
            digits[d] = DIGITS[group >> (18 - 6 * d) & 63];
        MCV_TRY(mcv_buffer_append(text, digits, sizeof digits));
    }
    return MCV_OK;
}
