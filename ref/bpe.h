/* Byte-pair encoding over an alphabet of bytes: the vocabulary, the merges, and how a word becomes tokens. HF:
 * tokenizers, models/bpe (model.rs, word.rs). */
#ifndef MCV_REF_BPE_H
#define MCV_REF_BPE_H

#include "core/buffer.h"
#include "ref/token_ids.h"

/* Ids from here on are taken for damage. */
enum { BPE_ID_LIMIT = 1 << 24 };

/* A token as the files spell it ("Ġthe"), in `contents`, followed by a 0 byte. */
typedef struct BPEToken {
    size_t offset, size;
    bool exists; /* ids may have gaps */
    bool merged; /* some merge gives it */
} BPEToken;

/* Two neighbours that become one token; the lowest rank goes first. */
typedef struct BPEMerge {
    int32_t left, right, result, rank;
} BPEMerge;

typedef struct BPE {
    mcv_buffer contents;
    BPEToken *tokens; /* [num_ids] */
    size_t num_ids, tokens_capacity;
    size_t num_tokens; /* those that exist */

    int32_t *slots; /* [num_slots], a hash table of ids by content; -1: empty */
    size_t num_slots;
    BPEMerge *merges; /* [num_merge_slots], a hash table by left and right; rank -1: empty */
    size_t num_merges, num_merge_slots;

    int32_t byte_ids[256];
    bool ignore_merges; /* a word that is a token becomes that token, whatever the merges make of it */
} BPE;

/* MCV_BAD_INPUT: an id out of bounds, an id or a content that is there already. */
mcv_status BPE_add_token(BPE *bpe, int64_t id, const char *content, size_t size);
/* Adds the merge of the next rank. MCV_BAD_INPUT: unknown tokens, a merge that is there already. */
mcv_status BPE_add_merge(BPE *bpe, const char *left, size_t left_size, const char *right, size_t right_size);
/* To be called when all tokens are in. MCV_BAD_INPUT: a byte that has no token. */
mcv_status BPE_find_byte_ids(BPE *bpe);
void BPE_free(BPE *bpe);

/* -1 where there is none. */
int32_t BPE_token_to_id(const BPE *bpe, const char *content, size_t size);
/* NULL where there is none. */
const char *BPE_id_to_token(const BPE *bpe, int64_t id);

/* Memory for BPE_tokenize, used again from word to word. */
typedef struct BPEWord {
    struct BPESymbol *symbols;
    struct BPEQueued *queue;
    size_t num_symbols, symbols_capacity;
    size_t num_queued, queue_capacity;
    mcv_buffer spelled;
} BPEWord;

/* Appends the ids of one word, a piece that the split pattern found. Takes n log n steps for n bytes. */
mcv_status BPE_tokenize(const BPE *bpe, BPEWord *word, const char *bytes, size_t size, TokenIds *ids);
void BPEWord_free(BPEWord *word);

#endif
