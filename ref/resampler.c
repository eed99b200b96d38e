#include "ref/resampler.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Position embeddings ------------------------------------------------------------------------------------ */

void get_1d_sincos_pos_embed(int embed_dim, int position, float *out) {
    int half = embed_dim / 2;
    for (int i = 0; i < half; i++) {
        float exponent = (float)i / (float)half;
        float omega = 1.0f / (float)pow(10000, (double)exponent);
        float angle = (float)position * omega;
        out[i] = (float)sin((double)angle);
        out[half + i] = (float)cos((double)angle);
    }
}

/* Sine tables of one pass: embeddings of each row and column number, of which a patch's is put together. */
typedef struct PosEmbed {
    int embed_dim;
    const float *axis; /* [larger grid side][embed_dim / 2] */
} PosEmbed;

static mcv_status PosEmbed_make(const Run *run, int embed_dim, int side, PosEmbed *pos_embed) {
    float *axis;
    int half = embed_dim / 2;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &axis, (int64_t)side * half));
    for (int i = 0; i < side; i++)
        get_1d_sincos_pos_embed(half, i, axis + (int64_t)i * half);
    *pos_embed = (PosEmbed){embed_dim, axis};
    return MCV_OK;
}

/* k[d] = x[d] + the embedding of patch (row, column), whose column goes first. */
static void add_2d_position(const PosEmbed *pos_embed, int row, int column, const float *x, double *k) {
    int half = pos_embed->embed_dim / 2;
    const float *from_column = pos_embed->axis + (int64_t)column * half,
                *from_row = pos_embed->axis + (int64_t)row * half;
    for (int d = 0; d < half; d++) {
        k[d] = (double)x[d] + (double)from_column[d];
        k[half + d] = (double)x[half + d] + (double)from_row[d];
    }
}

/* ---- MultiheadAttention ------------------------------------------------------------------------------------- */

static Linear in_proj_part(const mcv_weight *weight, const float *bias, int part, int embed_dim) {
    size_t first = (size_t)part * (size_t)embed_dim;
    return (Linear){.weight = mcv_weight_rows(weight, first, (size_t)embed_dim), .bias = bias + first};
}

static mcv_status MultiheadAttention_load(MultiheadAttention *self, const Weights *weights, const char *name,
                                          int embed_dim, int num_heads) {
    char child[NAME_SIZE];
    mcv_weight weight;
    const float *bias;
    *self = (MultiheadAttention){.embed_dim = embed_dim, .num_heads = num_heads};
    snprintf(self->name, sizeof self->name, "%s", name);
    snprintf(child, sizeof child, "%s.in_proj_weight", name);
    MCV_TRY(Weights_get(weights, child, 3 * (int64_t)embed_dim, embed_dim, &weight));
    snprintf(child, sizeof child, "%s.in_proj_bias", name);
    MCV_TRY(Weights_get_f32(weights, child, 3 * (int64_t)embed_dim, 0, &bias));
    self->in_proj_q = in_proj_part(&weight, bias, 0, embed_dim);
    self->in_proj_k = in_proj_part(&weight, bias, 1, embed_dim);
    self->in_proj_v = in_proj_part(&weight, bias, 2, embed_dim);
    snprintf(child, sizeof child, "%s.out_proj", name);
    MCV_TRY(Linear_load(&self->out_proj, weights, child, embed_dim, embed_dim, true));
    self->out_proj.name[0] = 0; /* PyTorch does not call it as a module */
    return MCV_OK;
}

/* weights: [num_queries, num_keys], the mean of what the heads weigh the keys that are not masked with; 0 at others. */
static void mean_of_heads(const AttentionInput *input, const bool *masked, int64_t num_keys, double *weights) {
    int64_t size = input->num_queries * input->num_keys, kept = 0;
    for (int64_t i = 0; i < input->num_queries * num_keys; i++) {
        weights[i] = 0;
        if (masked[i % num_keys])
            continue;
        for (int head = 0; head < input->num_heads; head++)
            weights[i] += input->weights[head * size + kept] / input->num_heads;
        kept++;
    }
}

/* query: [num_queries, embed_dim] (projected); key, value: [num_keys, embed_dim]; masked: [num_keys].
 * context: [num_queries, embed_dim], before out_proj. weights: [num_queries, num_keys]; NULL: not wanted. */
static mcv_status MultiheadAttention_context(const Run *run, const MultiheadAttention *self, const Tensor *query,
                                             const Tensor *key, const Tensor *value, const bool *masked,
                                             double *context, double *weights) {
    Tensor k, v;
    int64_t num_keys = key->shape[0], kept = 0, dim = self->embed_dim;
    const double **rows;
    MCV_TRY(Linear_forward_f64(run, &self->in_proj_k, key, &k));
    MCV_TRY(Linear_forward_f64(run, &self->in_proj_v, value, &v));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &rows, 2 * num_keys));
    for (int64_t j = 0; j < num_keys; j++)
        if (!masked[j]) {
            rows[kept] = k.f64 + j * dim;
            rows[num_keys + kept] = v.f64 + j * dim;
            kept++;
        }
    AttentionInput input = {.num_heads = self->num_heads,
                            .num_kv_heads = self->num_heads,
                            .head_dim = self->embed_dim / self->num_heads,
                            .num_queries = query->shape[0],
                            .num_keys = kept,
                            .q_f64 = query->f64,
                            .k_f64 = rows,
                            .v_f64 = rows + num_keys,
                            .output = context};
    input.scale = 1 / sqrt(input.head_dim);
    if (weights)
        MCV_TRY(MCV_ARENA_NEW(run->arena, &input.weights, self->num_heads * input.num_queries * kept));
    MCV_TRY(attention_forward(run, &input, 1));
    if (weights)
        mean_of_heads(&input, masked, num_keys, weights);
    return MCV_OK;
}

/* ---- Resampler ---------------------------------------------------------------------------------------------- */

/* x @ proj is a linear layer with the transposed weight. */
static mcv_status load_proj(Linear *proj, const Weights *weights, const char *name, int64_t dim) {
    const float *parameter;
    float *transposed;
    MCV_TRY(Weights_get_f32(weights, name, dim, dim, &parameter));
    MCV_TRY(MCV_ARENA_NEW(weights->arena, &transposed, dim * dim));
    for (int64_t i = 0; i < dim; i++)
        for (int64_t j = 0; j < dim; j++)
            transposed[i * dim + j] = parameter[j * dim + i];
    *proj = (Linear){.weight = mcv_weight_matrix(MCV_WEIGHT_F32, transposed, dim, dim)};
    return MCV_OK;
}

mcv_status Resampler_load(Resampler *self, const Weights *weights, const char *name, int num_queries, int embed_dim,
                          int num_heads, int kv_dim, bool batch_infer) {
    char child[NAME_SIZE];
    *self = (Resampler){.num_queries = num_queries,
                        .embed_dim = embed_dim,
                        .num_heads = num_heads,
                        .kv_dim = kv_dim,
                        .batch_infer = batch_infer,
                        .kv_proj_is_identity = kv_dim == embed_dim};
    snprintf(self->name, sizeof self->name, "%s", name);
    snprintf(child, sizeof child, "%s.query", name);
    MCV_TRY(Weights_get_f32(weights, child, num_queries, embed_dim, &self->query));
    snprintf(self->kv_proj_name, sizeof self->kv_proj_name, "%s.kv_proj", name);
    if (!self->kv_proj_is_identity)
        MCV_TRY(Linear_load(&self->kv_proj, weights, self->kv_proj_name, kv_dim, embed_dim, false));
    snprintf(child, sizeof child, "%s.attn", name);
    MCV_TRY(MultiheadAttention_load(&self->attn, weights, child, embed_dim, num_heads));
    snprintf(child, sizeof child, "%s.ln_q", name);
    MCV_TRY(LayerNorm_load(&self->ln_q, weights, child, embed_dim, 1e-6));
    snprintf(child, sizeof child, "%s.ln_kv", name);
    MCV_TRY(LayerNorm_load(&self->ln_kv, weights, child, embed_dim, 1e-6));
    snprintf(child, sizeof child, "%s.ln_post", name);
    MCV_TRY(LayerNorm_load(&self->ln_post, weights, child, embed_dim, 1e-6));
    snprintf(child, sizeof child, "%s.proj", name);
    return load_proj(&self->proj, weights, child, embed_dim);
}

/* q = in_proj_q(ln_q(query)): the same for every group. *q: [num_queries, embed_dim]. */
static mcv_status project_query(const Run *run, const Resampler *self, Tensor *q) {
    Tensor shape = {.rank = 2, .shape = {self->num_queries, self->embed_dim}}, query, normed;
    MCV_TRY(Tensor_like_f32(run, &shape, self->embed_dim, &query));
    memcpy(query.f32, self->query, (size_t)self->num_queries * (size_t)self->embed_dim * sizeof(float));
    MCV_TRY(LayerNorm_forward(run, &self->ln_q, &query, &normed));
    return Linear_forward_f64(run, &self->attn.in_proj_q, &normed, q);
}

/* The keys, values and mask of a group: the patches of its slices, each padded to `length`.
 *
 * batch_infer joins them frame by frame. Without it a group with temporal ids is joined patch by patch, yet its mask
 * frame by frame, as HF's foreach_attn_forward does it: where a frame is padded, the mask falls on other keys than the
 * padding. */
typedef struct GroupKeys {
    Tensor key, value; /* [count * length, embed_dim] */
    bool *masked;      /* [count * length] */
} GroupKeys;

/* Where patch `patch` of frame `frame` stands among a group's keys. */
static int64_t key_index(const Resampler *self, int64_t count, int64_t length, int64_t frame, int64_t patch) {
    return self->batch_infer ? frame * length + patch : patch * count + frame;
}

static mcv_status group_keys(const Run *run, const Resampler *self, const PosEmbed *pos_embed, const float *x,
                             int64_t length, const ImageSlice *const *slices, const TemporalGroup *group,
                             GroupKeys *keys) {
    int64_t dim = self->embed_dim, count = group->count;
    Tensor shape = {.rank = 2, .shape = {count * length, dim}};
    float *temporal;
    MCV_TRY(Tensor_like_f64(run, &shape, dim, &keys->key));
    MCV_TRY(Tensor_like_f32(run, &shape, dim, &keys->value));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &keys->masked, count * length));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &temporal, dim));
    for (int64_t frame = 0; frame < count; frame++) {
        const ImageSlice *slice = slices[frame];
        int64_t patches = (int64_t)slice->grid_h * slice->grid_w;
        memset(temporal, 0, (size_t)dim * sizeof *temporal);
        if (group->temporal_ids[frame] != -1)
            get_1d_sincos_pos_embed((int)dim, group->temporal_ids[frame], temporal);
        for (int64_t j = 0; j < length; j++) {
            int64_t at = key_index(self, count, length, frame, j);
            const float *value = x + (frame * length + j) * dim;
            double *key = keys->key.f64 + at * dim;
            memcpy(keys->value.f32 + at * dim, value, (size_t)dim * sizeof *value);
            if (j < patches)
                add_2d_position(pos_embed, (int)(j / slice->grid_w), (int)(j % slice->grid_w), value, key);
            else
                for (int64_t d = 0; d < dim; d++)
                    key[d] = (double)value[d];
            for (int64_t d = 0; d < dim; d++)
                key[d] += (double)temporal[d];
            keys->masked[frame * length + j] = j >= patches;
        }
    }
    return MCV_OK;
}

/* Copies [a, b, dim] into [b, a, dim]. */
static void swap_axes(const float *from, int64_t a, int64_t b, int64_t dim, float *to) {
    for (int64_t i = 0; i < a; i++)
        for (int64_t j = 0; j < b; j++)
            memcpy(to + (j * a + i) * dim, from + (i * b + j) * dim, (size_t)dim * sizeof *to);
}

mcv_status Resampler_show_attn(const Run *run, const Resampler *self, float *attended, int num_groups) {
    if (!run->tap)
        return MCV_OK;
    int64_t groups = num_groups, queries = self->num_queries, dim = self->embed_dim;
    Tensor first = {.rank = 2, .shape = {queries, dim}, .f32 = attended};
    if (!self->batch_infer)
        return Run_output(run, self->attn.name, &first);
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    Tensor permuted = {.rank = 3, .shape = {queries, groups, dim}};
    MCV_TRY(MCV_ARENA_NEW(run->arena, &permuted.f32, queries * groups * dim));
    swap_axes(attended, groups, queries, dim, permuted.f32);
    mcv_status status = Run_output(run, self->attn.name, &permuted);
    swap_axes(permuted.f32, queries, groups, dim, attended); /* it may have been replaced */
    mcv_arena_restore(run->arena, mark);
    return status;
}

/* What a tap is shown of the attention; see mcv_observer. NULL weights: nothing is. */
typedef struct ShownWeights {
    float *weights;     /* [num_groups, num_queries, frames * length] */
    int64_t frames;     /* of the largest group */
    double *of_a_group; /* [num_queries, its frames * length], in the order of its keys */
} ShownWeights;

static mcv_status ShownWeights_create(const Run *run, const Resampler *self, const TemporalGroup *groups,
                                      int num_groups, int64_t length, ShownWeights *shown) {
    *shown = (ShownWeights){.frames = 1};
    if (!run->tap || !run->tap_attention)
        return MCV_OK;
    for (int g = 0; g < num_groups; g++)
        shown->frames = groups[g].count > shown->frames ? groups[g].count : shown->frames;
    Tensor shape = {.rank = 3, .shape = {num_groups, self->num_queries, shown->frames * length}}, weights;
    MCV_TRY(Tensor_like_f32(run, &shape, shape.shape[2], &weights));
    memset(weights.f32, 0, (size_t)(Tensor_rows(&weights) * shape.shape[2]) * sizeof *weights.f32);
    shown->weights = weights.f32;
    return MCV_ARENA_NEW(run->arena, &shown->of_a_group, self->num_queries * shape.shape[2]);
}

/* Takes those of a group, frame by frame. */
static void ShownWeights_put(const ShownWeights *shown, const Resampler *self, int group, int64_t count,
                             int64_t length) {
    float *weights = shown->weights + group * self->num_queries * shown->frames * length;
    for (int64_t q = 0; q < self->num_queries; q++)
        for (int64_t i = 0; i < count * length; i++)
            weights[q * shown->frames * length + i] =
                (float)shown->of_a_group[q * count * length + key_index(self, count, length, i / length, i % length)];
}

static mcv_status ShownWeights_show(const Run *run, const Resampler *self, const ShownWeights *shown, int num_groups,
                                    int64_t length) {
    char name[NAME_SIZE + 8];
    Tensor weights = {
        .rank = 3, .shape = {num_groups, self->num_queries, shown->frames * length}, .f32 = shown->weights};
    if (!shown->weights)
        return MCV_OK;
    snprintf(name, sizeof name, "%s.weights", self->attn.name);
    return Run_output(run, name, &weights);
}

/* How far the grids reach. */
static int largest_side(const ImageSlice *const *slices, int64_t count) {
    int side = 1;
    for (int64_t i = 0; i < count; i++) {
        side = slices[i]->grid_h > side ? slices[i]->grid_h : side;
        side = slices[i]->grid_w > side ? slices[i]->grid_w : side;
    }
    return side;
}

mcv_status Resampler_forward(const Run *run, const Resampler *self, const Tensor *x, const ImageSlice *const *slices,
                             const TemporalGroup *groups, int num_groups, Tensor *output) {
    int64_t length = x->shape[1], dim = self->embed_dim, queries = self->num_queries, start = 0;
    Tensor shape = {.rank = 3, .shape = {num_groups, queries, dim}};
    Tensor projected = *x, normed, q, context, attended, post;
    PosEmbed pos_embed;
    ShownWeights shown;
    MCV_TRY(Tensor_like_f32(run, &shape, dim, output));
    mcv_arena_mark mark = mcv_arena_save(run->arena);

    MCV_TRY(PosEmbed_make(run, self->embed_dim, largest_side(slices, x->shape[0]), &pos_embed));
    if (self->kv_proj_is_identity)
        MCV_TRY(Run_output(run, self->kv_proj_name, &projected));
    else
        MCV_TRY(Linear_forward(run, &self->kv_proj, x, &projected));
    MCV_TRY(LayerNorm_forward(run, &self->ln_kv, &projected, &normed));
    MCV_TRY(project_query(run, self, &q));
    MCV_TRY(ShownWeights_create(run, self, groups, num_groups, length, &shown));

    MCV_TRY(Tensor_like_f64(run, &shape, dim, &context));
    for (int g = 0; g < num_groups; g++) {
        mcv_arena_mark group_mark = mcv_arena_save(run->arena);
        GroupKeys keys;
        MCV_TRY(group_keys(run, self, &pos_embed, normed.f32 + start * length * dim, length, slices + start, &groups[g],
                           &keys));
        MCV_TRY(MultiheadAttention_context(run, &self->attn, &q, &keys.key, &keys.value, keys.masked,
                                           context.f64 + g * queries * dim, shown.of_a_group));
        if (shown.weights)
            ShownWeights_put(&shown, self, g, groups[g].count, length);
        mcv_arena_restore(run->arena, group_mark);
        start += groups[g].count;
    }
    MCV_TRY(Linear_forward(run, &self->attn.out_proj, &context, &attended));
    MCV_TRY(Resampler_show_attn(run, self, attended.f32, num_groups));
    MCV_TRY(ShownWeights_show(run, self, &shown, num_groups, length));

    MCV_TRY(LayerNorm_forward(run, &self->ln_post, &attended, &post));
    Tensor result;
    MCV_TRY(Linear_forward(run, &self->proj, &post, &result));
    memcpy(output->f32, result.f32, (size_t)(num_groups * queries * dim) * sizeof *output->f32);
    mcv_arena_restore(run->arena, mark);
    return Run_output(run, self->name, output);
}
