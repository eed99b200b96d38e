/* Unicode as the `tokenizers` package knows it. The tables are made by make_unicode_tables.py, which asks the package;
 * each is sorted for binary search. */
#ifndef MCV_REF_UNICODE_TABLES_H
#define MCV_REF_UNICODE_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code points first..last. */
typedef struct UnicodeRange {
    uint32_t first, last;
} UnicodeRange;

bool unicode_in_ranges(const UnicodeRange *ranges, size_t count, uint32_t code_point);

extern const UnicodeRange unicode_letters[]; /* \p{L} of its regex engine (Oniguruma) */
extern const size_t unicode_letters_count;
extern const UnicodeRange unicode_numbers[]; /* \p{N} */
extern const size_t unicode_numbers_count;
extern const UnicodeRange unicode_spaces[]; /* \s */
extern const size_t unicode_spaces_count;
extern const UnicodeRange unicode_words[]; /* \w, as added tokens with single_word see it */
extern const size_t unicode_words_count;
extern const UnicodeRange unicode_nfc_changing[]; /* a text without any of these is its own NFC */
extern const size_t unicode_nfc_changing_count;

typedef struct UnicodeClassRange {
    uint32_t first, last;
    uint8_t combining_class; /* canonical combining class, never 0 */
} UnicodeClassRange;

extern const UnicodeClassRange unicode_combining[];
extern const size_t unicode_combining_count;

/* Hangul syllables, which are arithmetic, are in neither table. */
typedef struct UnicodePair {
    uint32_t first, second, composed; /* second is 0 where `composed` decomposes to `first` alone */
} UnicodePair;

extern const UnicodePair unicode_decompositions[]; /* sorted by `composed`; `first` may decompose further */
extern const size_t unicode_decompositions_count;
extern const UnicodePair unicode_compositions[]; /* sorted by `first`, then `second` */
extern const size_t unicode_compositions_count;

#endif
