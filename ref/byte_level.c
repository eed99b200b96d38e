#include "ref/byte_level.h"

#include "ref/utf8.h"

/* The printable characters of Latin-1 spell themselves. */
static bool spells_itself(uint32_t value) {
    return (value >= '!' && value <= '~') || (value >= 0xA1 && value <= 0xFF && value != 0xAD);
}

/* The other bytes, 0 to 32, 127 to 160 and 173, are counted from U+0100 on. */
uint32_t ByteLevel_character(unsigned char byte) {
    if (spells_itself(byte))
        return byte;
    return 0x100u + (byte <= ' ' ? byte : byte <= 0xA0 ? byte - 127u + 33u : 67u);
}

/* -1 where the character spells no byte. */
static int spelled_byte(uint32_t character) {
    if (spells_itself(character))
        return (int)character;
    uint32_t number = character - 0x100;
    if (number > 67)
        return -1;
    return (int)(number < 33 ? number : number < 67 ? number - 33 + 127 : 0xAD);
}

mcv_status ByteLevel_encode(const char *bytes, size_t size, mcv_buffer *spelled) {
    for (size_t i = 0; i < size; i++) {
        char character[4];
        size_t length = utf8_put(ByteLevel_character((unsigned char)bytes[i]), character);
        MCV_TRY(mcv_buffer_append(spelled, character, length));
    }
    return MCV_OK;
}

mcv_status ByteLevel_decode(const char *token, size_t size, mcv_buffer *bytes) {
    size_t before = bytes->size;
    for (size_t at = 0; at < size;) {
        Utf8Character character = utf8_next(token + at, size - at);
        int value = character.kind == UTF8_VALID ? spelled_byte(character.code_point) : -1;
        if (value < 0) {
            bytes->size = before;
            return mcv_buffer_append(bytes, token, size);
        }
        char byte = (char)value;
        MCV_TRY(mcv_buffer_append(bytes, &byte, 1));
        at += character.size;
    }
    return MCV_OK;
}
