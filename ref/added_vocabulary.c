#include "ref/added_vocabulary.h"

#include <string.h>

#include "ref/unicode.h"
#include "ref/utf8.h"

/* ---- Tokens -------------------------------------------------------------------------------------------------- */

const AddedToken *AddedVocabulary_find(const AddedVocabulary *vocabulary, const char *content, size_t size) {
    for (size_t i = 0; i < vocabulary->count; i++)
        if (vocabulary->tokens[i].size == size && memcmp(vocabulary->tokens[i].content, content, size) == 0)
            return &vocabulary->tokens[i];
    return NULL;
}

static mcv_status append_token(AddedVocabulary *vocabulary, const AddedToken *token) {
    AddedToken copy = *token;
    MCV_TRY(MCV_GROW(&vocabulary->tokens, &vocabulary->capacity, vocabulary->count + 1));
    MCV_TRY(MCV_NEW(&copy.content, token->size + 1));
    memcpy(copy.content, token->content, token->size);
    vocabulary->tokens[vocabulary->count++] = copy;
    return MCV_OK;
}

mcv_status AddedVocabulary_add(AddedVocabulary *vocabulary, const AddedToken *token) {
    const AddedToken *found = AddedVocabulary_find(vocabulary, token->content, token->size);
    if (!found)
        return append_token(vocabulary, token);
    AddedToken *known = &vocabulary->tokens[found - vocabulary->tokens], replacement = *token;
    replacement.content = known->content;
    replacement.id = known->id;
    replacement.special |= known->special;
    *known = replacement;
    return MCV_OK;
}

void AddedVocabulary_free(AddedVocabulary *vocabulary) {
    for (size_t i = 0; i < vocabulary->count; i++)
        free(vocabulary->tokens[i].content);
    free(vocabulary->tokens);
    free(vocabulary->split_trie.nodes);
    free(vocabulary->split_normalized_trie.nodes);
    *vocabulary = (AddedVocabulary){0};
}

/* ---- Tries --------------------------------------------------------------------------------------------------- */

/* A node stands for the bytes on the way to it. Node 0 is the root, so that 0 also says "none". */
typedef struct TrieNode {
    size_t child, sibling; /* the first child; the next one of the same parent */
    size_t token;          /* 1 + the index of the token that ends here, 0 where none does */
    unsigned char byte;
} TrieNode;

static size_t find_child(const TokenTrie *trie, size_t node, unsigned char byte) {
    size_t child = trie->nodes[node].child;
    while (child && trie->nodes[child].byte != byte)
        child = trie->nodes[child].sibling;
    return child;
}

static mcv_status append_node(TokenTrie *trie, TrieNode node) {
    MCV_TRY(MCV_GROW(&trie->nodes, &trie->capacity, trie->count + 1));
    trie->nodes[trie->count++] = node;
    return MCV_OK;
}

static mcv_status insert(TokenTrie *trie, const char *content, size_t size, size_t index) {
    size_t node = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)content[i];
        size_t child = find_child(trie, node, byte);
        if (!child) {
            child = trie->count;
            MCV_TRY(append_node(trie, (TrieNode){.sibling = trie->nodes[node].child, .byte = byte}));
            trie->nodes[node].child = child;
        }
        node = child;
    }
    if (!trie->nodes[node].token) /* of two tokens that are equal once normalized, the first stays */
        trie->nodes[node].token = index + 1;
    return MCV_OK;
}

static mcv_status insert_normalized(TokenTrie *trie, const AddedToken *token, size_t index) {
    mcv_buffer content = {0};
    mcv_status status = unicode_nfc(token->content, token->size, &content);
    if (status == MCV_OK)
        status = insert(trie, content.data, content.size, index);
    mcv_buffer_free(&content);
    return status;
}

static mcv_status insert_all(AddedVocabulary *vocabulary, bool special) {
    for (size_t i = 0; i < vocabulary->count; i++) {
        const AddedToken *token = &vocabulary->tokens[i];
        if (token->special != special)
            continue;
        if (token->normalized)
            MCV_TRY(insert_normalized(&vocabulary->split_normalized_trie, token, i));
        else
            MCV_TRY(insert(&vocabulary->split_trie, token->content, token->size, i));
    }
    return MCV_OK;
}

/* HF: refresh_added_tokens; special tokens come first. */
mcv_status AddedVocabulary_build(AddedVocabulary *vocabulary) {
    MCV_TRY(append_node(&vocabulary->split_trie, (TrieNode){0}));
    MCV_TRY(append_node(&vocabulary->split_normalized_trie, (TrieNode){0}));
    MCV_TRY(insert_all(vocabulary, true));
    return insert_all(vocabulary, false);
}

/* The longest token at the start of the text, NULL where there is none. *end: the bytes it takes. */
static const AddedToken *longest_match(const AddedVocabulary *vocabulary, const TokenTrie *trie, const char *text,
                                       size_t size, size_t *end) {
    const AddedToken *found = NULL;
    size_t node = 0;
    for (size_t i = 0; i < size; i++) {
        node = find_child(trie, node, (unsigned char)text[i]);
        if (!node)
            break;
        if (trie->nodes[node].token) {
            found = &vocabulary->tokens[trie->nodes[node].token - 1];
            *end = i + 1;
        }
    }
    return found;
}

/* ---- Matches ------------------------------------------------------------------------------------------------- */

/* The character that ends at `end`, which is above 0. */
static Utf8Character character_before(const char *text, size_t end) {
    size_t start = end - 1;
    while (((unsigned char)text[start] & 0xC0) == 0x80)
        start--;
    return utf8_next(text + start, end - start);
}

static bool is_single_word(const char *text, size_t size, size_t start, size_t end) {
    return (start == 0 || !unicode_is_word(character_before(text, start).code_point)) &&
           (end == size || !unicode_is_word(utf8_next(text + end, size - end).code_point));
}

/* Not further than to `done`. */
static size_t strip_left(const char *text, size_t start, size_t done) {
    while (start > done) {
        Utf8Character character = character_before(text, start);
        if (!unicode_is_space(character.code_point))
            break;
        start -= character.size;
    }
    return start;
}

static size_t strip_right(const char *text, size_t size, size_t end) {
    while (end < size) {
        Utf8Character character = utf8_next(text + end, size - end);
        if (!unicode_is_space(character.code_point))
            break;
        end += character.size;
    }
    return end;
}

static mcv_status append_split(Splits *splits, size_t start, size_t end, int32_t id) {
    MCV_TRY(MCV_GROW(&splits->data, &splits->capacity, splits->count + 1));
    splits->data[splits->count++] = (Split){start, end, id};
    return MCV_OK;
}

/* Whether the token may stand here. HF looks on behind a match that it discards, not inside. */
static bool accepts(const AddedVocabulary *vocabulary, const AddedToken *token, const char *text, size_t size,
                    size_t start, size_t end) {
    if (vocabulary->encode_special_tokens && token->special)
        return false;
    return !token->single_word || is_single_word(text, size, start, end);
}

mcv_status AddedVocabulary_find_matches(const AddedVocabulary *vocabulary, const TokenTrie *trie, const char *text,
                                        size_t size, Splits *splits) {
    splits->count = 0;
    size_t done = 0; /* the text up to here is in splits */
    for (size_t at = 0, length; at < size; at += length) {
        const AddedToken *token = longest_match(vocabulary, trie, text + at, size - at, &length);
        if (!token) {
            length = 1;
            continue;
        }
        if (!accepts(vocabulary, token, text, size, at, at + length))
            continue;
        size_t start = token->lstrip ? strip_left(text, at, done) : at;
        size_t end = token->rstrip ? strip_right(text, size, at + length) : at + length;
        if (done < start)
            MCV_TRY(append_split(splits, done, start, -1));
        MCV_TRY(append_split(splits, start, end, token->id));
        done = end;
    }
    return done < size ? append_split(splits, done, size, -1) : MCV_OK;
}
