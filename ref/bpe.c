#include "ref/bpe.h"

#include <string.h>
#include <xxhash.h>

#include "ref/byte_level.h"

/* ---- Vocabulary ---------------------------------------------------------------------------------------------- */

/* The slot of a content, or the empty one where it belongs. There always is an empty one. */
static size_t find_slot(const BPE *bpe, const char *content, size_t size) {
    size_t mask = bpe->num_slots - 1;
    size_t slot = XXH3_64bits(content, size) & mask;
    for (; bpe->slots[slot] >= 0; slot = (slot + 1) & mask) {
        const BPEToken *token = &bpe->tokens[bpe->slots[slot]];
        if (token->size == size && memcmp(bpe->contents.data + token->offset, content, size) == 0)
            break;
    }
    return slot;
}

/* Keeps the table at most half full. */
static mcv_status grow_slots(BPE *bpe) {
    if (2 * (bpe->num_tokens + 1) <= bpe->num_slots)
        return MCV_OK;
    size_t num_slots = bpe->num_slots ? 2 * bpe->num_slots : 1024;
    int32_t *slots;
    MCV_TRY(MCV_NEW(&slots, num_slots));
    memset(slots, 0xFF, num_slots * sizeof *slots);
    free(bpe->slots);
    bpe->slots = slots;
    bpe->num_slots = num_slots;
    for (size_t id = 0; id < bpe->num_ids; id++) {
        const BPEToken *token = &bpe->tokens[id];
        if (token->exists)
            slots[find_slot(bpe, bpe->contents.data + token->offset, token->size)] = (int32_t)id;
    }
    return MCV_OK;
}

static mcv_status grow_ids(BPE *bpe, size_t num_ids) {
    MCV_TRY(MCV_GROW(&bpe->tokens, &bpe->tokens_capacity, num_ids));
    for (; bpe->num_ids < num_ids; bpe->num_ids++)
        bpe->tokens[bpe->num_ids] = (BPEToken){0};
    return MCV_OK;
}

mcv_status BPE_add_token(BPE *bpe, int64_t id, const char *content, size_t size) {
    if (id < 0 || id >= BPE_ID_LIMIT)
        return MCV_FAIL(MCV_BAD_INPUT, "token \"%s\": expected an id from 0 to %d, found %lld", content,
                        BPE_ID_LIMIT - 1, (long long)id);
    const char *taken = BPE_id_to_token(bpe, id);
    if (taken)
        return MCV_FAIL(MCV_BAD_INPUT, "id %lld is given to two tokens, \"%s\" and \"%s\"", (long long)id, taken,
                        content);
    MCV_TRY(grow_slots(bpe));
    size_t slot = find_slot(bpe, content, size);
    if (bpe->slots[slot] >= 0)
        return MCV_FAIL(MCV_BAD_INPUT, "token \"%s\" has two ids, %d and %lld", content, bpe->slots[slot],
                        (long long)id);
    if ((size_t)id >= bpe->num_ids)
        MCV_TRY(grow_ids(bpe, (size_t)id + 1));
    BPEToken token = {.offset = bpe->contents.size, .size = size, .exists = true};
    MCV_TRY(mcv_buffer_append(&bpe->contents, content, size));
    MCV_TRY(mcv_buffer_append(&bpe->contents, "", 1));
    bpe->tokens[id] = token;
    bpe->slots[slot] = (int32_t)id;
    bpe->num_tokens++;
    return MCV_OK;
}

int32_t BPE_token_to_id(const BPE *bpe, const char *content, size_t size) {
    return bpe->num_slots ? bpe->slots[find_slot(bpe, content, size)] : -1;
}

const char *BPE_id_to_token(const BPE *bpe, int64_t id) {
    if (id < 0 || (uint64_t)id >= bpe->num_ids || !bpe->tokens[id].exists)
        return NULL;
    return bpe->contents.data + bpe->tokens[id].offset;
}

mcv_status BPE_find_byte_ids(BPE *bpe) {
    mcv_buffer spelled = {0};
    mcv_status status = MCV_OK;
    for (int byte = 0; byte < 256 && status == MCV_OK; byte++) {
        char value = (char)byte;
        spelled.size = 0;
        status = ByteLevel_encode(&value, 1, &spelled);
        if (status != MCV_OK)
            break;
        bpe->byte_ids[byte] = BPE_token_to_id(bpe, spelled.data, spelled.size);
        if (bpe->byte_ids[byte] < 0)
            status = MCV_FAIL(MCV_BAD_INPUT, "no token for byte 0x%02X, expected \"%s\"", (unsigned)byte, spelled.data);
    }
    mcv_buffer_free(&spelled);
    return status;
}

/* ---- Merges -------------------------------------------------------------------------------------------------- */

static size_t find_merge_slot(const BPE *bpe, int32_t left, int32_t right) {
    size_t mask = bpe->num_merge_slots - 1;
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t slot = (size_t)(key * 0x9E3779B97F4A7C15u >> 32) & mask; /* Fibonacci hashing: Knuth, volume 3, 6.4 */
    for (; bpe->merges[slot].rank >= 0; slot = (slot + 1) & mask)
        if (bpe->merges[slot].left == left && bpe->merges[slot].right == right)
            break;
    return slot;
}

/* NULL where the two do not merge. */
static const BPEMerge *find_merge(const BPE *bpe, int32_t left, int32_t right) {
    if (!bpe->num_merges)
        return NULL;
    const BPEMerge *merge = &bpe->merges[find_merge_slot(bpe, left, right)];
    return merge->rank >= 0 ? merge : NULL;
}

static mcv_status grow_merges(BPE *bpe) {
    if (2 * (bpe->num_merges + 1) <= bpe->num_merge_slots)
        return MCV_OK;
    BPEMerge *old = bpe->merges;
    size_t num_old = bpe->num_merge_slots, num_slots = num_old ? 2 * num_old : 1024;
    BPEMerge *merges;
    MCV_TRY(MCV_NEW(&merges, num_slots));
    for (size_t i = 0; i < num_slots; i++)
        merges[i].rank = -1;
    bpe->merges = merges;
    bpe->num_merge_slots = num_slots;
    for (size_t i = 0; i < num_old; i++)
        if (old[i].rank >= 0)
            merges[find_merge_slot(bpe, old[i].left, old[i].right)] = old[i];
    free(old);
    return MCV_OK;
}

static mcv_status require_token(const BPE *bpe, const char *content, size_t size, int32_t *id) {
    *id = BPE_token_to_id(bpe, content, size);
    if (*id < 0)
        return MCV_FAIL(MCV_BAD_INPUT, "the merge names \"%.*s\", which is no token of the vocabulary", (int)size,
                        content);
    return MCV_OK;
}

mcv_status BPE_add_merge(BPE *bpe, const char *left, size_t left_size, const char *right, size_t right_size) {
    if (bpe->num_merges >= BPE_ID_LIMIT)
        return MCV_FAIL(MCV_BAD_INPUT, "expected at most %d merges, found more", BPE_ID_LIMIT);
    BPEMerge merge = {.rank = (int32_t)bpe->num_merges};
    MCV_TRY(require_token(bpe, left, left_size, &merge.left));
    MCV_TRY(require_token(bpe, right, right_size, &merge.right));
    mcv_buffer joined = {0};
    mcv_status status = mcv_buffer_append(&joined, left, left_size);
    if (status == MCV_OK)
        status = mcv_buffer_append(&joined, right, right_size);
    if (status == MCV_OK)
        status = require_token(bpe, joined.data, joined.size, &merge.result);
    mcv_buffer_free(&joined);
    MCV_TRY(status);
    MCV_TRY(grow_merges(bpe));
    BPEMerge *place = &bpe->merges[find_merge_slot(bpe, merge.left, merge.right)];
    if (place->rank >= 0)
        return MCV_FAIL(MCV_BAD_INPUT, "the merge of \"%.*s\" and \"%.*s\" is there twice", (int)left_size, left,
                        (int)right_size, right);
    *place = merge;
    bpe->tokens[merge.result].merged = true;
    bpe->num_merges++;
    return MCV_OK;
}

void BPE_free(BPE *bpe) {
    mcv_buffer_free(&bpe->contents);
    free(bpe->tokens);
    free(bpe->slots);
    free(bpe->merges);
    *bpe = (BPE){0};
}

/* ---- Words --------------------------------------------------------------------------------------------------- */

static const size_t NONE = SIZE_MAX;

/* One token of the word so far, in a linked list. */
typedef struct BPESymbol {
    int32_t id; /* -1: merged into the symbol before it */
    size_t previous, next;
} BPESymbol;

/* A merge that may be due: of the symbol at `position` and the one behind it. */
typedef struct BPEQueued {
    size_t position;
    int32_t rank, result;
} BPEQueued;

/* The lowest rank first, then the leftmost place. HF: word.rs, Ord for Merge. */
static bool goes_before(const BPEQueued *a, const BPEQueued *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->position < b->position;
}

/* The queue is a binary heap: entry i goes before its children 2 i + 1 and 2 i + 2. */
static mcv_status push_queue(BPEWord *word, BPEQueued entry) {
    MCV_TRY(MCV_GROW(&word->queue, &word->queue_capacity, word->num_queued + 1));
    size_t place = word->num_queued++;
    for (; place > 0; place = (place - 1) / 2) {
        const BPEQueued *parent = &word->queue[(place - 1) / 2];
        if (!goes_before(&entry, parent))
            break;
        word->queue[place] = *parent;
    }
    word->queue[place] = entry;
    return MCV_OK;
}

static BPEQueued pop_queue(BPEWord *word) {
    BPEQueued *queue = word->queue, first = queue[0], last = queue[--word->num_queued];
    size_t place = 0, count = word->num_queued;
    for (size_t child = 1; child < count; child = 2 * place + 1) {
        if (child + 1 < count && goes_before(&queue[child + 1], &queue[child]))
            child++;
        if (!goes_before(&queue[child], &last))
            break;
        queue[place] = queue[child];
        place = child;
    }
    queue[place] = last;
    return first;
}

/* Queues the merge of the symbol at `position` with its right neighbour, where there is one. */
static mcv_status queue_merge(const BPE *bpe, BPEWord *word, size_t position) {
    const BPESymbol *symbol = &word->symbols[position];
    if (symbol->next == NONE)
        return MCV_OK;
    const BPEMerge *merge = find_merge(bpe, symbol->id, word->symbols[symbol->next].id);
    return merge ? push_queue(word, (BPEQueued){position, merge->rank, merge->result}) : MCV_OK;
}

/* An entry is out of date where its symbols have been merged otherwise meanwhile. HF compares the result alone. */
static bool is_due(const BPE *bpe, const BPEWord *word, const BPEQueued *entry) {
    const BPESymbol *left = &word->symbols[entry->position];
    if (left->id < 0 || left->next == NONE)
        return false;
    const BPEMerge *merge = find_merge(bpe, left->id, word->symbols[left->next].id);
    return merge && merge->result == entry->result;
}

static void merge_symbols(BPEWord *word, size_t position, int32_t result) {
    BPESymbol *left = &word->symbols[position], *right = &word->symbols[left->next];
    left->id = result;
    right->id = -1;
    left->next = right->next;
    if (right->next != NONE)
        word->symbols[right->next].previous = position;
}

/* HF: Word::merge_all. */
static mcv_status merge_all(const BPE *bpe, BPEWord *word) {
    word->num_queued = 0;
    for (size_t i = 0; i < word->num_symbols; i++)
        MCV_TRY(queue_merge(bpe, word, i));
    while (word->num_queued) {
        BPEQueued entry = pop_queue(word);
        if (!is_due(bpe, word, &entry))
            continue;
        merge_symbols(word, entry.position, entry.result);
        size_t previous = word->symbols[entry.position].previous;
        if (previous != NONE)
            MCV_TRY(queue_merge(bpe, word, previous));
        MCV_TRY(queue_merge(bpe, word, entry.position));
    }
    return MCV_OK;
}

static mcv_status split_into_bytes(const BPE *bpe, BPEWord *word, const char *bytes, size_t size) {
    MCV_TRY(MCV_GROW(&word->symbols, &word->symbols_capacity, size));
    for (size_t i = 0; i < size; i++)
        word->symbols[i] = (BPESymbol){.id = bpe->byte_ids[(unsigned char)bytes[i]],
                                       .previous = i > 0 ? i - 1 : NONE,
                                       .next = i + 1 < size ? i + 1 : NONE};
    word->num_symbols = size;
    return MCV_OK;
}

/* The id of the whole word, -1 where it is no token. */
static mcv_status find_whole(const BPE *bpe, BPEWord *word, const char *bytes, size_t size, int32_t *id) {
    word->spelled.size = 0;
    MCV_TRY(ByteLevel_encode(bytes, size, &word->spelled));
    *id = BPE_token_to_id(bpe, word->spelled.data, word->spelled.size);
    return MCV_OK;
}

mcv_status BPE_tokenize(const BPE *bpe, BPEWord *word, const char *bytes, size_t size, TokenIds *ids) {
    if (bpe->ignore_merges) {
        int32_t id;
        MCV_TRY(find_whole(bpe, word, bytes, size, &id));
        if (id >= 0)
            return TokenIds_append(ids, id);
    }
    MCV_TRY(split_into_bytes(bpe, word, bytes, size));
    MCV_TRY(merge_all(bpe, word));
    for (size_t i = 0; i < size; i = word->symbols[i].next)
        MCV_TRY(TokenIds_append(ids, word->symbols[i].id));
    return MCV_OK;
}

void BPEWord_free(BPEWord *word) {
    free(word->symbols);
    free(word->queue);
    mcv_buffer_free(&word->spelled);
    *word = (BPEWord){0};
}
