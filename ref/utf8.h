/* UTF-8: one character at a time, strictly (no surrogates, no overlong forms, nothing above U+10FFFF). */
#ifndef MCV_REF_UTF8_H
#define MCV_REF_UTF8_H

#include "core/buffer.h"

/* U+FFFD, which stands for what is not valid. */
#define UTF8_REPLACEMENT "\xEF\xBF\xBD"

typedef enum Utf8Kind {
    UTF8_VALID,
    UTF8_INVALID, /* bytes that no continuation makes valid */
    UTF8_CUT,     /* the beginning of a character, cut off by the end of the text */
} Utf8Kind;

typedef struct Utf8Character {
    Utf8Kind kind;
    uint32_t code_point; /* where valid */
    size_t size;         /* in bytes, at least 1; where not valid, the bytes that one U+FFFD stands for */
} Utf8Character;

/* The character at the start of `size` > 0 bytes. What is not valid is measured as Rust's String::from_utf8_lossy and
 * the Unicode Standard ("maximal subpart", section 3.9) do it. */
Utf8Character utf8_next(const char *text, size_t size);

/* Writes a code point and returns how many bytes it took. */
size_t utf8_put(uint32_t code_point, char bytes[4]);

/* Whether all of the text is valid; if not, *offset is where the first bad byte sequence starts. */
bool utf8_valid(const char *text, size_t size, size_t *offset);

#endif
