#include "ref/utf8.h"

/* What the first byte says: how many bytes follow, and between which bounds the second one lies (the Unicode Standard,
 * table 3-7). */
typedef struct Lead {
    unsigned following, low, high;
} Lead;

static bool read_lead(unsigned byte, Lead *lead) {
    if (byte >= 0xC2 && byte <= 0xDF)
        *lead = (Lead){1, 0x80, 0xBF};
    else if (byte >= 0xE0 && byte <= 0xEF)
        *lead = (Lead){2, byte == 0xE0 ? 0xA0 : 0x80, byte == 0xED ? 0x9F : 0xBF};
    else if (byte >= 0xF0 && byte <= 0xF4)
        *lead = (Lead){3, byte == 0xF0 ? 0x90 : 0x80, byte == 0xF4 ? 0x8F : 0xBF};
    else
        return false;
    return true;
}

Utf8Character utf8_next(const char *text, size_t size) {
    const unsigned char *bytes = (const unsigned char *)text;
    if (bytes[0] < 0x80)
        return (Utf8Character){UTF8_VALID, bytes[0], 1};
    Lead lead;
    if (!read_lead(bytes[0], &lead))
        return (Utf8Character){UTF8_INVALID, 0, 1};
    uint32_t code_point = bytes[0] & (0x3Fu >> lead.following);
    for (size_t i = 1; i <= lead.following; i++) {
        if (i == size)
            return (Utf8Character){UTF8_CUT, 0, i};
        if (bytes[i] < (i == 1 ? lead.low : 0x80) || bytes[i] > (i == 1 ? lead.high : 0xBF))
            return (Utf8Character){UTF8_INVALID, 0, i};
        code_point = code_point << 6 | (bytes[i] & 0x3Fu);
    }
    return (Utf8Character){UTF8_VALID, code_point, lead.following + 1};
}

size_t utf8_put(uint32_t code_point, char bytes[4]) {
    if (code_point < 0x80) {
        bytes[0] = (char)code_point;
        return 1;
    }
    size_t following = code_point < 0x800 ? 1 : code_point < 0x10000 ? 2 : 3;
    for (size_t i = following; i > 0; i--, code_point >>= 6)
        bytes[i] = (char)(0x80 | (code_point & 0x3F));
    bytes[0] = (char)(0xFF00u >> (following + 1) | code_point);
    return following + 1;
}

bool utf8_valid(const char *text, size_t size, size_t *offset) {
    for (size_t at = 0; at < size;) {
        Utf8Character character = utf8_next(text + at, size - at);
        if (character.kind != UTF8_VALID) {
            *offset = at;
            return false;
        }
        at += character.size;
    }
    return true;
}
