#include "ref/tokenization_qwen2.h"

#include <string.h>

#include "ref/qwen2_split.h"
#include "ref/tokenization_qwen2_internal.h"
#include "ref/unicode.h"
#include "ref/utf8.h"

void Qwen2Tokenizer_free(Qwen2Tokenizer *tokenizer) {
    if (!tokenizer)
        return;
    BPE_free(&tokenizer->model);
    AddedVocabulary_free(&tokenizer->added);
    free(tokenizer->decoded);
    mcv_buffer_free(&tokenizer->decoded_bytes);
    free(tokenizer);
}

/* ---- Text to ids --------------------------------------------------------------------------------------------- */

/* The text in its stages, and memory for them. */
typedef struct Encoder {
    const Qwen2Tokenizer *tokenizer;
    Splits splits;            /* of the text */
    mcv_buffer normalized;    /* one of those, in NFC */
    Splits normalized_splits; /* of that */
    BPEWord word;
    TokenIds *ids;
} Encoder;

static mcv_status encode_words(Encoder *encoder, const char *text, size_t size) {
    for (size_t start = 0, end; start < size; start = end) {
        end = qwen2_split(text, size, start);
        MCV_TRY(BPE_tokenize(&encoder->tokenizer->model, &encoder->word, text + start, end - start, encoder->ids));
    }
    return MCV_OK;
}

/* Text between two tokens that are found before normalization. */
static mcv_status encode_normalized(Encoder *encoder, const char *text, size_t size) {
    const AddedVocabulary *added = &encoder->tokenizer->added;
    mcv_buffer *normalized = &encoder->normalized;
    Splits *splits = &encoder->normalized_splits;
    normalized->size = 0;
    MCV_TRY(unicode_nfc(text, size, normalized));
    MCV_TRY(
        AddedVocabulary_find_matches(added, &added->split_normalized_trie, normalized->data, normalized->size, splits));
    for (size_t i = 0; i < splits->count; i++) {
        Split split = splits->data[i];
        if (split.id >= 0)
            MCV_TRY(TokenIds_append(encoder->ids, split.id));
        else
            MCV_TRY(encode_words(encoder, normalized->data + split.start, split.end - split.start));
    }
    return MCV_OK;
}

/* HF: AddedVocabulary::extract_and_normalize, then the pre-tokenizer and the model. */
static mcv_status encode(Encoder *encoder, const char *text, size_t size) {
    const AddedVocabulary *added = &encoder->tokenizer->added;
    MCV_TRY(AddedVocabulary_find_matches(added, &added->split_trie, text, size, &encoder->splits));
    for (size_t i = 0; i < encoder->splits.count; i++) {
        Split split = encoder->splits.data[i];
        if (split.id >= 0)
            MCV_TRY(TokenIds_append(encoder->ids, split.id));
        else
            MCV_TRY(encode_normalized(encoder, text + split.start, split.end - split.start));
    }
    return MCV_OK;
}

mcv_status Qwen2Tokenizer_encode(const Qwen2Tokenizer *tokenizer, const char *text, size_t size, TokenIds *ids) {
    size_t offset;
    if (!utf8_valid(text, size, &offset))
        return MCV_FAIL(MCV_BAD_INPUT, "text: byte %zu: expected UTF-8, found byte 0x%02X", offset,
                        (unsigned)(unsigned char)text[offset]);
    Encoder encoder = {.tokenizer = tokenizer, .ids = ids};
    mcv_status status = encode(&encoder, text, size);
    free(encoder.splits.data);
    free(encoder.normalized_splits.data);
    mcv_buffer_free(&encoder.normalized);
    BPEWord_free(&encoder.word);
    return status;
}

/* ---- Ids to text --------------------------------------------------------------------------------------------- */

static bool has_id(const Qwen2Tokenizer *tokenizer, int32_t id) {
    return id >= 0 && (size_t)id < tokenizer->num_ids;
}

static const AddedToken *added_token(const Qwen2Tokenizer *tokenizer, int32_t id) {
    int32_t added = has_id(tokenizer, id) ? tokenizer->decoded[id].added : -1;
    return added >= 0 ? &tokenizer->added.tokens[added] : NULL;
}

static mcv_status append_bytes(const Qwen2Tokenizer *tokenizer, int32_t id, bool skip_special_tokens,
                               mcv_buffer *bytes) {
    const AddedToken *added = added_token(tokenizer, id);
    if (!has_id(tokenizer, id) || (skip_special_tokens && added && added->special))
        return MCV_OK;
    const DecodedToken *token = &tokenizer->decoded[id];
    return mcv_buffer_append(bytes, tokenizer->decoded_bytes.data + token->offset, token->size);
}

/* Appends bytes with U+FFFD for what is not valid, and stops before a character that is cut off. Returns through
 * *taken how many bytes were used. */
static mcv_status append_lossy(const char *bytes, size_t size, size_t *taken, mcv_buffer *text) {
    size_t at = 0, valid_from = 0;
    while (at < size) {
        Utf8Character character = utf8_next(bytes + at, size - at);
        if (character.kind == UTF8_CUT)
            break;
        if (character.kind == UTF8_INVALID) {
            MCV_TRY(mcv_buffer_append(text, bytes + valid_from, at - valid_from));
            MCV_TRY(mcv_buffer_append_string(text, UTF8_REPLACEMENT));
            valid_from = at + character.size;
        }
        at += character.size;
    }
    *taken = at;
    return mcv_buffer_append(text, bytes + valid_from, at - valid_from);
}

mcv_status TextStreamer_put(TextStreamer *streamer, int32_t id, mcv_buffer *text) {
    mcv_buffer *pending = &streamer->pending;
    MCV_TRY(append_bytes(streamer->tokenizer, id, streamer->skip_special_tokens, pending));
    if (pending->size == 0)
        return MCV_OK;
    size_t taken;
    MCV_TRY(append_lossy(pending->data, pending->size, &taken, text));
    memmove(pending->data, pending->data + taken, pending->size - taken);
    pending->size -= taken;
    return MCV_OK;
}

/* What is left is one character that was cut off. */
mcv_status TextStreamer_end(TextStreamer *streamer, mcv_buffer *text) {
    mcv_status status = streamer->pending.size ? mcv_buffer_append_string(text, UTF8_REPLACEMENT) : MCV_OK;
    mcv_buffer_free(&streamer->pending);
    return status;
}

mcv_status Qwen2Tokenizer_decode(const Qwen2Tokenizer *tokenizer, const int32_t *ids, size_t count,
                                 bool skip_special_tokens, mcv_buffer *text) {
    TextStreamer streamer = {.tokenizer = tokenizer, .skip_special_tokens = skip_special_tokens};
    mcv_status status = MCV_OK;
    for (size_t i = 0; i < count && status == MCV_OK; i++)
        status = TextStreamer_put(&streamer, ids[i], text);
    mcv_status ended = TextStreamer_end(&streamer, text);
    return status == MCV_OK ? ended : status;
}

/* ---- Vocabulary ---------------------------------------------------------------------------------------------- */

int32_t Qwen2Tokenizer_token_to_id(const Qwen2Tokenizer *tokenizer, const char *token) {
    const AddedToken *added = AddedVocabulary_find(&tokenizer->added, token, strlen(token));
    return added ? added->id : BPE_token_to_id(&tokenizer->model, token, strlen(token));
}

const char *Qwen2Tokenizer_id_to_token(const Qwen2Tokenizer *tokenizer, int32_t id) {
    const AddedToken *added = added_token(tokenizer, id);
    return added ? added->content : BPE_id_to_token(&tokenizer->model, id);
}

int32_t Qwen2Tokenizer_size(const Qwen2Tokenizer *tokenizer) {
    return (int32_t)tokenizer->num_ids;
}

int32_t Qwen2Tokenizer_bos_id(const Qwen2Tokenizer *tokenizer) {
    return tokenizer->bos_id;
}

int32_t Qwen2Tokenizer_eos_id(const Qwen2Tokenizer *tokenizer) {
    return tokenizer->eos_id;
}

int32_t Qwen2Tokenizer_unk_id(const Qwen2Tokenizer *tokenizer) {
    return tokenizer->unk_id;
}

static bool is_byte(const BPE *model, int32_t id) {
    for (int byte = 0; byte < 256; byte++)
        if (model->byte_ids[byte] == id)
            return true;
    return false;
}

size_t Qwen2Tokenizer_unmerged(const Qwen2Tokenizer *tokenizer, int32_t *first) {
    const BPE *model = &tokenizer->model;
    size_t count = 0;
    for (size_t id = 0; model->num_merges > 0 && id < model->num_ids; id++) {
        const BPEToken *token = &model->tokens[id];
        if (!token->exists || token->merged || is_byte(model, (int32_t)id) ||
            AddedVocabulary_find(&tokenizer->added, BPE_id_to_token(model, (int64_t)id), token->size))
            continue;
        if (count++ == 0)
            *first = (int32_t)id;
    }
    return count;
}
