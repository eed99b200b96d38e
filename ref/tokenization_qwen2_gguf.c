/* From the metadata of a GGUF file to a tokenizer.
 *
 * The file has the same vocabulary and merges as vocab.json and merges.txt, and the added tokens among the others. Of
 * their flags it keeps only whether a token is a control token, which here are the special ones, but for those that
 * look like control tokens and are none in the model's own tokenizer_config.json. None of the model's tokens strips
 * white space or is normalized. */
#include <string.h>

#include "core/arena.h"
#include "ref/tokenization_qwen2_internal.h"

typedef struct Metadata {
    const mcv_gguf *file;
    mcv_gguf_string *tokens; /* [num_tokens] */
    int64_t *kinds;          /* [num_tokens] */
    size_t num_tokens;
    mcv_gguf_string *merges; /* [num_merges], "left right" */
    size_t num_merges;
} Metadata;

static const char TOKENS[] = "tokenizer.ggml.tokens", KINDS[] = "tokenizer.ggml.token_type",
                  MERGES[] = "tokenizer.ggml.merges";

static mcv_status expect(const mcv_gguf *file, const char *key, const char *expected) {
    mcv_gguf_string found = {"", 0};
    MCV_TRY(mcv_gguf_get_string(file, key, &found));
    bool equal = found.size == strlen(expected) && memcmp(found.data, expected, found.size) == 0;
    mcv_status status = mcv_gguf_find_value(file, key) ? MCV_UNSUPPORTED : MCV_BAD_INPUT;
    return equal ? MCV_OK : mcv_gguf_fail(status, file, key, expected);
}

static mcv_status read_metadata(const mcv_gguf *file, mcv_arena *arena, Metadata *metadata) {
    size_t num_kinds;
    metadata->file = file;
    MCV_TRY(expect(file, "tokenizer.ggml.model", "gpt2"));
    MCV_TRY(expect(file, "tokenizer.ggml.pre", "qwen2"));
    MCV_TRY(mcv_gguf_get_strings(file, TOKENS, arena, &metadata->tokens, &metadata->num_tokens));
    MCV_TRY(mcv_gguf_get_ints(file, KINDS, arena, &metadata->kinds, &num_kinds));
    MCV_TRY(mcv_gguf_get_strings(file, MERGES, arena, &metadata->merges, &metadata->num_merges));
    if (metadata->num_tokens == 0)
        return mcv_gguf_fail(MCV_BAD_INPUT, file, TOKENS, "an array of strings");
    if (num_kinds != metadata->num_tokens)
        return mcv_gguf_fail(MCV_BAD_INPUT, file, KINDS, "as many integers as there are tokens");
    return metadata->merges ? MCV_OK : mcv_gguf_fail(MCV_BAD_INPUT, file, MERGES, "an array of strings");
}

/* ---- Vocabulary and merges ----------------------------------------------------------------------------------- */

/* Added tokens are in the vocabulary too, so that they keep their ids; no merge makes one. */
static mcv_status add_tokens(BPE *model, const Metadata *metadata) {
    for (size_t i = 0; i < metadata->num_tokens; i++)
        if (metadata->kinds[i] != TOKEN_UNUSED)
            MCV_TRY(BPE_add_token(model, (int64_t)i, metadata->tokens[i].data, metadata->tokens[i].size));
    return BPE_find_byte_ids(model);
}

static mcv_status add_merge(BPE *model, const mcv_gguf_string *merge) {
    const char *space = memchr(merge->data, ' ', merge->size);
    if (!space)
        return MCV_FAIL(MCV_BAD_INPUT, "expected two tokens, found \"%.*s\"",
                        (int)(merge->size < 80 ? merge->size : 80), merge->data);
    size_t left = (size_t)(space - merge->data);
    return BPE_add_merge(model, merge->data, left, space + 1, merge->size - left - 1);
}

static mcv_status add_merges(BPE *model, const Metadata *metadata) {
    for (size_t i = 0; i < metadata->num_merges; i++) {
        mcv_status status = add_merge(model, &metadata->merges[i]);
        if (status != MCV_OK)
            return mcv_fail_context(status, "%s: merge %zu", MERGES, i);
    }
    return MCV_OK;
}

/* ---- Added tokens -------------------------------------------------------------------------------------------- */

/* Converters take anything in <| |> for a control token. */
static bool only_looks_special(const mcv_gguf_string *token) {
    static const char *const TEXTS[] = {"<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
                                        "<|fim_pad|>",    "<|repo_name|>",  "<|file_sep|>"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        if (token->size == strlen(TEXTS[i]) && memcmp(token->data, TEXTS[i], token->size) == 0)
            return true;
    return false;
}

static mcv_status add_added_token(Qwen2Tokenizer *tokenizer, const Metadata *metadata, size_t id) {
    const mcv_gguf_string *text = &metadata->tokens[id];
    const char *content = BPE_id_to_token(&tokenizer->model, (int64_t)id); /* with a 0 byte behind it */
    bool is_user_defined = metadata->kinds[id] == TOKEN_USER_DEFINED;
    if (text->size == 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: token %zu: expected the content of a token, found nothing",
                        mcv_gguf_path(metadata->file), TOKENS, id);
    return AddedVocabulary_add(&tokenizer->added,
                               &(AddedToken){.content = (char *)(uintptr_t)content,
                                             .size = text->size,
                                             .id = (int32_t)id,
                                             .special = !is_user_defined && !only_looks_special(text)});
}

static mcv_status add_added_tokens(Qwen2Tokenizer *tokenizer, const Metadata *metadata) {
    for (size_t i = 0; i < metadata->num_tokens; i++) {
        int64_t kind = metadata->kinds[i];
        if (kind == TOKEN_UNKNOWN || kind == TOKEN_CONTROL || kind == TOKEN_USER_DEFINED)
            MCV_TRY(add_added_token(tokenizer, metadata, i));
        else if (kind != TOKEN_NORMAL && kind != TOKEN_UNUSED)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: token %zu: a kind of token from 1 to 5 expected, found %lld",
                            mcv_gguf_path(metadata->file), KINDS, i, (long long)kind);
    }
    return AddedVocabulary_build(&tokenizer->added);
}

static mcv_status read_role(const mcv_gguf *file, const char *key, size_t num_tokens, int32_t *id) {
    int64_t value = -1;
    MCV_TRY(mcv_gguf_get_int(file, key, 0, (int64_t)num_tokens - 1, &value));
    *id = (int32_t)value;
    return MCV_OK;
}

/* ---- All together -------------------------------------------------------------------------------------------- */

static mcv_status load(Qwen2Tokenizer *tokenizer, const mcv_gguf *file, mcv_arena *arena) {
    Metadata metadata = {0};
    MCV_TRY(read_metadata(file, arena, &metadata));
    mcv_status status = add_tokens(&tokenizer->model, &metadata);
    if (status == MCV_OK)
        status = add_merges(&tokenizer->model, &metadata);
    if (status != MCV_OK)
        return mcv_fail_context(status, "%s", mcv_gguf_path(file));
    MCV_TRY(add_added_tokens(tokenizer, &metadata));
    MCV_TRY(read_role(file, "tokenizer.ggml.bos_token_id", metadata.num_tokens, &tokenizer->bos_id));
    MCV_TRY(read_role(file, "tokenizer.ggml.eos_token_id", metadata.num_tokens, &tokenizer->eos_id));
    MCV_TRY(read_role(file, "tokenizer.ggml.unknown_token_id", metadata.num_tokens, &tokenizer->unk_id));
    return Qwen2Tokenizer_decode_vocabulary(tokenizer);
}

mcv_status Qwen2Tokenizer_from_gguf(Qwen2Tokenizer **tokenizer, const mcv_gguf *file) {
    mcv_arena arena = {0};
    MCV_TRY(MCV_NEW(tokenizer, 1));
    mcv_status status = load(*tokenizer, file, &arena);
    mcv_arena_free(&arena);
    if (status != MCV_OK) {
        Qwen2Tokenizer_free(*tokenizer);
        *tokenizer = NULL;
    }
    return status;
}
