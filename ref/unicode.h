/* Properties and normalization of characters, as the `tokenizers` package knows them (unicode_tables.h). */
#ifndef MCV_REF_UNICODE_H
#define MCV_REF_UNICODE_H

#include "core/buffer.h"

bool unicode_is_letter(uint32_t code_point); /* \p{L} */
bool unicode_is_number(uint32_t code_point); /* \p{N} */
bool unicode_is_space(uint32_t code_point);  /* \s */
bool unicode_is_word(uint32_t code_point);   /* \w */

/* Appends the text's normalization form C. The text is valid UTF-8. HF: tokenizers, normalizers.NFC. Unicode Standard
 * Annex #15. */
mcv_status unicode_nfc(const char *text, size_t size, mcv_buffer *normalized);

#endif
