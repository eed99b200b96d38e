/* From a tokenizer to the metadata of a GGUF file; the reverse of tokenization_qwen2_gguf.c. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "ref/tokenization_qwen2_internal.h"

static const AddedToken *added_with_id(const Qwen2Tokenizer *tokenizer, size_t id) {
    int32_t added = id < tokenizer->num_ids ? tokenizer->decoded[id].added : -1;
    return added >= 0 ? &tokenizer->added.tokens[added] : NULL;
}

/* Readers of the format take what looks like a control token for one. */
static bool looks_special(const AddedToken *token) {
    return token->size >= 4 && memcmp(token->content, "<|", 2) == 0 &&
           memcmp(token->content + token->size - 2, "|>", 2) == 0;
}

/* The token of an id and its kind; rows of the embeddings that no token has get a name that says so. */
static mcv_status describe(const Qwen2Tokenizer *tokenizer, size_t id, mcv_arena *arena, mcv_gguf_string *text,
                           int32_t *kind) {
    const AddedToken *added = added_with_id(tokenizer, id);
    const char *content = BPE_id_to_token(&tokenizer->model, (int64_t)id);
    if (added) {
        *text = (mcv_gguf_string){added->content, added->size};
        *kind = added->special || looks_special(added) ? TOKEN_CONTROL : TOKEN_USER_DEFINED;
    } else if (content) {
        *text = (mcv_gguf_string){content, tokenizer->model.tokens[id].size};
        *kind = TOKEN_NORMAL;
    } else {
        enum { SIZE = 32 };
        char *name;
        MCV_TRY(MCV_ARENA_NEW(arena, &name, SIZE));
        *text = (mcv_gguf_string){name, (size_t)snprintf(name, SIZE, "[PAD%zu]", id)};
        *kind = TOKEN_UNUSED;
    }
    return MCV_OK;
}

static mcv_status put_tokens(const Qwen2Tokenizer *tokenizer, size_t count, mcv_arena *arena, mcv_gguf_writer *writer) {
    mcv_gguf_string *texts;
    int32_t *kinds;
    MCV_TRY(MCV_ARENA_NEW(arena, &texts, count));
    MCV_TRY(MCV_ARENA_NEW(arena, &kinds, count));
    for (size_t id = 0; id < count; id++)
        MCV_TRY(describe(tokenizer, id, arena, &texts[id], &kinds[id]));
    MCV_TRY(mcv_gguf_add_strings(writer, "tokenizer.ggml.tokens", texts, count));
    return mcv_gguf_add_i32s(writer, "tokenizer.ggml.token_type", kinds, count);
}

static mcv_status describe_merge(const BPE *model, const BPEMerge *merge, mcv_arena *arena, mcv_gguf_string *text) {
    const char *left = BPE_id_to_token(model, merge->left), *right = BPE_id_to_token(model, merge->right);
    size_t left_size = model->tokens[merge->left].size, right_size = model->tokens[merge->right].size;
    char *joined;
    MCV_TRY(MCV_ARENA_NEW(arena, &joined, left_size + 1 + right_size));
    memcpy(joined, left, left_size);
    joined[left_size] = ' ';
    memcpy(joined + left_size + 1, right, right_size);
    *text = (mcv_gguf_string){joined, left_size + 1 + right_size};
    return MCV_OK;
}

static mcv_status put_merges(const BPE *model, mcv_arena *arena, mcv_gguf_writer *writer) {
    mcv_gguf_string *texts;
    MCV_TRY(MCV_ARENA_NEW(arena, &texts, model->num_merges));
    for (size_t i = 0; i < model->num_merge_slots; i++)
        if (model->merges[i].rank >= 0)
            MCV_TRY(describe_merge(model, &model->merges[i], arena, &texts[model->merges[i].rank]));
    return mcv_gguf_add_strings(writer, "tokenizer.ggml.merges", texts, model->num_merges);
}

static mcv_status put_role(mcv_gguf_writer *writer, const char *key, int32_t id) {
    return id >= 0 ? mcv_gguf_add_u32(writer, key, (uint32_t)id) : MCV_OK;
}

mcv_status Qwen2Tokenizer_to_gguf(const Qwen2Tokenizer *tokenizer, int vocab_size, mcv_gguf_writer *writer) {
    mcv_arena arena = {0};
    MCV_TRY(mcv_gguf_add_string(writer, "tokenizer.ggml.model", "gpt2"));
    MCV_TRY(mcv_gguf_add_string(writer, "tokenizer.ggml.pre", "qwen2"));
    mcv_status status = put_tokens(tokenizer, (size_t)vocab_size, &arena, writer);
    if (status == MCV_OK)
        status = put_merges(&tokenizer->model, &arena, writer);
    mcv_arena_free(&arena);
    MCV_TRY(status);
    MCV_TRY(put_role(writer, "tokenizer.ggml.bos_token_id", tokenizer->bos_id));
    MCV_TRY(put_role(writer, "tokenizer.ggml.eos_token_id", tokenizer->eos_id));
    MCV_TRY(put_role(writer, "tokenizer.ggml.unknown_token_id", tokenizer->unk_id));
    MCV_TRY(
        put_role(writer, "tokenizer.ggml.padding_token_id", Qwen2Tokenizer_token_to_id(tokenizer, "<|endoftext|>")));
    return mcv_gguf_add_bool(writer, "tokenizer.ggml.add_bos_token", false);
}
