/* The tokenizer: NFC, the Qwen split pattern, byte-level BPE. HF: Qwen2TokenizerFast (tokenizers), and the properties
 * of tokenization_minicpmv_fast.py. */
#ifndef MCV_REF_TOKENIZATION_QWEN2_H
#define MCV_REF_TOKENIZATION_QWEN2_H

#include "core/buffer.h"
#include "formats/gguf_writer.h"
#include "ref/token_ids.h"

typedef struct Qwen2Tokenizer Qwen2Tokenizer;

/* Reads folder/tokenizer.json, or vocab.json and merges.txt where there is none; then tokenizer_config.json, and where
 * that has no added_tokens_decoder, special_tokens_map.json and added_tokens.json. HF:
 * Qwen2TokenizerFast.from_pretrained. MCV_BAD_INPUT: files that are missing, damaged or contradict each other.
 * MCV_UNSUPPORTED: a tokenizer.json of another pipeline than Qwen2's, clean_up_tokenization_spaces. */
mcv_status Qwen2Tokenizer_from_pretrained(Qwen2Tokenizer **tokenizer, const char *folder);
/* The same from the metadata of a GGUF file. MCV_BAD_INPUT: keys that are missing, damaged or contradict each other.
 * MCV_UNSUPPORTED: another kind of tokenizer. */
mcv_status Qwen2Tokenizer_from_gguf(Qwen2Tokenizer **tokenizer, const mcv_gguf *file);
void Qwen2Tokenizer_free(Qwen2Tokenizer *tokenizer);

/* Adds the tokenizer to the metadata of a GGUF file, whose model has vocab_size rows of embeddings. */
mcv_status Qwen2Tokenizer_to_gguf(const Qwen2Tokenizer *tokenizer, int vocab_size, mcv_gguf_writer *writer);

/* Appends the ids of `size` bytes of text. HF: tokenizer.encode(text). Text that is no valid UTF-8: MCV_BAD_INPUT with
 * the byte offset. */
mcv_status Qwen2Tokenizer_encode(const Qwen2Tokenizer *tokenizer, const char *text, size_t size, TokenIds *ids);

/* Appends the text of `count` ids; bytes that form no UTF-8 become U+FFFD as HF does it. An id that the vocabulary does
 * not hold adds nothing, as in HF. HF: tokenizer.decode(ids, skip_special_tokens=...). */
mcv_status Qwen2Tokenizer_decode(const Qwen2Tokenizer *tokenizer, const int32_t *ids, size_t count,
                                 bool skip_special_tokens, mcv_buffer *text);

/* The id of a token by its exact content ("<image>"), -1 where there is none. HF: convert_tokens_to_ids. */
int32_t Qwen2Tokenizer_token_to_id(const Qwen2Tokenizer *tokenizer, const char *token);

/* The content of a token in the vocabulary's spelling ("Ġthe"), NULL where there is none. HF: convert_ids_to_tokens. */
const char *Qwen2Tokenizer_id_to_token(const Qwen2Tokenizer *tokenizer, int32_t id);

/* One more than the largest id. HF: len(tokenizer) where ids have no gaps. */
int32_t Qwen2Tokenizer_size(const Qwen2Tokenizer *tokenizer);

/* How many tokens no text becomes: more than a byte, not added, and given by no merge. *first: the lowest of their ids.
 * There are some where a list of merges was cut; a tokenizer without any merges is not held to this (0). */
size_t Qwen2Tokenizer_unmerged(const Qwen2Tokenizer *tokenizer, int32_t *first);

/* bos_token, eos_token, unk_token of tokenizer_config.json; -1 where null. Where the file does not name them HF has
 * defaults: none, "<|endoftext|>" and "<|endoftext|>". */
int32_t Qwen2Tokenizer_bos_id(const Qwen2Tokenizer *tokenizer);
int32_t Qwen2Tokenizer_eos_id(const Qwen2Tokenizer *tokenizer);
int32_t Qwen2Tokenizer_unk_id(const Qwen2Tokenizer *tokenizer);

/* Streaming: takes ids one by one and gives the text that can no longer change, in whole UTF-8 characters. All pieces
 * together equal Qwen2Tokenizer_decode of all ids. */
typedef struct TextStreamer {
    const Qwen2Tokenizer *tokenizer;
    bool skip_special_tokens;
    mcv_buffer pending; /* bytes that are not a whole character yet */
} TextStreamer;

/* Appends to `text` what this id settles. */
mcv_status TextStreamer_put(TextStreamer *streamer, int32_t id, mcv_buffer *text);
/* Appends what is left, invalid bytes as U+FFFD, and releases the streamer's memory. */
mcv_status TextStreamer_end(TextStreamer *streamer, mcv_buffer *text);

#endif
