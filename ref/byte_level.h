/* The spelling of bytes in the vocabulary: every byte is a printable character, so that "Ġ" (U+0120) stands for a
 * space. HF: tokenizers, pre_tokenizers/byte_level.rs; bytes_to_unicode of tokenization_qwen2.py. */
#ifndef MCV_REF_BYTE_LEVEL_H
#define MCV_REF_BYTE_LEVEL_H

#include "core/buffer.h"

/* The character that spells a byte. */
uint32_t ByteLevel_character(unsigned char byte);

/* Appends the spelling of bytes. */
mcv_status ByteLevel_encode(const char *bytes, size_t size, mcv_buffer *spelled);

/* Appends the bytes that a token spells. A token with a character that spells no byte stands for its own UTF-8. */
mcv_status ByteLevel_decode(const char *token, size_t size, mcv_buffer *bytes);

#endif
