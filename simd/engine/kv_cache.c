#include "simd/engine/kv_cache.h"

#include <string.h>

#include "core/tensor.h"

struct mcv_kv_page {
    size_t references;
    unsigned char *blocks; /* [layers][kv_heads][block_bytes], aligned to 64 bytes */
};

mcv_kv_cache mcv_kv_cache_make(size_t layers, size_t kv_heads, size_t head_dim, mcv_kv_type type) {
    static const size_t SIZES[] = {[MCV_KV_F32] = 4, [MCV_KV_BF16] = 2, [MCV_KV_INT8] = 1};
    size_t k_bytes = MCV_KEY_BLOCK * head_dim * SIZES[type];
    size_t scales = type == MCV_KV_INT8 ? 2 * MCV_KEY_BLOCK * sizeof(float) : 0;
    return (mcv_kv_cache){layers, kv_heads, head_dim, type, k_bytes, 2 * k_bytes + scales};
}

static size_t page_bytes(const mcv_kv_cache *cache) {
    return cache->layers * cache->kv_heads * cache->block_bytes;
}

/* Zeroed, as places behind the last position have to hold something finite. */
static mcv_status new_page(const mcv_kv_cache *cache, mcv_kv_page **out) {
    size_t bytes = page_bytes(cache);
    mcv_kv_page *page;
    MCV_TRY(MCV_NEW(&page, 1));
    page->references = 1;
    page->blocks = aligned_alloc(64, bytes);
    if (!page->blocks) {
        free(page);
        return MCV_FAIL_MEMORY(bytes);
    }
    memset(page->blocks, 0, bytes);
    *out = page;
    return MCV_OK;
}

static void release_page(mcv_kv_page *page) {
    if (--page->references > 0)
        return;
    free(page->blocks);
    free(page);
}

static mcv_status make_own(const mcv_kv_cache *cache, mcv_kv_page **page) {
    mcv_kv_page *copy;
    if ((*page)->references == 1)
        return MCV_OK;
    MCV_TRY(new_page(cache, &copy));
    memcpy(copy->blocks, (*page)->blocks, page_bytes(cache));
    release_page(*page);
    *page = copy;
    return MCV_OK;
}

mcv_status mcv_kv_extend(const mcv_kv_cache *cache, mcv_kv_sequence *sequence, uint32_t count) {
    size_t needed = ((size_t)sequence->length + count + MCV_KEY_BLOCK - 1) / MCV_KEY_BLOCK;
    if (count && sequence->length % MCV_KEY_BLOCK)
        MCV_TRY(make_own(cache, &sequence->pages[sequence->length / MCV_KEY_BLOCK]));
    MCV_TRY(MCV_GROW(&sequence->pages, &sequence->capacity, needed));
    while (sequence->num_pages < needed) {
        MCV_TRY(new_page(cache, &sequence->pages[sequence->num_pages]));
        sequence->num_pages++;
    }
    sequence->length += count;
    return MCV_OK;
}

void mcv_kv_truncate(mcv_kv_sequence *sequence, uint32_t length) {
    size_t needed = ((size_t)length + MCV_KEY_BLOCK - 1) / MCV_KEY_BLOCK;
    while (sequence->num_pages > needed)
        release_page(sequence->pages[--sequence->num_pages]);
    sequence->length = length;
}

void mcv_kv_free(mcv_kv_sequence *sequence) {
    mcv_kv_truncate(sequence, 0);
    free(sequence->pages);
    *sequence = (mcv_kv_sequence){0};
}

mcv_status mcv_kv_fork(const mcv_kv_sequence *sequence, mcv_kv_sequence *copy) {
    MCV_TRY(MCV_GROW(&copy->pages, &copy->capacity, sequence->num_pages));
    for (size_t i = 0; i < sequence->num_pages; i++) {
        copy->pages[i] = sequence->pages[i];
        copy->pages[i]->references++;
    }
    copy->num_pages = sequence->num_pages;
    copy->length = sequence->length;
    return MCV_OK;
}

static unsigned char *block_of(const mcv_kv_cache *cache, const mcv_kv_page *page, size_t layer, size_t head) {
    return page->blocks + (layer * cache->kv_heads + head) * cache->block_bytes;
}

/* Element i of a block's keys or values in F32 or BF16. */
static void put(mcv_kv_type type, void *block, size_t i, float value) {
    if (type == MCV_KV_F32)
        ((float *)block)[i] = value;
    else
        ((uint16_t *)block)[i] = mcv_bf16_from_f32(value);
}

static void quantize(const float *x, size_t count, int8_t *q, float *scale) {
    int32_t sum;
    mcv_quantize_rows_contract(&(mcv_quantize_rows_args){.m = 1,
                                                         .k = count,
                                                         .group = count,
                                                         .sum_group = count,
                                                         .x = x,
                                                         .ldx = count,
                                                         .q = q,
                                                         .ldq = count,
                                                         .scale = scale,
                                                         .sum = &sum});
}

static void store_head_int8(const mcv_kv_cache *cache, unsigned char *block, size_t at, size_t key, const float *k,
                            const float *v) {
    int8_t *keys = (int8_t *)block, *values = keys + cache->k_bytes, quantized[MCV_MAX_HEAD_DIM];
    float *scales = (float *)(values + cache->k_bytes);
    quantize(v, cache->head_dim, values + at * cache->head_dim, &scales[MCV_KEY_BLOCK + at]);
    quantize(k, cache->head_dim, quantized, &scales[at]);
    for (size_t d = 0; d < cache->head_dim; d++)
        keys[key + d * MCV_LANES] = quantized[d];
}

static void store_head(const mcv_kv_cache *cache, unsigned char *block, size_t at, const float *k, const float *v) {
    size_t key = at / MCV_LANES * cache->head_dim * MCV_LANES + at % MCV_LANES;
    if (cache->type == MCV_KV_INT8) {
        store_head_int8(cache, block, at, key, k, v);
        return;
    }
    for (size_t d = 0; d < cache->head_dim; d++) {
        put(cache->type, block, key + d * MCV_LANES, k[d]);
        put(cache->type, block + cache->k_bytes, at * cache->head_dim + d, v[d]);
    }
}

void mcv_kv_store(const mcv_kv_cache *cache, const mcv_kv_sequence *sequence, size_t layer, uint32_t position,
                  const float *k, const float *v) {
    const mcv_kv_page *page = sequence->pages[position / MCV_KEY_BLOCK];
    for (size_t head = 0; head < cache->kv_heads; head++)
        store_head(cache, block_of(cache, page, layer, head), position % MCV_KEY_BLOCK, k + head * cache->head_dim,
                   v + head * cache->head_dim);
}

mcv_kv_block mcv_kv_block_at(const mcv_kv_cache *cache, const mcv_kv_sequence *sequence, size_t layer, size_t head,
                             size_t block) {
    const unsigned char *data = block_of(cache, sequence->pages[block], layer, head);
    const float *scales = (const float *)(data + 2 * cache->k_bytes);
    bool scaled = cache->type == MCV_KV_INT8;
    return (mcv_kv_block){data, data + cache->k_bytes, scaled ? scales : NULL, scaled ? scales + MCV_KEY_BLOCK : NULL};
}

size_t mcv_kv_bytes(const mcv_kv_cache *cache, uint32_t length) {
    return page_bytes(cache) / MCV_KEY_BLOCK * length;
}
