/* The last conversation, kept so that the next one can go on from it where both begin alike.
 *
 * Positions are compared by keys: a text token's id, and for a place of an image feature a hash of the pixels, grids
 * and times of its slices and its number among the features. */
#ifndef MCV_SIMD_ENGINE_PREFIX_H
#define MCV_SIMD_ENGINE_PREFIX_H

#include "core/arena.h"
#include "ref/modeling_minicpmv.h"
#include "simd/engine/kv_cache.h"

/* Keys of a sequence's positions (masked tokens have none). */
typedef struct mcv_prefix_keys {
    uint64_t *keys;
    size_t count, capacity;
} mcv_prefix_keys;

typedef struct mcv_prefix {
    mcv_kv_sequence sequence;
    mcv_prefix_keys keys; /* as many as sequence.length */
} mcv_prefix;

mcv_status mcv_prefix_keys_add(mcv_prefix_keys *keys, uint64_t key);
void mcv_prefix_keys_truncate(mcv_prefix_keys *keys, size_t count);
void mcv_prefix_keys_free(mcv_prefix_keys *keys);

/* Keys of the first conversation of a batch. */
mcv_status mcv_prefix_make_keys(const MiniCPMV *model, mcv_arena *arena, const MiniCPMVBatchFeature *data,
                                mcv_prefix_keys *keys);

/* Gives what the prefix has in common with the first conversation of `data`, whose keys are `keys`, to *sequence
 * (empty before); never all of it, as the last token has to be run for its logits. *first: the token to go on from.
 * *needed: [num_groups], which groups of image features come behind it. */
mcv_status mcv_prefix_take(const mcv_prefix *prefix, const mcv_prefix_keys *keys, const MiniCPMVBatchFeature *data,
                           int query_num, mcv_arena *arena, mcv_kv_sequence *sequence, int *first, bool **needed);

/* Keeps a sequence and its keys instead of what was kept; both are empty afterwards. */
void mcv_prefix_keep(mcv_prefix *prefix, mcv_kv_sequence *sequence, mcv_prefix_keys *keys);
void mcv_prefix_free(mcv_prefix *prefix);

#endif
