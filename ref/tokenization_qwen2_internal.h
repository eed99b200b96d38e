/* What a tokenizer holds; for tokenization_qwen2.c, which uses it, and tokenization_qwen2_load.c and
 * tokenization_qwen2_gguf.c, which fill it, and tokenization_qwen2_export.c. */
#ifndef MCV_REF_TOKENIZATION_QWEN2_INTERNAL_H
#define MCV_REF_TOKENIZATION_QWEN2_INTERNAL_H

#include "ref/added_vocabulary.h"
#include "ref/bpe.h"
#include "ref/tokenization_qwen2.h"

/* The kinds of tokens in GGUF files. */
enum { TOKEN_NORMAL = 1, TOKEN_UNKNOWN = 2, TOKEN_CONTROL = 3, TOKEN_USER_DEFINED = 4, TOKEN_UNUSED = 5 };

/* What an id adds to decoded text. */
typedef struct DecodedToken {
    size_t offset, size; /* in `decoded_bytes` */
    int32_t added;       /* index in the added vocabulary, -1 where it is in the model's alone */
} DecodedToken;

struct Qwen2Tokenizer {
    BPE model;
    AddedVocabulary added;
    DecodedToken *decoded; /* [num_ids]; nothing is decoded from an id that no token has */
    size_t num_ids;
    mcv_buffer decoded_bytes;
    int32_t bos_id, eos_id, unk_id;
};

/* What each id decodes to, once and for all; to be called when all tokens are in. */
mcv_status Qwen2Tokenizer_decode_vocabulary(Qwen2Tokenizer *tokenizer);

#endif
