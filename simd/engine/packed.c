#include "simd/engine/packed.h"

#include <string.h>
#include <xxhash.h>

#include "simd/engine/packing.h"

enum { MAX_K = 131072 };

/* Which layout a layer gets, and the sizes of its parts. kept: as in mcv_stored_layout. Returns whether weights are
 * packed as they are stored. */
static bool choose_layout(mcv_packer *packer, const mcv_weight *weight, mcv_precision precision, bool kept,
                          mcv_packed *packed) {
    static const mcv_layout LAYOUTS[] = {[MCV_PRECISION_F32] = MCV_LAYOUT_F32,
                                         [MCV_PRECISION_BF16] = MCV_LAYOUT_BF16,
                                         [MCV_PRECISION_INT8] = MCV_LAYOUT_INT8,
                                         [MCV_PRECISION_INT4] = MCV_LAYOUT_INT4,
                                         [MCV_PRECISION_STORED] = MCV_LAYOUT_F32};
    if (precision == MCV_PRECISION_STORED && mcv_stored_layout(weight, kept, packed))
        return true;
    packer->widened += precision == MCV_PRECISION_STORED && weight->type > MCV_WEIGHT_BF16;
    mcv_layout layout = LAYOUTS[precision];
    if (layout == MCV_LAYOUT_F32 && weight->type == MCV_WEIGHT_BF16)
        layout = MCV_LAYOUT_BF16;
    if (layout == MCV_LAYOUT_F32 && weight->type == MCV_WEIGHT_F16)
        layout = MCV_LAYOUT_F16;
    mcv_widened_layout(layout, packer->group, packed);
    packer->bf16 += packed->layout == MCV_LAYOUT_BF16;
    return false;
}

enum { MOST = 256 }; /* bytes of an array that are hashed */

static uint64_t hash_begin(const void *bytes, size_t size, uint64_t hash) {
    return XXH3_64bits_withSeed(bytes, size < MOST ? size : MOST, hash);
}

static uint64_t hash_nf4(const mcv_nf4 *nf4, uint64_t hash) {
    const uint64_t sizes[] = {nf4->block_size, nf4->nested_block_size};
    size_t blocks = mcv_groups(nf4->elements, nf4->block_size);
    hash = XXH3_64bits_withSeed(sizes, sizeof sizes, hash);
    hash = XXH3_64bits_withSeed(nf4->table, sizeof nf4->table, hash);
    hash = hash_begin(nf4->absmax.data, blocks * mcv_dtype_bits(nf4->absmax.dtype) / 8, hash);
    if (!nf4->nested_table)
        return hash;
    hash = XXH3_64bits_withSeed(&nf4->nested_offset, sizeof nf4->nested_offset, hash);
    hash = hash_begin(nf4->nested_table, 256 * sizeof(float), hash);
    return hash_begin(nf4->nested_absmax, mcv_groups(blocks, nf4->nested_block_size) * sizeof(float), hash);
}

/* Hashes bytes from the middle of the weights, their shape and type and how they are packed: what tells a file that was
 * made from them from one that was not. More bytes would have more of the model's file read. */
static uint64_t fingerprint(const mcv_weight *weight, const mcv_packed *packed, bool stored) {
    uint64_t words[] = {5 /* of the layouts */, (uint64_t)weight->type,   packed->n,     packed->k,
                        weight->first_row,      (uint64_t)packed->layout, packed->group, stored};
    uint64_t hash = XXH3_64bits(words, sizeof words);
    const mcv_grouped *grouped = weight->grouped;
    if (grouped) {
        const uint64_t settings[] = {grouped->is_awq, (uint64_t)grouped->zero_offset, grouped->group_size};
        size_t zeros = grouped->groups * (grouped->out / 8) * sizeof(int32_t);
        hash = XXH3_64bits_withSeed(settings, sizeof settings, hash);
        hash = hash_begin(grouped->qzeros, zeros, hash);
    }
    if (weight->nf4)
        hash = hash_nf4(weight->nf4, hash);
    const uint8_t *bytes;
    size_t size = mcv_weight_sample(weight, MOST, &bytes);
    return XXH3_64bits_withSeed(bytes, size, hash);
}

static mcv_status pack(const mcv_packer *packer, const mcv_weight *weight, bool stored, mcv_packed *packed) {
    mcv_packing work = {.weight = weight, .packed = packed};
    size_t panels = mcv_panels(packed->n), rows = (size_t)mcv_pool_threads(packer->pool) * MCV_LANES;
    for (int i = 0; i < MCV_PARTS; i++)
        if (packed->parts[i].panel_bytes)
            MCV_TRY(
                mcv_arena_alloc(packer->arena, (void **)&packed->parts[i].data, panels, packed->parts[i].panel_bytes));
    mcv_status status = stored ? MCV_OK : MCV_NEW(&work.rows, rows * packed->k);
    if (status == MCV_OK && packed->layout == MCV_LAYOUT_INT8)
        status = MCV_NEW(&work.quantized, rows * mcv_round_up(packed->k, MCV_K_PADDING));
    if (status == MCV_OK)
        mcv_parallel_for(packer->pool, panels, stored ? mcv_pack_stored : mcv_pack_widened[packed->layout], &work);
    free(work.rows);
    free(work.quantized);
    mcv_weight_forget(weight);
    return status;
}

static mcv_packed layer_of(const Linear *linear) {
    const mcv_weight *weight = &linear->weight;
    return (mcv_packed){
        .name = linear->name, .n = (size_t)weight->shape[0], .k = weight->columns, .bias = linear->bias};
}

/* From what is kept. INT8 that the kernel does not take was kept widened: it is read for that only where it is not
 * found as it is. */
static mcv_status take(mcv_packer *packer, const char *key, const Linear *linear, mcv_precision precision, bool stored,
                       mcv_packed *packed) {
    const mcv_weight *weight = &linear->weight;
    mcv_status status = mcv_take_parts(packer, key, packed, fingerprint(weight, packed, stored));
    if (status != MCV_DIFFERS || !stored || !weight->int8)
        return status;
    *packed = layer_of(linear);
    stored = choose_layout(packer, weight, precision, false, packed);
    return mcv_take_parts(packer, key, packed, fingerprint(weight, packed, stored));
}

mcv_status mcv_pack_linear(mcv_packer *packer, const char *key, const Linear *linear, mcv_precision precision,
                           mcv_packed *packed) {
    const mcv_weight *weight = &linear->weight;
    *packed = layer_of(linear);
    bool stored = choose_layout(packer, weight, precision, packer->kept, packed);
    if (packed->group && packed->k > MAX_K)
        return MCV_FAIL(MCV_UNSUPPORTED, "%s: %zu in_features; integer kernels take %d at most", key, packed->k, MAX_K);
    if (packer->kept)
        return take(packer, key, linear, precision, stored, packed);
    MCV_TRY(pack(packer, weight, stored, packed));
    return packer->writer ? mcv_keep_parts(packer->writer, key, packed, fingerprint(weight, packed, stored)) : MCV_OK;
}

size_t mcv_packed_bytes(const mcv_packed *packed) {
    size_t bytes = 0;
    for (int i = 0; i < MCV_PARTS; i++)
        bytes += mcv_panels(packed->n) * packed->parts[i].panel_bytes;
    return bytes;
}
