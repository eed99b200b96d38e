#include "simd/engine/fast_resampler.h"

#include <math.h>
#include <string.h>

#include "simd/engine/taps.h"

mcv_status mcv_resampler_pack(const Resampler *resampler, mcv_precision precision, mcv_packer *packer,
                              mcv_resampler *packed) {
    *packed = (mcv_resampler){.resampler = resampler};
    const MultiheadAttention *attn = &resampler->attn;
    if (!resampler->kv_proj_is_identity)
        MCV_TRY(mcv_pack_linear(packer, resampler->kv_proj.name, &resampler->kv_proj, precision, &packed->kv_proj));
    MCV_TRY(mcv_pack_linear(packer, "resampler.attn.in_proj_q", &attn->in_proj_q, precision, &packed->in_proj_q));
    MCV_TRY(mcv_pack_linear(packer, "resampler.attn.in_proj_k", &attn->in_proj_k, precision, &packed->in_proj_k));
    MCV_TRY(mcv_pack_linear(packer, "resampler.attn.in_proj_v", &attn->in_proj_v, precision, &packed->in_proj_v));
    MCV_TRY(mcv_pack_linear(packer, "resampler.attn.out_proj", &attn->out_proj, precision, &packed->out_proj));
    return mcv_pack_linear(packer, "resampler.proj", &resampler->proj, precision, &packed->proj);
}

/* ---- Positions ---------------------------------------------------------------------------------------------- */

/* Sine embeddings of the row and column numbers up to `side`, [side][dim / 2]. */
static mcv_status make_axis(const Run *run, const ImageSlice *const *slices, int num_slices, int dim,
                            const float **axis) {
    int side = 1;
    float *table;
    for (int i = 0; i < num_slices; i++) {
        side = slices[i]->grid_h > side ? slices[i]->grid_h : side;
        side = slices[i]->grid_w > side ? slices[i]->grid_w : side;
    }
    MCV_TRY(MCV_ARENA_NEW(run->arena, &table, (int64_t)side * (dim / 2)));
    for (int i = 0; i < side; i++)
        get_1d_sincos_pos_embed(dim / 2, i, table + (int64_t)i * (dim / 2));
    *axis = table;
    return MCV_OK;
}

/* A slice's keys before their projection: value + 2D position (column first) + temporal position. Padding has no 2D
 * position. */
static void add_positions(const ImageSlice *slice, const float *axis, const float *temporal, size_t rows, size_t dim,
                          const float *values, float *keys) {
    size_t half = dim / 2, grid_w = (size_t)slice->grid_w, patches = (size_t)slice->grid_h * grid_w;
    for (size_t j = 0; j < rows; j++, values += dim, keys += dim) {
        memcpy(keys, values, dim * sizeof *keys);
        if (j < patches)
            for (size_t d = 0; d < half; d++) {
                keys[d] += axis[j % grid_w * half + d];
                keys[half + d] += axis[j / grid_w * half + d];
            }
        for (size_t d = 0; d < dim; d++)
            keys[d] += temporal[d];
    }
}

/* ---- A group ------------------------------------------------------------------------------------------------ */

/* The rows of a group that are attended to, in their order. `length` 0: all of them. */
static size_t list_keys(const Resampler *resampler, const ImageSlice *const *slices, const TemporalGroup *group,
                        size_t length, uint32_t *rows) {
    size_t frames = (size_t)group->count, count = 0, first = 0;
    for (size_t frame = 0; frame < frames; frame++) {
        size_t patches = (size_t)slices[frame]->grid_h * (size_t)slices[frame]->grid_w;
        for (size_t j = 0; j < patches; j++) {
            /* Without batch_infer the mask counts frame by frame what lies patch by patch. */
            size_t at = frame * length + j;
            rows[count++] =
                (uint32_t)(resampler->batch_infer || !length ? first + j : at % frames * length + at / frames);
        }
        first += length ? length : patches;
    }
    return count;
}

static size_t rows_of(const ImageSlice *slice, int64_t length) {
    return length ? (size_t)length : (size_t)slice->grid_h * (size_t)slice->grid_w;
}

/* normed: the group's rows behind ln_kv; q: [num_queries, dim]; context: [num_queries, dim]. */
static mcv_status group_forward(const Run *run, const mcv_ops *ops, const mcv_resampler *packed, const float *axis,
                                const float *normed, const ImageSlice *const *slices, int64_t length,
                                const TemporalGroup *group, const float *q, float *context) {
    const Resampler *resampler = packed->resampler;
    size_t dim = (size_t)resampler->embed_dim, queries = (size_t)resampler->num_queries, rows = 0, first = 0;
    size_t heads = (size_t)resampler->num_heads, head_dim = dim / heads;
    float *temporal, *keys, *k, *v;
    uint32_t *kept, *visible;
    mcv_attention_task *tasks;
    mcv_key_values key_values;
    for (int i = 0; i < group->count; i++)
        rows += rows_of(slices[i], length);
    MCV_TRY(MCV_ARENA_NEW(run->arena, &temporal, dim));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &keys, rows * dim));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &k, rows * dim));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &v, rows * dim));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &kept, rows));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &visible, queries));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &tasks, heads));
    for (int i = 0; i < group->count; i++) {
        size_t count = rows_of(slices[i], length);
        memset(temporal, 0, dim * sizeof *temporal);
        if (group->temporal_ids[i] != -1)
            get_1d_sincos_pos_embed((int)dim, group->temporal_ids[i], temporal);
        add_positions(slices[i], axis, temporal, count, dim, normed + first * dim, keys + first * dim);
        first += count;
    }
    mcv_rows key_rows = mcv_rows_of(keys, rows, dim), value_rows = mcv_rows_of(normed, rows, dim);
    MCV_TRY(mcv_linear(ops, run->arena, &key_rows, &packed->in_proj_k, k, false));
    MCV_TRY(mcv_linear(ops, run->arena, &value_rows, &packed->in_proj_v, v, false));
    size_t count = list_keys(resampler, slices, group, (size_t)length, kept);
    MCV_TRY(mcv_pack_key_values(ops, run->arena, k, v, kept, count, heads, head_dim, &key_values));
    for (size_t i = 0; i < queries; i++)
        visible[i] = (uint32_t)count;
    for (size_t head = 0; head < heads; head++)
        tasks[head] = (mcv_attention_task){.q = q + head * head_dim,
                                           .y = context + head * head_dim,
                                           .queries = queries,
                                           .ldq = dim,
                                           .blocks = key_values.blocks + head * key_values.num_blocks,
                                           .visible = visible};
    mcv_attention(ops, tasks, heads, head_dim, (float)(1 / sqrt((double)head_dim)), MCV_KV_F32);
    return MCV_OK;
}

/* ---- Resampler ---------------------------------------------------------------------------------------------- */

/* q = in_proj_q(ln_q(query)): the same for every group. */
static mcv_status project_query(const Run *run, const mcv_ops *ops, const mcv_resampler *packed, float *q) {
    const Resampler *resampler = packed->resampler;
    size_t dim = (size_t)resampler->embed_dim, queries = (size_t)resampler->num_queries;
    float *normed;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &normed, queries * dim));
    mcv_layer_norm(ops, &resampler->ln_q, resampler->query, queries, dim, normed);
    MCV_TRY(Run_output(run, resampler->ln_q.name,
                       &(Tensor){.rank = 2, .shape = {(int64_t)queries, (int64_t)dim}, .f32 = normed}));
    mcv_rows x = mcv_rows_of(normed, queries, dim);
    return mcv_linear(ops, run->arena, &x, &packed->in_proj_q, q, false);
}

mcv_status mcv_resampler_forward(const Run *run, const mcv_ops *ops, const mcv_resampler *packed, const float *x,
                                 const ImageSlice *const *slices, int num_slices, int64_t length,
                                 const TemporalGroup *groups, int num_groups, float *out) {
    const Resampler *resampler = packed->resampler;
    size_t dim = (size_t)resampler->embed_dim, queries = (size_t)resampler->num_queries, rows = 0;
    size_t total = (size_t)num_groups * queries;
    const float *axis;
    float *projected, *q, *context, *attended;
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    for (int i = 0; i < num_slices; i++)
        rows += rows_of(slices[i], length);
    MCV_TRY(make_axis(run, slices, num_slices, (int)dim, &axis));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &projected, rows * dim));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &q, queries * dim));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &context, total * dim));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &attended, total * dim));

    mcv_rows input = mcv_rows_of(x, rows, (size_t)resampler->kv_dim);
    if (resampler->kv_proj_is_identity)
        memcpy(projected, x, rows * dim * sizeof *projected);
    else
        MCV_TRY(mcv_linear(ops, run->arena, &input, &packed->kv_proj, projected, false));
    int64_t shown_slices = length ? num_slices : 1, shown_length = length ? length : (int64_t)rows;
    MCV_TRY(mcv_tap_3d(run, resampler->kv_proj_name, projected, shown_slices, shown_length, (int64_t)dim));
    mcv_layer_norm(ops, &resampler->ln_kv, projected, rows, dim, projected);
    MCV_TRY(mcv_tap_3d(run, resampler->ln_kv.name, projected, shown_slices, shown_length, (int64_t)dim));
    MCV_TRY(project_query(run, ops, packed, q));

    for (int g = 0, slice = 0; g < num_groups; slice += groups[g++].count) {
        mcv_arena_mark before = mcv_arena_save(run->arena);
        size_t first = 0;
        for (int i = 0; i < slice; i++)
            first += rows_of(slices[i], length);
        MCV_TRY(group_forward(run, ops, packed, axis, projected + first * dim, slices + slice, length, &groups[g], q,
                              context + (size_t)g * queries * dim));
        mcv_arena_restore(run->arena, before);
    }
    mcv_rows context_rows = mcv_rows_of(context, total, dim);
    MCV_TRY(mcv_linear(ops, run->arena, &context_rows, &packed->out_proj, attended, false));
    MCV_TRY(Resampler_show_attn(run, resampler, attended, num_groups));
    mcv_layer_norm(ops, &resampler->ln_post, attended, total, dim, attended);
    MCV_TRY(mcv_tap_3d(run, resampler->ln_post.name, attended, num_groups, (int64_t)queries, (int64_t)dim));
    mcv_rows post = mcv_rows_of(attended, total, dim);
    MCV_TRY(mcv_linear(ops, run->arena, &post, &packed->proj, out, false));
    mcv_arena_restore(run->arena, mark);
    return mcv_tap_3d(run, resampler->name, out, num_groups, (int64_t)queries, (int64_t)dim);
}
