/* From a model's folder to a tokenizer. HF: PreTrainedTokenizerBase._from_pretrained, PreTrainedTokenizerFast.__init__,
 * Qwen2Converter of convert_slow_tokenizer.py. */
#include <string.h>

#include "core/file.h"
#include "formats/json.h"
#include "ref/byte_level.h"
#include "ref/qwen2_split.h"
#include "ref/tokenization_qwen2_internal.h"

/* Far above any list of merges. */
static const size_t MERGES_LIMIT = (size_t)256 << 20;

/* A file of the folder; value NULL where there is none. */
static mcv_status load_optional(const char *folder, const char *name, mcv_json *root) {
    *root = (mcv_json){0};
    char *path;
    MCV_TRY(mcv_path_join(&path, folder, name));
    mcv_status status = mcv_file_exists(path) ? mcv_json_load(path, root) : MCV_OK;
    free(path);
    return status;
}

/* ---- Vocabulary and merges ----------------------------------------------------------------------------------- */

/* {"token": id} */
static mcv_status read_vocab(BPE *model, const mcv_json *vocab) {
    const char *content;
    json_t *id;
    json_object_foreach(vocab->value, content, id) {
        if (!json_is_integer(id)) {
            mcv_json member = mcv_json_member(vocab, content);
            return mcv_json_fail(MCV_BAD_INPUT, &member, "an integer");
        }
        MCV_TRY(BPE_add_token(model, json_integer_value(id), content, strlen(content)));
    }
    return BPE_find_byte_ids(model);
}

static mcv_status load_vocab(BPE *model, const char *path) {
    mcv_json vocab;
    MCV_TRY(mcv_json_load(path, &vocab));
    mcv_status status = read_vocab(model, &vocab);
    mcv_json_free(&vocab);
    return status == MCV_OK ? MCV_OK : mcv_fail_context(status, "%s", path);
}

/* The next word of a line; its size is 0 at the end. */
typedef struct Word {
    const char *text;
    size_t size;
} Word;

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static Word next_word(const char **at, const char *end) {
    while (*at < end && is_blank(**at))
        ++*at;
    Word word = {.text = *at};
    while (*at < end && !is_blank(**at))
        ++*at;
    word.size = (size_t)(*at - word.text);
    return word;
}

/* "left right"; an empty line is none. */
static mcv_status read_merge(BPE *model, const char *line, size_t size) {
    const char *at = line, *end = line + size;
    Word left = next_word(&at, end), right = next_word(&at, end), more = next_word(&at, end);
    if (left.size == 0)
        return MCV_OK;
    if (right.size == 0 || more.size > 0)
        return MCV_FAIL(MCV_BAD_INPUT, "expected two tokens, found \"%.*s\"", (int)(size < 80 ? size : 80), line);
    return BPE_add_merge(model, left.text, left.size, right.text, right.size);
}

static bool is_version(const char *line, size_t size) {
    static const char VERSION[] = "#version:";
    return size >= strlen(VERSION) && memcmp(line, VERSION, strlen(VERSION)) == 0;
}

static mcv_status read_merges(BPE *model, const char *text, size_t size, const char *path) {
    size_t line_number = 1;
    for (size_t start = 0, end; start < size; start = end + 1, line_number++) {
        const char *newline = memchr(text + start, '\n', size - start);
        end = newline ? (size_t)(newline - text) : size;
        if (line_number == 1 && is_version(text, end))
            continue;
        mcv_status status = read_merge(model, text + start, end - start);
        if (status != MCV_OK)
            return mcv_fail_context(status, "%s: line %zu", path, line_number);
    }
    return MCV_OK;
}

static mcv_status load_merges(BPE *model, const char *path) {
    mcv_buffer text = {0};
    mcv_status status = mcv_file_read(path, MERGES_LIMIT, &text);
    if (status == MCV_OK)
        status = read_merges(model, mcv_buffer_text(&text), text.size, path);
    mcv_buffer_free(&text);
    return status;
}

static mcv_status load_slow_files(BPE *model, const char *folder) {
    char *vocab_path = NULL, *merges_path = NULL;
    mcv_status status = mcv_path_join(&vocab_path, folder, "vocab.json");
    if (status == MCV_OK)
        status = mcv_path_join(&merges_path, folder, "merges.txt");
    if (status == MCV_OK)
        status = load_vocab(model, vocab_path);
    if (status == MCV_OK)
        status = load_merges(model, merges_path);
    free(vocab_path);
    free(merges_path);
    return status;
}

/* ---- Added tokens -------------------------------------------------------------------------------------------- */

/* An added token and the id that a file gives it. */
typedef struct Declared {
    AddedToken token; /* its content belongs to the file's JSON */
    int64_t id;
} Declared;

typedef struct DeclaredTokens {
    Declared *data;
    size_t count, capacity;
} DeclaredTokens;

static mcv_status append_declared(DeclaredTokens *tokens, AddedToken token, int64_t id) {
    MCV_TRY(MCV_GROW(&tokens->data, &tokens->capacity, tokens->count + 1));
    tokens->data[tokens->count++] = (Declared){token, id};
    return MCV_OK;
}

static int compare_ids(const void *a, const void *b) {
    int64_t left = ((const Declared *)a)->id, right = ((const Declared *)b)->id;
    return left < right ? -1 : left > right;
}

/* A token as a string alone; special unless said otherwise, and so not normalized. */
static AddedToken plain_token(const json_t *content) {
    return (AddedToken){
        .content = (char *)(uintptr_t)json_string_value(content), .size = json_string_length(content), .special = true};
}

/* {"content": "<image>", "lstrip": false, ...}. HF: AddedToken(**token). */
static mcv_status read_added_token(const mcv_json *object, bool special, AddedToken *token) {
    mcv_json content = mcv_json_member(object, "content");
    if (!json_is_string(content.value) || json_string_length(content.value) == 0)
        return mcv_json_fail(MCV_BAD_INPUT, &content, "the content of a token");
    *token = plain_token(content.value);
    token->special = special;
    MCV_TRY(mcv_json_get_bool(object, "special", &token->special));
    token->normalized = !token->special;
    MCV_TRY(mcv_json_get_bool(object, "normalized", &token->normalized));
    MCV_TRY(mcv_json_get_bool(object, "single_word", &token->single_word));
    MCV_TRY(mcv_json_get_bool(object, "lstrip", &token->lstrip));
    return mcv_json_get_bool(object, "rstrip", &token->rstrip);
}

/* An added token that the model's vocabulary knows keeps its id, others are counted on from the vocabulary's size. HF:
 * AddedVocabulary::add_tokens. */
static int64_t id_of_added(const Qwen2Tokenizer *tokenizer, const AddedToken *token) {
    const AddedToken *known = AddedVocabulary_find(&tokenizer->added, token->content, token->size);
    if (known)
        return known->id;
    int32_t in_model = BPE_token_to_id(&tokenizer->model, token->content, token->size);
    if (in_model >= 0)
        return in_model;
    int64_t next = (int64_t)tokenizer->model.num_tokens;
    for (size_t i = 0; i < tokenizer->added.count; i++)
        if (tokenizer->added.tokens[i].id >= next)
            next = tokenizer->added.tokens[i].id + 1;
    return next;
}

static mcv_status add_token(Qwen2Tokenizer *tokenizer, AddedToken token) {
    int64_t id = id_of_added(tokenizer, &token);
    const char *taken = BPE_id_to_token(&tokenizer->model, id);
    if (taken && strcmp(taken, token.content) != 0)
        return MCV_FAIL(MCV_BAD_INPUT, "id %lld is given to two tokens, \"%s\" and \"%s\"", (long long)id, taken,
                        token.content);
    if (id >= BPE_ID_LIMIT)
        return MCV_FAIL(MCV_BAD_INPUT, "added token \"%s\": expected an id below %d, found %lld", token.content,
                        BPE_ID_LIMIT, (long long)id);
    token.id = (int32_t)id;
    return AddedVocabulary_add(&tokenizer->added, &token);
}

/* HF gives ids by the rule above and does not look at the ones that files state; where they differ, the embeddings
 * would be those of other tokens. */
static mcv_status add_declared(Qwen2Tokenizer *tokenizer, DeclaredTokens *tokens) {
    if (tokens->count)
        qsort(tokens->data, tokens->count, sizeof *tokens->data, compare_ids);
    for (size_t i = 0; i < tokens->count; i++) {
        const Declared *declared = &tokens->data[i];
        int64_t id = id_of_added(tokenizer, &declared->token);
        if (id != declared->id)
            return MCV_FAIL(MCV_BAD_INPUT,
                            "added token \"%s\": expected id %lld, which follows from the vocabulary, found %lld",
                            declared->token.content, (long long)id, (long long)declared->id);
        MCV_TRY(add_token(tokenizer, declared->token));
    }
    return MCV_OK;
}

/* ---- tokenizer.json ------------------------------------------------------------------------------------------ */

static mcv_status expect_string(const mcv_json *object, const char *key, const char *expected) {
    mcv_json member = mcv_json_member(object, key);
    if (json_is_string(member.value) && strcmp(json_string_value(member.value), expected) == 0)
        return MCV_OK;
    char quoted[256];
    snprintf(quoted, sizeof quoted, "\"%s\"", expected);
    return mcv_json_fail(MCV_UNSUPPORTED, &member, quoted);
}

static mcv_status expect_false(const mcv_json *object, const char *key) {
    mcv_json member = mcv_json_member(object, key);
    return json_is_false(member.value) ? MCV_OK : mcv_json_fail(MCV_UNSUPPORTED, &member, "false");
}

/* Missing, null, 0 or "". */
static mcv_status expect_none(const mcv_json *object, const char *key) {
    mcv_json member = mcv_json_member(object, key);
    bool none = !member.value || (json_is_string(member.value) && json_string_length(member.value) == 0) ||
                (json_is_number(member.value) && json_number_value(member.value) == 0);
    return none ? MCV_OK : mcv_json_fail(MCV_UNSUPPORTED, &member, "nothing");
}

static mcv_status check_pre_tokenizer(const mcv_json *root) {
    mcv_json sequence = mcv_json_member(root, "pre_tokenizer");
    mcv_json steps = mcv_json_member(&sequence, "pretokenizers");
    mcv_json split = mcv_json_item(&steps, 0), bytes = mcv_json_item(&steps, 1);
    mcv_json pattern = mcv_json_member(&split, "pattern");
    MCV_TRY(expect_string(&sequence, "type", "Sequence"));
    if (mcv_json_count(&steps) != 2)
        return mcv_json_fail(MCV_UNSUPPORTED, &steps, "two steps");
    MCV_TRY(expect_string(&split, "type", "Split"));
    MCV_TRY(expect_string(&pattern, "Regex", QWEN2_SPLIT_PATTERN));
    MCV_TRY(expect_string(&split, "behavior", "Isolated"));
    MCV_TRY(expect_false(&split, "invert"));
    MCV_TRY(expect_string(&bytes, "type", "ByteLevel"));
    MCV_TRY(expect_false(&bytes, "add_prefix_space"));
    return expect_false(&bytes, "use_regex");
}

/* Refuses every pipeline but that of Qwen2. */
static mcv_status check_pipeline(const mcv_json *root) {
    mcv_json normalizer = mcv_json_member(root, "normalizer"), decoder = mcv_json_member(root, "decoder");
    mcv_json post_processor = mcv_json_member(root, "post_processor"), model = mcv_json_member(root, "model");
    MCV_TRY(expect_string(&normalizer, "type", "NFC"));
    MCV_TRY(check_pre_tokenizer(root));
    if (post_processor.value)
        MCV_TRY(expect_string(&post_processor, "type", "ByteLevel"));
    MCV_TRY(expect_string(&decoder, "type", "ByteLevel"));
    MCV_TRY(expect_string(&model, "type", "BPE"));
    MCV_TRY(expect_none(&model, "dropout"));
    MCV_TRY(expect_none(&model, "continuing_subword_prefix"));
    return expect_none(&model, "end_of_word_suffix");
}

/* "left right" or ["left", "right"]. */
static mcv_status read_json_merge(BPE *model, const mcv_json *merge) {
    const json_t *left = json_array_get(merge->value, 0), *right = json_array_get(merge->value, 1);
    mcv_status status;
    if (json_is_string(merge->value))
        status = read_merge(model, json_string_value(merge->value), json_string_length(merge->value));
    else if (json_array_size(merge->value) == 2 && json_is_string(left) && json_is_string(right))
        status = BPE_add_merge(model, json_string_value(left), json_string_length(left), json_string_value(right),
                               json_string_length(right));
    else
        return mcv_json_fail(MCV_BAD_INPUT, merge, "two tokens");
    return status == MCV_OK ? MCV_OK : mcv_fail_context(status, "merge %zu", merge->index);
}

/* unk_token, fuse_unk and byte_fallback speak of characters without a token, which a vocabulary of all bytes has
 * not. */
static mcv_status read_model(BPE *model, const mcv_json *root) {
    mcv_json object = mcv_json_member(root, "model"), vocab, merges;
    MCV_TRY(mcv_json_get_bool(&object, "ignore_merges", &model->ignore_merges));
    MCV_TRY(mcv_json_get_object(&object, "vocab", &vocab));
    MCV_TRY(mcv_json_get_array(&object, "merges", &merges));
    MCV_TRY(read_vocab(model, &vocab));
    for (size_t i = 0; i < mcv_json_count(&merges); i++) {
        mcv_json merge = mcv_json_item(&merges, i);
        MCV_TRY(read_json_merge(model, &merge));
    }
    return MCV_OK;
}

static mcv_status read_added_tokens(const mcv_json *root, DeclaredTokens *tokens) {
    mcv_json list;
    MCV_TRY(mcv_json_get_array(root, "added_tokens", &list));
    for (size_t i = 0; i < mcv_json_count(&list); i++) {
        mcv_json object = mcv_json_item(&list, i);
        AddedToken token;
        int id = -1;
        MCV_TRY(read_added_token(&object, false, &token));
        MCV_TRY(mcv_json_require(&object, "id"));
        MCV_TRY(mcv_json_get_int(&object, "id", 0, BPE_ID_LIMIT - 1, &id));
        MCV_TRY(append_declared(tokens, token, id));
    }
    return MCV_OK;
}

static mcv_status read_fast_file(Qwen2Tokenizer *tokenizer, const mcv_json *root) {
    MCV_TRY(check_pipeline(root));
    mcv_status status = read_model(&tokenizer->model, root);
    DeclaredTokens tokens = {0};
    if (status == MCV_OK)
        status = read_added_tokens(root, &tokens);
    if (status == MCV_OK)
        status = add_declared(tokenizer, &tokens);
    free(tokens.data);
    return status;
}

/* ---- tokenizer_config.json ----------------------------------------------------------------------------------- */

/* {"151643": {"content": "<|endoftext|>", ...}} */
static mcv_status read_added_tokens_decoder(const mcv_json *decoder, DeclaredTokens *tokens) {
    const char *key;
    json_t *value;
    json_object_foreach(decoder->value, key, value) {
        mcv_json object = {.value = value, .parent = decoder, .key = key};
        char *end;
        long long id = strtoll(key, &end, 10);
        if (key[0] < '0' || key[0] > '9' || *end || id >= BPE_ID_LIMIT)
            return mcv_json_fail(MCV_BAD_INPUT, &object, "an id as its key");
        AddedToken token;
        MCV_TRY(read_added_token(&object, false, &token));
        MCV_TRY(append_declared(tokens, token, id));
    }
    return MCV_OK;
}

/* {"<|endoftext|>": 151643}; of older folders. */
static mcv_status read_added_tokens_json(const mcv_json *file, DeclaredTokens *tokens) {
    const char *content;
    json_t *id;
    json_object_foreach(file->value, content, id) {
        if (!json_is_integer(id) || !*content) {
            mcv_json member = mcv_json_member(file, content);
            return mcv_json_fail(MCV_BAD_INPUT, &member, "a token and an integer");
        }
        AddedToken token = {.content = (char *)(uintptr_t)content, .size = strlen(content), .normalized = true};
        MCV_TRY(append_declared(tokens, token, json_integer_value(id)));
    }
    return MCV_OK;
}

/* Tokens that tokenizer_config.json names by what they are for; HF's defaults where it names none. HF:
 * SPECIAL_TOKENS_ATTRIBUTES, Qwen2TokenizerFast.__init__. */
typedef struct Role {
    const char *key, *default_content;
} Role;

static const Role ROLES[] = {
    {"bos_token", NULL},  {"eos_token", "<|endoftext|>"}, {"unk_token", "<|endoftext|>"},
    {"sep_token", NULL},  {"pad_token", "<|endoftext|>"}, {"cls_token", NULL},
    {"mask_token", NULL},
};
enum { BOS, EOS, UNK, NUM_ROLES = sizeof ROLES / sizeof *ROLES };

/* "<image>" or {"content": "<image>", ...}; its content is NULL where the value is null or "". */
static mcv_status read_special_token(const mcv_json *value, AddedToken *token) {
    *token = (AddedToken){0};
    if (!value->value || (json_is_string(value->value) && json_string_length(value->value) == 0))
        return MCV_OK;
    if (json_is_object(value->value))
        return read_added_token(value, true, token);
    if (!json_is_string(value->value))
        return mcv_json_fail(MCV_BAD_INPUT, value, "a token");
    *token = plain_token(value->value);
    return MCV_OK;
}

static mcv_status read_role(const mcv_json *config, const Role *role, AddedToken *token) {
    mcv_json value = mcv_json_member(config, role->key);
    if (json_object_get(config->value, role->key) || !role->default_content)
        return read_special_token(&value, token);
    *token = (AddedToken){
        .content = (char *)(uintptr_t)role->default_content, .size = strlen(role->default_content), .special = true};
    return MCV_OK;
}

static mcv_status append_special(DeclaredTokens *specials, const AddedToken *token) {
    return token->content ? append_declared(specials, *token, -1) : MCV_OK;
}

/* Every token that the configuration calls special. HF: all_special_tokens_extended. */
static mcv_status read_special_tokens(const mcv_json *config, DeclaredTokens *specials) {
    AddedToken token;
    for (size_t i = 0; i < NUM_ROLES; i++) {
        MCV_TRY(read_role(config, &ROLES[i], &token));
        MCV_TRY(append_special(specials, &token));
    }
    mcv_json list, extra;
    MCV_TRY(mcv_json_get_array(config, "additional_special_tokens", &list));
    for (size_t i = 0; i < mcv_json_count(&list); i++) {
        mcv_json value = mcv_json_item(&list, i);
        MCV_TRY(read_special_token(&value, &token));
        MCV_TRY(append_special(specials, &token));
    }
    MCV_TRY(mcv_json_get_object(config, "extra_special_tokens", &extra));
    const char *key;
    json_t *unused;
    json_object_foreach(extra.value, key, unused) {
        mcv_json value = mcv_json_member(&extra, key);
        MCV_TRY(read_special_token(&value, &token));
        MCV_TRY(append_special(specials, &token));
    }
    return MCV_OK;
}

static bool is_declared(const DeclaredTokens *tokens, const char *content) {
    for (size_t i = 0; i < tokens->count; i++)
        if (strcmp(tokens->data[i].token.content, content) == 0)
            return true;
    return false;
}

/* Tokens that are known already keep their flags. */
static mcv_status add_special_tokens(Qwen2Tokenizer *tokenizer, const DeclaredTokens *specials) {
    for (size_t i = 0; i < specials->count; i++) {
        AddedToken token = specials->data[i].token;
        const AddedToken *known = AddedVocabulary_find(&tokenizer->added, token.content, token.size);
        if (known)
            token = *known;
        token.special = true;
        MCV_TRY(add_token(tokenizer, token));
    }
    return MCV_OK;
}

static mcv_status find_role(const Qwen2Tokenizer *tokenizer, const mcv_json *config, int role, int32_t *id) {
    AddedToken token;
    MCV_TRY(read_role(config, &ROLES[role], &token));
    *id = token.content ? Qwen2Tokenizer_token_to_id(tokenizer, token.content) : -1;
    return MCV_OK;
}

static mcv_status find_roles(Qwen2Tokenizer *tokenizer, const mcv_json *config) {
    MCV_TRY(find_role(tokenizer, config, BOS, &tokenizer->bos_id));
    MCV_TRY(find_role(tokenizer, config, EOS, &tokenizer->eos_id));
    return find_role(tokenizer, config, UNK, &tokenizer->unk_id);
}

/* ---- Folders from before added_tokens_decoder ---------------------------------------------------------------- */

/* special_tokens_map.json goes before tokenizer_config.json; lists are joined. */
static mcv_status merge_special_tokens_map(mcv_json *config, mcv_json *map) {
    if (!config->value) {
        mcv_json empty = *config;
        *config = *map;
        *map = empty;
        return MCV_OK;
    }
    json_t *list = json_object_get(map->value, "additional_special_tokens");
    json_t *older = json_object_get(config->value, "additional_special_tokens");
    bool joined = !json_is_array(list) || !json_is_array(older) || json_array_extend(list, older) == 0;
    if (!joined || (map->value && json_object_update(config->value, map->value) != 0))
        return MCV_FAIL(MCV_NO_MEMORY, "out of memory (joining the special tokens of two files)");
    return MCV_OK;
}

static mcv_status load_special_tokens_map(const char *folder, mcv_json *config) {
    mcv_json map;
    MCV_TRY(load_optional(folder, "special_tokens_map.json", &map));
    mcv_status status = merge_special_tokens_map(config, &map);
    mcv_json_free(&map);
    return status;
}

/* Tokens of added_tokens.json are special where they are named so. */
static mcv_status add_older_tokens(Qwen2Tokenizer *tokenizer, const mcv_json *file, const DeclaredTokens *specials) {
    DeclaredTokens tokens = {0};
    mcv_status status = read_added_tokens_json(file, &tokens);
    for (size_t i = 0; i < tokens.count; i++) {
        AddedToken *token = &tokens.data[i].token;
        token->special = is_declared(specials, token->content);
        token->normalized = !token->special;
    }
    if (status == MCV_OK)
        status = add_declared(tokenizer, &tokens);
    free(tokens.data);
    return status;
}

static mcv_status load_older_tokens(Qwen2Tokenizer *tokenizer, const char *folder, const DeclaredTokens *specials) {
    mcv_json file;
    MCV_TRY(load_optional(folder, "added_tokens.json", &file));
    mcv_status status = add_older_tokens(tokenizer, &file, specials);
    mcv_json_free(&file);
    return status;
}

/* ---- All together -------------------------------------------------------------------------------------------- */

static mcv_status load_model(Qwen2Tokenizer *tokenizer, const char *folder, bool *is_fast) {
    mcv_json root;
    MCV_TRY(load_optional(folder, "tokenizer.json", &root));
    *is_fast = root.value != NULL;
    mcv_status status = *is_fast ? read_fast_file(tokenizer, &root) : load_slow_files(&tokenizer->model, folder);
    if (*is_fast && status != MCV_OK)
        status = mcv_fail_context(status, "%s/tokenizer.json", folder);
    mcv_json_free(&root);
    return status;
}

static mcv_status read_flags(Qwen2Tokenizer *tokenizer, const mcv_json *config) {
    mcv_json clean_up = mcv_json_member(config, "clean_up_tokenization_spaces");
    if (clean_up.value && !json_is_false(clean_up.value))
        return mcv_json_fail(MCV_UNSUPPORTED, &clean_up, "false");
    return mcv_json_get_bool(config, "split_special_tokens", &tokenizer->added.encode_special_tokens);
}

static mcv_status add_all_tokens(Qwen2Tokenizer *tokenizer, const char *folder, bool is_fast, mcv_json *config) {
    mcv_json decoder;
    MCV_TRY(mcv_json_get_object(config, "added_tokens_decoder", &decoder));
    DeclaredTokens tokens = {0}, specials = {0};
    mcv_status status = decoder.value ? MCV_OK : load_special_tokens_map(folder, config);
    if (status == MCV_OK)
        status = read_special_tokens(config, &specials);
    if (status == MCV_OK)
        status = read_added_tokens_decoder(&decoder, &tokens);
    if (status == MCV_OK)
        status = add_declared(tokenizer, &tokens);
    if (status == MCV_OK && !decoder.value && !is_fast)
        status = load_older_tokens(tokenizer, folder, &specials);
    if (status == MCV_OK)
        status = add_special_tokens(tokenizer, &specials);
    if (status == MCV_OK)
        status = find_roles(tokenizer, config);
    free(tokens.data);
    free(specials.data);
    return status;
}

static mcv_status decode_token(Qwen2Tokenizer *tokenizer, const char *content, size_t size, int32_t added,
                               DecodedToken *token) {
    *token = (DecodedToken){.offset = tokenizer->decoded_bytes.size, .added = added};
    MCV_TRY(ByteLevel_decode(content, size, &tokenizer->decoded_bytes));
    token->size = tokenizer->decoded_bytes.size - token->offset;
    return MCV_OK;
}

mcv_status Qwen2Tokenizer_decode_vocabulary(Qwen2Tokenizer *tokenizer) {
    const BPE *model = &tokenizer->model;
    tokenizer->num_ids = model->num_ids;
    for (size_t i = 0; i < tokenizer->added.count; i++)
        if ((size_t)tokenizer->added.tokens[i].id >= tokenizer->num_ids)
            tokenizer->num_ids = (size_t)tokenizer->added.tokens[i].id + 1;
    MCV_TRY(MCV_NEW(&tokenizer->decoded, tokenizer->num_ids));
    for (size_t id = 0; id < tokenizer->num_ids; id++) {
        const char *content = BPE_id_to_token(model, (int64_t)id);
        MCV_TRY(decode_token(tokenizer, content, content ? model->tokens[id].size : 0, -1, &tokenizer->decoded[id]));
    }
    for (size_t i = 0; i < tokenizer->added.count; i++) {
        const AddedToken *token = &tokenizer->added.tokens[i];
        MCV_TRY(decode_token(tokenizer, token->content, token->size, (int32_t)i, &tokenizer->decoded[token->id]));
    }
    return MCV_OK;
}

static mcv_status load(Qwen2Tokenizer *tokenizer, const char *folder, mcv_json *config) {
    bool is_fast;
    MCV_TRY(load_model(tokenizer, folder, &is_fast));
    MCV_TRY(load_optional(folder, "tokenizer_config.json", config));
    MCV_TRY(read_flags(tokenizer, config));
    MCV_TRY(add_all_tokens(tokenizer, folder, is_fast, config));
    MCV_TRY(AddedVocabulary_build(&tokenizer->added));
    return Qwen2Tokenizer_decode_vocabulary(tokenizer);
}

mcv_status Qwen2Tokenizer_from_pretrained(Qwen2Tokenizer **tokenizer, const char *folder) {
    MCV_TRY(MCV_NEW(tokenizer, 1));
    mcv_json config = {0};
    mcv_status status = load(*tokenizer, folder, &config);
    mcv_json_free(&config);
    if (status != MCV_OK) {
        Qwen2Tokenizer_free(*tokenizer);
        *tokenizer = NULL;
    }
    return status;
}
