/* The KV cache: keys and values in pages of MCV_KEY_BLOCK positions, which sequences share.
 *
 * A page holds its positions for all layers and heads. Beams, batches with a common beginning and the next turn of a
 * conversation refer to the same full pages; a page that is written to is copied first where others refer to it, too.
 * Masked tokens are not kept, so that a position's number counts the tokens that can be seen. */
#ifndef MCV_SIMD_ENGINE_KV_CACHE_H
#define MCV_SIMD_ENGINE_KV_CACHE_H

#include "core/memory.h"
#include "simd/kernels/kernels.h"

typedef struct mcv_kv_page mcv_kv_page;

typedef struct mcv_kv_cache {
    size_t layers, kv_heads, head_dim;
    mcv_kv_type type;
    size_t k_bytes;     /* of a block's keys, and of its values */
    size_t block_bytes; /* of a head in a layer: keys, values, scales; a multiple of 64 */
} mcv_kv_cache;

/* A sequence of positions. {0} is an empty one. */
typedef struct mcv_kv_sequence {
    mcv_kv_page **pages;
    size_t num_pages, capacity;
    uint32_t length; /* positions */
} mcv_kv_sequence;

mcv_kv_cache mcv_kv_cache_make(size_t layers, size_t kv_heads, size_t head_dim, mcv_kv_type type);

/* Makes `count` more positions, to be written with mcv_kv_store. */
mcv_status mcv_kv_extend(const mcv_kv_cache *cache, mcv_kv_sequence *sequence, uint32_t count);
/* Drops the positions from `length` on. */
void mcv_kv_truncate(mcv_kv_sequence *sequence, uint32_t length);
void mcv_kv_free(mcv_kv_sequence *sequence);
/* *copy, which is empty, becomes a sequence with the same positions. */
mcv_status mcv_kv_fork(const mcv_kv_sequence *sequence, mcv_kv_sequence *copy);

/* Writes keys and values of a position in a layer, [kv_heads][head_dim] each, rounded to the cache's type: BF16 to
 * nearest even; INT8 as quantize_rows does with group = head_dim. */
void mcv_kv_store(const mcv_kv_cache *cache, const mcv_kv_sequence *sequence, size_t layer, uint32_t position,
                  const float *k, const float *v);

/* Bytes of the keys and values of `length` positions. */
size_t mcv_kv_bytes(const mcv_kv_cache *cache, uint32_t length);

/* The block of positions 64 i to 64 i + 63 of a head in a layer. */
mcv_kv_block mcv_kv_block_at(const mcv_kv_cache *cache, const mcv_kv_sequence *sequence, size_t layer, size_t head,
                             size_t block);

#endif
