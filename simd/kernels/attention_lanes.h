/* attention, see kernels.h, on the registers of lanes.h.
 *
 * A group of queries goes through the blocks of keys together. In each block its scores are computed by tiles of
 * TILE_ROWS queries with TILE_LANES panels of keys, made exponentials, and the values are added up by tiles of
 * as many queries with registers of dimensions: sums stay in registers, a block stays in the cache for all of a group.
 * A register holds 16 dimensions; where head_dim is no multiple, the last one begins earlier, computes some dimensions
 * a second time and keeps its sums apart. */
#ifndef MCV_SIMD_KERNELS_ATTENTION_LANES_H
#define MCV_SIMD_KERNELS_ATTENTION_LANES_H

#include "simd/kernels/lanes.h"

/* 16 floats are one of 32 registers, two of 16 or four of 32. */
#if defined(__AVX512F__)
enum { TILE_LANES = 4 };
#else
enum { TILE_LANES = 1 };
#endif

enum {
    TILE_ROWS = 6,
    GROUP_ROWS = 48, /* a multiple of MCV_LANES and of every tile */
    FEW_ROWS = 4,    /* a smaller tile, for a token's queries that share keys and values */
};

/* Queries that go through the blocks together; rows up to the end of the last tile repeat the last query. */
typedef struct Group {
    size_t rows, registers;        /* of head_dim */
    float *q;                      /* [rows][head_dim] */
    float *o;                      /* [rows][registers][16] */
    float *s;                      /* [rows][MCV_KEY_BLOCK]: scores, then their exponentials */
    uint32_t visible[GROUP_ROWS];  /* keys from the first one on */
    uint32_t in_block[GROUP_ROWS]; /* of them in this block */
    float largest[GROUP_ROWS], sum[GROUP_ROWS], rescale[GROUP_ROWS];
    float block_largest[GROUP_ROWS], block_sum[GROUP_ROWS];
} Group;

_Static_assert(sizeof(Group) + GROUP_ROWS * (2 * MCV_MAX_HEAD_DIM + MCV_KEY_BLOCK) * sizeof(float) <= MCV_SCRATCH_BYTES,
               "a group fits into scratch memory");

/* 16 elements of keys or values from `i` on. */
MCV_INLINE mcv_floats load_kv(mcv_kv_type type, const void *data, size_t i) {
    switch (type) {
    case MCV_KV_F32:
        return mcv_floats_load((const float *)data + i);
    case MCV_KV_BF16:
        return mcv_floats_load_bf16((const uint16_t *)data + i);
    default:
        return mcv_floats_load_i8((const int8_t *)data + i);
    }
}

/* The first `count` of them. */
MCV_INLINE mcv_floats load_kv_part(mcv_kv_type type, const void *data, size_t i, size_t count) {
    switch (type) {
    case MCV_KV_F32:
        return mcv_floats_load_part((const float *)data + i, count);
    case MCV_KV_BF16:
        return mcv_floats_load_bf16_part((const uint16_t *)data + i, count);
    default:
        return mcv_floats_load_i8_part((const int8_t *)data + i, count);
    }
}

MCV_INLINE size_t kv_size(mcv_kv_type type) {
    return type == MCV_KV_F32 ? sizeof(float) : type == MCV_KV_BF16 ? sizeof(uint16_t) : sizeof(int8_t);
}

/* Asks for what the same step `i` of the loop over the next block reads, `elements` of this type. Few queries wait for
 * memory, and a whole block ahead is far enough; for many, a block is in the cache most of the time. */
MCV_INLINE void prefetch_step(mcv_kv_type type, const int rows, const void *next, size_t i, int elements) {
    if (rows <= FEW_ROWS)
        for (size_t at = 0; at < elements * kv_size(type); at += 64)
            __builtin_prefetch((const char *)next + i * elements * kv_size(type) + at, 0,
                               2 /* into the second level */);
}

/* s[row][panel] = q . k for `rows` queries, TILE_LANES panels. `next`: keys of the next block. */
MCV_INLINE void score_tile(mcv_kv_type type, const int rows, size_t head_dim, const float *q, const void *k,
                           size_t panel, const void *next, float *s) {
    mcv_floats chain[TILE_ROWS][TILE_LANES];
    for (int r = 0; r < rows; r++)
        for (int p = 0; p < TILE_LANES; p++)
            chain[r][p] = mcv_floats_set(0);
    for (size_t d = 0; d < head_dim; d++) {
        mcv_floats keys[TILE_LANES];
        prefetch_step(type, rows, next, panel / TILE_LANES * head_dim + d, TILE_LANES * MCV_LANES);
        for (int p = 0; p < TILE_LANES; p++)
            keys[p] = load_kv(type, k, ((panel + p) * head_dim + d) * MCV_LANES);
        for (int r = 0; r < rows; r++)
            for (int p = 0; p < TILE_LANES; p++)
                chain[r][p] = mcv_floats_fma(mcv_floats_set(q[r * head_dim + d]), keys[p], chain[r][p]);
    }
    for (int r = 0; r < rows; r++)
        for (int p = 0; p < TILE_LANES; p++)
            mcv_floats_store(s + r * MCV_KEY_BLOCK + (panel + p) * MCV_LANES, chain[r][p]);
}

/* s * scale, minus infinity for the keys of the last panel that are not visible; the largest of them. */
MCV_INLINE float scale_scores(const mcv_attention_args *a, const mcv_kv_block *block, float *s, size_t count) {
    mcv_floats largest = mcv_floats_set(-INFINITY), scale = mcv_floats_set(a->scale);
    for (size_t j = 0; j < count; j += MCV_LANES) {
        mcv_floats factor = scale;
        if (a->type == MCV_KV_INT8)
            factor = mcv_floats_multiply(mcv_floats_load(block->k_scale + j), scale);
        mcv_floats scaled = mcv_floats_multiply(mcv_floats_load(s + j), factor);
        mcv_floats_store(s + j, scaled);
        if (j + MCV_LANES > count) {
            for (size_t i = count; i < j + MCV_LANES; i++)
                s[i] = -INFINITY;
            scaled = mcv_floats_load(s + j);
        }
        largest = mcv_floats_larger(largest, scaled);
    }
    return mcv_floats_largest(largest);
}

/* Exponentials in place of scores, times v_scale where there is one; the sum without it. */
MCV_INLINE float exponentiate(const mcv_attention_args *a, const mcv_kv_block *block, float *s, size_t count,
                              float largest) {
    mcv_floats sum = mcv_floats_set(0);
    for (size_t j = 0; j < count; j += MCV_LANES) {
        mcv_floats p = mcv_floats_subtract(mcv_floats_load(s + j), mcv_floats_set(largest));
        p = mcv_floats_exp_negative(p);
        sum = mcv_floats_add(sum, p);
        if (a->type == MCV_KV_INT8)
            p = mcv_floats_multiply(p, mcv_floats_load(block->v_scale + j));
        mcv_floats_store(s + j, p);
    }
    return mcv_floats_tree_sum(sum);
}

/* From scores to exponentials, for a whole group. A NaN among scores is no largest, but makes the sum one. */
MCV_INLINE void soften(const mcv_attention_args *a, const mcv_kv_block *block, Group *group) {
    for (size_t r = 0; r < group->rows; r++) {
        float largest = scale_scores(a, block, group->s + r * MCV_KEY_BLOCK, group->in_block[r]);
        group->block_largest[r] = largest > group->largest[r] ? largest : group->largest[r];
    }
    for (size_t r = 0; r < group->rows; r++)
        group->block_sum[r] =
            exponentiate(a, block, group->s + r * MCV_KEY_BLOCK, group->in_block[r], group->block_largest[r]);
    for (size_t r = 0; r < group->rows; r += MCV_LANES) {
        mcv_floats largest = mcv_floats_load(group->block_largest + r);
        mcv_floats rescale = mcv_floats_exp_negative(mcv_floats_subtract(mcv_floats_load(group->largest + r), largest));
        mcv_floats sum = mcv_floats_load(group->block_sum + r);
        mcv_floats_store(group->sum + r, mcv_floats_fma(mcv_floats_load(group->sum + r), rescale, sum));
        mcv_floats_store(group->rescale + r, rescale);
        mcv_floats_store(group->largest + r, largest);
    }
}

/* The first dimension of a register. */
MCV_INLINE size_t register_begin(size_t head_dim, size_t i) {
    return (i + 1) * MCV_LANES <= head_dim ? i * MCV_LANES : head_dim < MCV_LANES ? 0 : head_dim - MCV_LANES;
}

MCV_INLINE mcv_floats load_values(const mcv_attention_args *a, mcv_kv_type type, const void *v, size_t j, size_t i) {
    if (a->head_dim < MCV_LANES)
        return load_kv_part(type, v, j * a->head_dim, a->head_dim);
    return load_kv(type, v, j * a->head_dim + register_begin(a->head_dim, i));
}

/* o = o * rescale + the sum of p[j] v[j] over j < keys, for `rows` queries from `row` on and `count` registers.
 * `next`: values of the next block. */
MCV_INLINE void value_tile(const mcv_attention_args *a, mcv_kv_type type, const int rows, const Group *group,
                           const void *v, const void *next, size_t row, size_t first, const int count, size_t keys) {
    mcv_floats sum[TILE_ROWS][TILE_LANES];
    size_t stride = group->registers * MCV_LANES;
    float *o = group->o + row * stride + first * MCV_LANES;
    const float *p = group->s + row * MCV_KEY_BLOCK;
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < count; i++)
            sum[r][i] = mcv_floats_multiply(mcv_floats_load(o + r * stride + i * MCV_LANES),
                                            mcv_floats_set(group->rescale[row + r]));
    for (size_t j = 0; j < keys; j++) {
        mcv_floats values[TILE_LANES];
        prefetch_step(type, rows, next, first / count * MCV_KEY_BLOCK + j, count * MCV_LANES);
        for (int i = 0; i < count; i++)
            values[i] = load_values(a, type, v, j, first + i);
        for (int r = 0; r < rows; r++)
            for (int i = 0; i < count; i++)
                sum[r][i] = mcv_floats_fma(mcv_floats_set(p[r * MCV_KEY_BLOCK + j]), values[i], sum[r][i]);
    }
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < count; i++)
            mcv_floats_store(o + r * stride + i * MCV_LANES, sum[r][i]);
}

/* The keys that only some queries of a tile see, for one of these. */
MCV_INLINE void value_row(const mcv_attention_args *a, mcv_kv_type type, const Group *group, const void *v, size_t row,
                          size_t from) {
    for (size_t i = 0; i < group->registers; i++) {
        float *o = group->o + (row * group->registers + i) * MCV_LANES;
        mcv_floats sum = mcv_floats_load(o);
        for (size_t j = from; j < group->in_block[row]; j++)
            sum = mcv_floats_fma(mcv_floats_set(group->s[row * MCV_KEY_BLOCK + j]), load_values(a, type, v, j, i), sum);
        mcv_floats_store(o, sum);
    }
}

#define MCV_AT_MOST(count) ((count) < TILE_LANES ? (count) : TILE_LANES)

/* The values of a block for a tile, in passes over as many registers as fit. */
MCV_INLINE void add_values(const mcv_attention_args *a, mcv_kv_type type, const int rows, const Group *group,
                           const void *v, const void *next, size_t row) {
    size_t common = MCV_KEY_BLOCK, passes = (group->registers + TILE_LANES - 1) / TILE_LANES;
    for (int r = 0; r < rows; r++)
        common = group->in_block[row + r] < common ? group->in_block[row + r] : common;
    for (size_t pass = 0; pass < passes; pass++) {
        size_t begin = group->registers * pass / passes, end = group->registers * (pass + 1) / passes;
        switch (end - begin) {
        case 1:
            value_tile(a, type, rows, group, v, next, row, begin, 1, common);
            break;
        case 2:
            value_tile(a, type, rows, group, v, next, row, begin, MCV_AT_MOST(2), common);
            break;
        case 3:
            value_tile(a, type, rows, group, v, next, row, begin, MCV_AT_MOST(3), common);
            break;
        default:
            value_tile(a, type, rows, group, v, next, row, begin, MCV_AT_MOST(4), common);
        }
    }
    for (int r = 0; r < rows; r++)
        if (group->in_block[row + r] > common)
            value_row(a, type, group, v, row + r, common);
}

/* One block of keys and values of which some query sees something. */
MCV_INLINE void take_block(const mcv_attention_args *a, mcv_kv_type type, const int rows, Group *group,
                           const mcv_kv_block *block, size_t first, const mcv_kv_block *next) {
    bool seen[GROUP_ROWS] = {0}; /* by a query of the tile */
    for (size_t r = 0; r < group->rows; r++) {
        size_t left = group->visible[r] > first ? group->visible[r] - first : 0;
        group->in_block[r] = (uint32_t)(left < MCV_KEY_BLOCK ? left : MCV_KEY_BLOCK);
        seen[r / rows] = seen[r / rows] || left > 0;
    }
    for (size_t panel = 0; panel < MCV_KEY_BLOCK / MCV_LANES; panel += TILE_LANES)
        for (size_t r = 0; r < group->rows; r += rows)
            if (seen[r / rows])
                score_tile(type, rows, a->head_dim, group->q + r * a->head_dim, block->k, panel, next->k,
                           group->s + r * MCV_KEY_BLOCK);
    soften(a, block, group);
    for (size_t r = 0; r < group->rows; r += rows)
        if (seen[r / rows])
            add_values(a, type, rows, group, block->v, next->v, r);
}

/* `count` queries from `first` on. Returns the most keys that one sees. */
static uint32_t begin_group(const mcv_attention_args *a, const int rows, Group *group, size_t first, size_t count) {
    uint32_t most = 0;
    group->rows = (count + rows - 1) / rows * rows;
    group->registers = (a->head_dim + MCV_LANES - 1) / MCV_LANES;
    group->s = (float *)(group + 1);
    group->o = group->s + GROUP_ROWS * MCV_KEY_BLOCK;
    group->q = group->o + group->rows * group->registers * MCV_LANES;
    for (size_t r = 0; r < group->rows; r++) {
        size_t query = first + (r < count ? r : count - 1);
        memcpy(group->q + r * a->head_dim, a->q + query * a->ldq, a->head_dim * sizeof *group->q);
        group->visible[r] = a->visible[query];
        most = group->visible[r] > most ? group->visible[r] : most;
    }
    for (size_t r = 0; r < GROUP_ROWS; r++) {
        group->largest[r] = group->block_largest[r] = -INFINITY;
        group->sum[r] = group->block_sum[r] = 0;
    }
    memset(group->o, 0, group->rows * group->registers * MCV_LANES * sizeof *group->o);
    return most;
}

static void end_group(const mcv_attention_args *a, const Group *group, size_t first, size_t count) {
    for (size_t r = 0; r < count; r++)
        for (size_t i = 0; i < group->registers; i++) {
            float *y = a->y + (first + r) * a->ldy + register_begin(a->head_dim, i);
            mcv_floats o = mcv_floats_load(group->o + (r * group->registers + i) * MCV_LANES);
            mcv_floats quotient = mcv_floats_divide(o, mcv_floats_set(group->sum[r]));
            mcv_floats_store_step(y, group->visible[r] ? quotient : mcv_floats_set(0), mcv_step(a->head_dim));
        }
}

MCV_INLINE void attend(const mcv_attention_args *a, mcv_kv_type type, const int rows) {
    Group *group = a->scratch;
    for (size_t first = 0; first < a->queries; first += GROUP_ROWS) {
        size_t count = a->queries - first < GROUP_ROWS ? a->queries - first : GROUP_ROWS;
        uint32_t most = begin_group(a, rows, group, first, count);
        for (size_t key = 0; key < most; key += MCV_KEY_BLOCK) {
            const mcv_kv_block *block = &a->blocks[key / MCV_KEY_BLOCK];
            take_block(a, type, rows, group, block, key, key + MCV_KEY_BLOCK < most ? block + 1 : block);
        }
        end_group(a, group, first, count);
    }
}

MCV_INLINE void attend_rows(const mcv_attention_args *a, mcv_kv_type type) {
    if (a->queries <= FEW_ROWS)
        attend(a, type, FEW_ROWS);
    else
        attend(a, type, TILE_ROWS);
}

MCV_INLINE void mcv_attention_lanes(const mcv_attention_args *a) {
    switch (a->type) {
    case MCV_KV_F32:
        attend_rows(a, MCV_KV_F32);
        break;
    case MCV_KV_BF16:
        attend_rows(a, MCV_KV_BF16);
        break;
    default:
        attend_rows(a, MCV_KV_INT8);
    }
}

#endif
