/* Tokens that are found in the text before it is split into words: "<image>", "<|im_end|>". HF: tokenizers,
 * tokenizer/added_vocabulary.rs. */
#ifndef MCV_REF_ADDED_VOCABULARY_H
#define MCV_REF_ADDED_VOCABULARY_H

#include "core/buffer.h"

typedef struct AddedToken {
    char *content; /* owned */
    size_t size;
    int32_t id;
    bool single_word; /* only where no word character stands next to it */
    bool lstrip;      /* takes the white space on its left along */
    bool rstrip;      /* and on its right */
    bool normalized;  /* is looked for in NFC text, as its own NFC */
    bool special;     /* is left out of decoded text on demand */
} AddedToken;

/* A tree of the bytes of tokens. */
typedef struct TokenTrie {
    struct TrieNode *nodes;
    size_t count, capacity;
} TokenTrie;

typedef struct AddedVocabulary {
    AddedToken *tokens; /* in the order they were added */
    size_t count, capacity;
    TokenTrie split_trie, split_normalized_trie;
    bool encode_special_tokens; /* special tokens are text like any other */
} AddedVocabulary;

/* Takes a copy of the token. One of the same content is replaced, and stays special where it was. */
mcv_status AddedVocabulary_add(AddedVocabulary *vocabulary, const AddedToken *token);
/* To be called when all tokens are in. */
mcv_status AddedVocabulary_build(AddedVocabulary *vocabulary);
void AddedVocabulary_free(AddedVocabulary *vocabulary);

/* NULL where there is none. */
const AddedToken *AddedVocabulary_find(const AddedVocabulary *vocabulary, const char *content, size_t size);

/* A part of the text: an added token, or what lies between two. */
typedef struct Split {
    size_t start, end;
    int32_t id; /* -1: no added token */
} Split;

typedef struct Splits {
    Split *data;
    size_t count, capacity;
} Splits;

/* Cuts valid UTF-8 text at the tokens of one of the two tries: the leftmost first, of those that start at one place the
 * longest. Replaces what `splits` held. */
mcv_status AddedVocabulary_find_matches(const AddedVocabulary *vocabulary, const TokenTrie *trie, const char *text,
                                        size_t size, Splits *splits);

#endif
