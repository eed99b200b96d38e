#include "ref/modeling_navit_siglip.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- SiglipVisionEmbeddings --------------------------------------------------------------------------------- */

static mcv_status SiglipVisionEmbeddings_load(SiglipVisionEmbeddings *self, const Weights *weights, const char *name,
                                              const SiglipVisionConfig *config) {
    char child[NAME_SIZE];
    int side = config->image_size / config->patch_size, patch = config->patch_size;
    *self = (SiglipVisionEmbeddings){.embed_dim = config->hidden_size, .num_patches_per_side = side};
    snprintf(self->name, sizeof self->name, "%s", name);

    /* The kernel covers its stride exactly, so the convolution is a linear layer over each patch. Neither it nor the
     * table of positions shows its output: golden files begin with the sum of both. */
    mcv_weight *weight = &self->patch_embedding.weight;
    mcv_tensor shape = {.rank = 4, .shape = {config->hidden_size, config->num_channels, patch, patch}};
    snprintf(child, sizeof child, "%s.patch_embedding.weight", name);
    MCV_TRY(Weights_get_shaped(weights, child, &shape, weight));
    weight->rank = 2;
    weight->shape[1] = (int64_t)config->num_channels * patch * patch;
    snprintf(child, sizeof child, "%s.patch_embedding.bias", name);
    MCV_TRY(Weights_get_f32(weights, child, config->hidden_size, 0, &self->patch_embedding.bias));

    snprintf(child, sizeof child, "%s.position_embedding", name);
    MCV_TRY(Embedding_load(&self->position_embedding, weights, child, (int64_t)side * side, config->hidden_size));
    self->position_embedding.name[0] = 0;
    return MCV_OK;
}

/* torch.arange(start, end, step) in FP32 as PyTorch's CPU kernel rounds it: as long as sixteen elements are left, they
 * are made as two vectors of eight that start from a base rounded to FP32; the rest follow the plain formula. Writes at
 * most `capacity` values and returns how many there are. */
static int torch_arange(double start, double end, double step, float *values, int capacity) {
    enum { VECTOR = 8 };
    int count = (int)ceil((end - start) / step), in_vectors = count - count % (2 * VECTOR);
    for (int i = 0; i < count && i < capacity; i++) {
        int lane = i % VECTOR;
        double base = (double)(float)(start + step * (i - lane));
        values[i] = (float)(i < in_vectors ? base + step * lane : start + step * i);
    }
    return count < capacity ? count : capacity;
}

/* The number of boundaries that are not above the value. HF: torch.bucketize(..., right=True). */
static int32_t bucketize_right(float value, const float *boundaries, int count) {
    int32_t bucket = 0;
    while (bucket < count && boundaries[bucket] <= value)
        bucket++;
    return bucket;
}

mcv_status navit_bucket_coords(int patches, int num_patches_per_side, int32_t *bucket) {
    float *boundaries = NULL, *coords = NULL;
    double boundary_step = 1.0 / num_patches_per_side, step = (double)(1.0f / (float)patches);
    MCV_TRY(MCV_NEW(&boundaries, (size_t)num_patches_per_side + 1));
    mcv_status status = MCV_NEW(&coords, (size_t)patches);
    if (status == MCV_OK) {
        int num_boundaries = torch_arange(boundary_step, 1.0, boundary_step, boundaries, num_patches_per_side + 1);
        torch_arange(0, 1 - 1e-6, step, coords, patches);
        for (int i = 0; i < patches; i++)
            bucket[i] = bucketize_right(coords[i], boundaries, num_boundaries);
    }
    free(boundaries);
    free(coords);
    return status;
}

/* The rows of the position table for a grid, in row-major order. position_ids: [grid_h * grid_w]. */
static mcv_status grid_position_ids(const Run *run, const SiglipVisionEmbeddings *self, int grid_h, int grid_w,
                                    int32_t *position_ids) {
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    int32_t *bucket_coords_h, *bucket_coords_w;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &bucket_coords_h, grid_h));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &bucket_coords_w, grid_w));
    MCV_TRY(navit_bucket_coords(grid_h, self->num_patches_per_side, bucket_coords_h));
    MCV_TRY(navit_bucket_coords(grid_w, self->num_patches_per_side, bucket_coords_w));
    for (int y = 0; y < grid_h; y++)
        for (int x = 0; x < grid_w; x++)
            position_ids[y * grid_w + x] = bucket_coords_h[y] * self->num_patches_per_side + bucket_coords_w[x];
    mcv_arena_restore(run->arena, mark);
    return MCV_OK;
}

/* pixel_values [channels, patch, patches * patch] to rows of [channels, patch, patch], one a patch. */
static void unfold(const mcv_tensor *pixel_values, float *rows) {
    const float *values = pixel_values->data;
    int64_t patch = pixel_values->shape[1], patches = pixel_values->shape[2] / patch,
            lines = pixel_values->shape[0] * patch;
    for (int64_t n = 0; n < patches; n++)
        for (int64_t line = 0; line < lines; line++)
            memcpy(rows + (n * lines + line) * patch, values + (line * patches + n) * patch,
                   (size_t)patch * sizeof *rows);
}

/* slices: [batch] -> *embeddings: [batch, length, embed_dim]. Patches behind a slice's own are zeros at position 0. */
static mcv_status SiglipVisionEmbeddings_forward(const Run *run, const SiglipVisionEmbeddings *self,
                                                 const ImageSlice *const *slices, int batch, int64_t length,
                                                 Tensor *embeddings) {
    Tensor shape = {.rank = 3, .shape = {batch, length, self->embed_dim}}, pixels, patch_embeds, positions;
    MCV_TRY(Tensor_like_f32(run, &shape, self->embed_dim, embeddings));
    mcv_arena_mark mark = mcv_arena_save(run->arena);

    int64_t patch_size = self->patch_embedding.weight.shape[1];
    int32_t *position_ids;
    MCV_TRY(Tensor_like_f32(run, &shape, patch_size, &pixels));
    memset(pixels.f32, 0, (size_t)(batch * length * patch_size) * sizeof *pixels.f32);
    MCV_TRY(MCV_ARENA_NEW(run->arena, &position_ids, batch * length));
    memset(position_ids, 0, (size_t)(batch * length) * sizeof *position_ids);
    for (int i = 0; i < batch; i++) {
        mcv_tensor pixel_values;
        mcv_arena_mark before = mcv_arena_save(run->arena);
        MCV_TRY(ImageSlice_pixel_values(slices[i], run->arena, &pixel_values));
        unfold(&pixel_values, pixels.f32 + i * length * patch_size);
        mcv_arena_restore(run->arena, before);
        MCV_TRY(grid_position_ids(run, self, slices[i]->grid_h, slices[i]->grid_w, position_ids + i * length));
    }

    MCV_TRY(Linear_forward_f64(run, &self->patch_embedding, &pixels, &patch_embeds));
    MCV_TRY(Embedding_forward(run, &self->position_embedding, position_ids, batch, length, &positions));
    Tensor sum;
    MCV_TRY(Tensor_add(run, &patch_embeds, &positions, &sum));
    Tensor_round(&sum, embeddings);
    mcv_arena_restore(run->arena, mark);
    return Run_output(run, self->name, embeddings);
}

/* ---- SiglipAttention ---------------------------------------------------------------------------------------- */

static mcv_status SiglipAttention_load(SiglipAttention *self, const Weights *weights, const char *name,
                                       const SiglipVisionConfig *config) {
    char child[NAME_SIZE];
    int dim = config->hidden_size;
    *self = (SiglipAttention){
        .embed_dim = dim, .num_heads = config->num_attention_heads, .head_dim = dim / config->num_attention_heads};
    self->scale = 1 / sqrt(self->head_dim);
    snprintf(self->name, sizeof self->name, "%s", name);
    snprintf(child, sizeof child, "%s.k_proj", name);
    MCV_TRY(Linear_load(&self->k_proj, weights, child, dim, dim, true));
    snprintf(child, sizeof child, "%s.v_proj", name);
    MCV_TRY(Linear_load(&self->v_proj, weights, child, dim, dim, true));
    snprintf(child, sizeof child, "%s.q_proj", name);
    MCV_TRY(Linear_load(&self->q_proj, weights, child, dim, dim, true));
    snprintf(child, sizeof child, "%s.out_proj", name);
    return Linear_load(&self->out_proj, weights, child, dim, dim, true);
}

/* hidden_states: [batch, length, embed_dim] -> *attn_output, the same. Every position, padding too, attends to the
 * first patches[i] positions of its slice. */
static mcv_status SiglipAttention_forward(const Run *run, const SiglipAttention *self, const Tensor *hidden_states,
                                          const int64_t *patches, Tensor *attn_output) {
    int64_t batch = hidden_states->shape[0], length = hidden_states->shape[1], dim = self->embed_dim;
    Tensor query_states, key_states, value_states, context;
    MCV_TRY(Linear_forward(run, &self->q_proj, hidden_states, &query_states));
    MCV_TRY(Linear_forward(run, &self->k_proj, hidden_states, &key_states));
    MCV_TRY(Linear_forward(run, &self->v_proj, hidden_states, &value_states));
    MCV_TRY(Tensor_like_f64(run, hidden_states, dim, &context));

    AttentionInput *inputs;
    const float **rows;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &inputs, batch));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &rows, 2 * batch * length));
    for (int64_t i = 0; i < batch; i++) {
        const float **k = rows + 2 * i * length, **v = k + length;
        for (int64_t j = 0; j < patches[i]; j++) {
            k[j] = key_states.f32 + (i * length + j) * dim;
            v[j] = value_states.f32 + (i * length + j) * dim;
        }
        inputs[i] = (AttentionInput){.num_heads = self->num_heads,
                                     .num_kv_heads = self->num_heads,
                                     .head_dim = self->head_dim,
                                     .scale = self->scale,
                                     .num_queries = length,
                                     .num_keys = patches[i],
                                     .q_f32 = query_states.f32 + i * length * dim,
                                     .k_f32 = k,
                                     .v_f32 = v,
                                     .output = context.f64 + i * length * dim};
    }
    MCV_TRY(attention_forward(run, inputs, batch));
    MCV_TRY(Linear_forward(run, &self->out_proj, &context, attn_output));
    return Run_output(run, self->name, attn_output);
}

/* ---- SiglipMLP ---------------------------------------------------------------------------------------------- */

static mcv_status SiglipMLP_load(SiglipMLP *self, const Weights *weights, const char *name,
                                 const SiglipVisionConfig *config) {
    char child[NAME_SIZE];
    *self = (SiglipMLP){.activation_fn = config->hidden_act};
    snprintf(self->name, sizeof self->name, "%s", name);
    snprintf(self->activation_fn_name, sizeof self->activation_fn_name, "%s.activation_fn", name);
    snprintf(child, sizeof child, "%s.fc1", name);
    MCV_TRY(Linear_load(&self->fc1, weights, child, config->hidden_size, config->intermediate_size, true));
    snprintf(child, sizeof child, "%s.fc2", name);
    return Linear_load(&self->fc2, weights, child, config->intermediate_size, config->hidden_size, true);
}

/* [batch, length, hidden_size] -> the same, through [batch, length, intermediate_size]. */
static mcv_status SiglipMLP_forward(const Run *run, const SiglipMLP *self, const Tensor *hidden_states,
                                    Tensor *output) {
    Tensor widened, activated;
    MCV_TRY(Linear_forward(run, &self->fc1, hidden_states, &widened));
    MCV_TRY(Activation_forward(run, self->activation_fn, self->activation_fn_name, &widened, &activated));
    MCV_TRY(Linear_forward(run, &self->fc2, &activated, output));
    return Run_output(run, self->name, output);
}

/* ---- SiglipEncoderLayer ------------------------------------------------------------------------------------- */

static mcv_status SiglipEncoderLayer_load(SiglipEncoderLayer *self, const Weights *weights, const char *name,
                                          const SiglipVisionConfig *config) {
    char child[NAME_SIZE];
    snprintf(self->name, sizeof self->name, "%s", name);
    snprintf(child, sizeof child, "%s.self_attn", name);
    MCV_TRY(SiglipAttention_load(&self->self_attn, weights, child, config));
    snprintf(child, sizeof child, "%s.layer_norm1", name);
    MCV_TRY(LayerNorm_load(&self->layer_norm1, weights, child, config->hidden_size, config->layer_norm_eps));
    snprintf(child, sizeof child, "%s.mlp", name);
    MCV_TRY(SiglipMLP_load(&self->mlp, weights, child, config));
    snprintf(child, sizeof child, "%s.layer_norm2", name);
    return LayerNorm_load(&self->layer_norm2, weights, child, config->hidden_size, config->layer_norm_eps);
}

/* hidden_states: [batch, length, hidden_size], replaced by the layer's output. */
static mcv_status SiglipEncoderLayer_forward(const Run *run, const SiglipEncoderLayer *self, Tensor *hidden_states,
                                             const int64_t *patches) {
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    Tensor normed, attn_output, residual, mlp_output, output;

    MCV_TRY(LayerNorm_forward(run, &self->layer_norm1, hidden_states, &normed));
    MCV_TRY(SiglipAttention_forward(run, &self->self_attn, &normed, patches, &attn_output));
    MCV_TRY(Tensor_add(run, hidden_states, &attn_output, &residual));

    MCV_TRY(LayerNorm_forward(run, &self->layer_norm2, &residual, &normed));
    MCV_TRY(SiglipMLP_forward(run, &self->mlp, &normed, &mlp_output));
    MCV_TRY(Tensor_add(run, &residual, &mlp_output, &output));

    Tensor_round(&output, hidden_states);
    mcv_arena_restore(run->arena, mark);
    return Run_output(run, self->name, hidden_states);
}

/* ---- SiglipVisionTransformer -------------------------------------------------------------------------------- */

mcv_status SiglipVisionTransformer_load(SiglipVisionTransformer *self, const Weights *weights, const char *name,
                                        const SiglipVisionConfig *config, int num_layers) {
    char child[NAME_SIZE];
    *self = (SiglipVisionTransformer){.num_layers = num_layers};
    snprintf(self->name, sizeof self->name, "%s", name);
    snprintf(child, sizeof child, "%s.embeddings", name);
    MCV_TRY(SiglipVisionEmbeddings_load(&self->embeddings, weights, child, config));
    MCV_TRY(MCV_ARENA_NEW(weights->arena, &self->layers, num_layers));
    for (int i = 0; i < num_layers; i++) {
        snprintf(child, sizeof child, "%s.encoder.layers.%d", name, i);
        MCV_TRY(SiglipEncoderLayer_load(&self->layers[i], weights, child, config));
    }
    snprintf(child, sizeof child, "%s.post_layernorm", name);
    return LayerNorm_load(&self->post_layernorm, weights, child, config->hidden_size, config->layer_norm_eps);
}

mcv_status SiglipVisionTransformer_forward(const Run *run, const SiglipVisionTransformer *self,
                                           const ImageSlice *const *slices, int batch, int64_t length,
                                           Tensor *last_hidden_state) {
    Tensor hidden_states;
    int64_t *patches; /* [batch]: the attention mask, whose ones come first */
    MCV_TRY(MCV_ARENA_NEW(run->arena, &patches, batch));
    for (int i = 0; i < batch; i++)
        patches[i] = (int64_t)slices[i]->grid_h * slices[i]->grid_w;
    MCV_TRY(SiglipVisionEmbeddings_forward(run, &self->embeddings, slices, batch, length, &hidden_states));
    for (int i = 0; i < self->num_layers; i++)
        MCV_TRY(SiglipEncoderLayer_forward(run, &self->layers[i], &hidden_states, patches));
    MCV_TRY(LayerNorm_forward(run, &self->post_layernorm, &hidden_states, last_hidden_state));
    return Run_output(run, self->name, last_hidden_state);
}
