/* The split pattern of Qwen2, by hand:
 *
 *     (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *
 * HF: PRETOKENIZE_REGEX of tokenization_qwen2.py; tokenizers, pre_tokenizers/split.rs over Oniguruma. */
#ifndef MCV_REF_QWEN2_SPLIT_H
#define MCV_REF_QWEN2_SPLIT_H

#include <stddef.h>

extern const char QWEN2_SPLIT_PATTERN[];

/* Where the word that starts at `start` < `size` ends. The text is valid UTF-8; every character is in some word. */
size_t qwen2_split(const char *text, size_t size, size_t start);

#endif
