#include "ref/modeling_qwen3.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Qwen3RMSNorm ------------------------------------------------------------------------------------------- */

static mcv_status Qwen3RMSNorm_load(Qwen3RMSNorm *self, const Weights *weights, const char *name, int64_t columns,
                                    double eps) {
    *self = (Qwen3RMSNorm){.variance_epsilon = eps};
    snprintf(self->name, sizeof self->name, "%s", name);
    return Weights_get_vector(weights, name, "weight", columns, &self->weight);
}

typedef struct RMSNormWork {
    const Qwen3RMSNorm *norm;
    const Tensor *x, *y;
} RMSNormWork;

static void rms_norm_rows(void *context, size_t begin, size_t end, int worker) {
    (void)worker;
    const RMSNormWork *work = context;
    int64_t columns = Tensor_columns(work->x);
    for (int64_t row = (int64_t)begin; row < (int64_t)end; row++) {
        double squares = 0;
        for (int64_t i = row * columns; i < (row + 1) * columns; i++)
            squares += Tensor_get(work->x, i) * Tensor_get(work->x, i);
        double scale = 1 / sqrt(squares / (double)columns + work->norm->variance_epsilon);
        for (int64_t i = 0; i < columns; i++)
            work->y->f32[row * columns + i] =
                (float)(Tensor_get(work->x, row * columns + i) * scale * (double)work->norm->weight[i]);
    }
}

/* y = x / sqrt(mean(x^2) + eps) * w over the last dimension. */
static mcv_status Qwen3RMSNorm_forward(const Run *run, const Qwen3RMSNorm *self, const Tensor *x, Tensor *y) {
    MCV_TRY(Tensor_like_f32(run, x, Tensor_columns(x), y));
    RMSNormWork work = {self, x, y};
    mcv_parallel_for(run->pool, (size_t)Tensor_rows(x), rms_norm_rows, &work);
    return Run_output(run, self->name, y);
}

/* ---- Qwen3MLP ----------------------------------------------------------------------------------------------- */

static mcv_status Qwen3MLP_load(Qwen3MLP *self, const Weights *weights, const char *name,
                                const MiniCPMVConfig *config) {
    char child[NAME_SIZE];
    int hidden = config->hidden_size, intermediate = config->intermediate_size;
    *self = (Qwen3MLP){.act_fn = config->hidden_act};
    snprintf(self->name, sizeof self->name, "%s", name);
    snprintf(self->act_fn_name, sizeof self->act_fn_name, "%s.act_fn", name);
    snprintf(child, sizeof child, "%s.gate_proj", name);
    MCV_TRY(Linear_load(&self->gate_proj, weights, child, hidden, intermediate, false));
    snprintf(child, sizeof child, "%s.up_proj", name);
    MCV_TRY(Linear_load(&self->up_proj, weights, child, hidden, intermediate, false));
    snprintf(child, sizeof child, "%s.down_proj", name);
    return Linear_load(&self->down_proj, weights, child, intermediate, hidden, false);
}

/* down_proj(act_fn(gate_proj(x)) * up_proj(x)): [rows, length, hidden] -> the same. */
static mcv_status mlp(const Run *run, const Qwen3MLP *self, const Tensor *x, Tensor *down) {
    Tensor gate, activated, up, product;
    MCV_TRY(Linear_forward(run, &self->gate_proj, x, &gate));
    MCV_TRY(Activation_forward(run, self->act_fn, self->act_fn_name, &gate, &activated));
    MCV_TRY(Linear_forward(run, &self->up_proj, x, &up));
    MCV_TRY(Tensor_multiply(run, &activated, &up, &product));
    return Linear_forward(run, &self->down_proj, &product, down);
}

/* The same some rows at a time: the intermediate size is so large that a long prompt's activations would be larger than
 * all else. A tap is shown whole outputs, though. */
static mcv_status Qwen3MLP_forward(const Run *run, const Qwen3MLP *self, const Tensor *x, Tensor *down) {
    enum { ROWS = 256 };
    int64_t rows = Tensor_rows(x), columns = Tensor_columns(x);
    if (run->tap) {
        MCV_TRY(mlp(run, self, x, down));
        return Run_output(run, self->name, down);
    }
    MCV_TRY(Tensor_like_f32(run, x, columns, down));
    for (int64_t first = 0; first < rows; first += ROWS) {
        int64_t count = rows - first < ROWS ? rows - first : ROWS;
        Tensor part = {.rank = 2, .shape = {count, columns}, .f32 = x->f32 + first * columns}, result;
        mcv_arena_mark mark = mcv_arena_save(run->arena);
        MCV_TRY(mlp(run, self, &part, &result));
        memcpy(down->f32 + first * columns, result.f32, (size_t)(count * columns) * sizeof *down->f32);
        mcv_arena_restore(run->arena, mark);
    }
    return MCV_OK;
}

/* ---- Rotary position embedding ------------------------------------------------------------------------------ */

void Qwen3RotaryEmbedding_at(const Qwen3Model *model, int64_t position, float *cosines, float *sines) {
    for (int d = 0; d < model->head_dim / 2; d++) {
        float exponent = (float)(2 * d) / (float)model->head_dim;
        float inv_freq = 1.0f / (float)pow(model->rope_theta, (double)exponent);
        float angle = inv_freq * (float)position;
        cosines[d] = (float)cos((double)angle);
        sines[d] = (float)sin((double)angle);
    }
}

/* Of each position, [rows * length, head_dim / 2]. */
typedef struct PositionEmbeddings {
    const float *cos, *sin;
} PositionEmbeddings;

static mcv_status Qwen3RotaryEmbedding_forward(const Run *run, const Qwen3Model *self, const int64_t *position_ids,
                                               int64_t positions, PositionEmbeddings *embeddings) {
    int half = self->head_dim / 2;
    float *cosines, *sines;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &cosines, positions * half));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &sines, positions * half));
    for (int64_t t = 0; t < positions; t++)
        Qwen3RotaryEmbedding_at(self, position_ids[t], cosines + t * half, sines + t * half);
    *embeddings = (PositionEmbeddings){cosines, sines};
    return MCV_OK;
}

/* Rotates one head's pairs (d, d + half) of position t, without rounding. HF: apply_rotary_pos_emb, rotate_half. */
static void apply_rotary_pos_emb(const PositionEmbeddings *embeddings, int64_t t, int half, const float *x, double *y) {
    for (int d = 0; d < half; d++) {
        double cosine = (double)embeddings->cos[t * half + d], sine = (double)embeddings->sin[t * half + d];
        y[d] = (double)x[d] * cosine - (double)x[half + d] * sine;
        y[half + d] = (double)x[half + d] * cosine + (double)x[d] * sine;
    }
}

/* ---- KV cache ----------------------------------------------------------------------------------------------- */

static size_t position_size(const DynamicCache *cache) {
    return (size_t)cache->num_layers * 2 * (size_t)cache->kv_dim;
}

static void KVSegment_free(KVSegment *segment) {
    free(segment->data);
    free(segment->mask);
    *segment = (KVSegment){0};
}

static void free_rows(DynamicCache *cache) {
    for (int i = 0; i < cache->num_rows; i++)
        KVSegment_free(&cache->rows[i].written);
    free(cache->rows);
    cache->rows = NULL;
    cache->num_rows = 0;
}

mcv_status DynamicCache_reset_rows(DynamicCache *cache) {
    free_rows(cache);
    MCV_TRY(MCV_NEW(&cache->rows, (size_t)cache->num_prompts));
    cache->num_rows = cache->num_prompts;
    for (int i = 0; i < cache->num_rows; i++)
        cache->rows[i].prompt = i;
    return MCV_OK;
}

void DynamicCache_free(DynamicCache *cache) {
    for (int i = 0; i < cache->num_prompts; i++)
        KVSegment_free(&cache->prompts[i]);
    free_rows(cache);
    free(cache->prompts);
    *cache = (DynamicCache){0};
}

mcv_status DynamicCache_create(DynamicCache *cache, const Qwen3ForCausalLM *llm, int rows) {
    const Qwen3Attention *attention = &llm->model.layers[0].self_attn;
    *cache = (DynamicCache){.num_layers = llm->model.num_layers,
                            .kv_dim = attention->num_key_value_heads * attention->head_dim};
    MCV_TRY(MCV_NEW(&cache->prompts, (size_t)rows));
    cache->num_prompts = rows;
    return DynamicCache_reset_rows(cache);
}

void DynamicCache_end_prompt(DynamicCache *cache) {
    for (int i = 0; i < cache->num_rows; i++) {
        cache->prompts[i] = cache->rows[i].written;
        cache->rows[i].written = (KVSegment){0};
    }
}

/* Makes room for `positions` more and marks them with `mask`. */
static mcv_status KVSegment_extend(const DynamicCache *cache, KVSegment *segment, int64_t positions,
                                   const uint8_t *mask) {
    size_t total = (size_t)(segment->positions + positions), needed;
    if (!mcv_mul_size(total, position_size(cache), &needed))
        return MCV_FAIL_MEMORY(SIZE_MAX);
    MCV_TRY(MCV_GROW(&segment->data, &segment->capacity, needed));
    MCV_TRY(MCV_GROW(&segment->mask, &segment->mask_capacity, total));
    for (int64_t t = 0; t < positions; t++)
        segment->mask[segment->positions + t] = mask[t] != 0;
    segment->positions += positions;
    return MCV_OK;
}

static mcv_status KVSegment_copy(const DynamicCache *cache, const KVSegment *from, KVSegment *to) {
    size_t numbers = (size_t)from->positions * position_size(cache);
    *to = (KVSegment){0};
    if (from->positions == 0)
        return MCV_OK;
    MCV_TRY(MCV_GROW(&to->data, &to->capacity, numbers));
    MCV_TRY(MCV_GROW(&to->mask, &to->mask_capacity, (size_t)from->positions));
    memcpy(to->data, from->data, numbers * sizeof *to->data);
    memcpy(to->mask, from->mask, (size_t)from->positions * sizeof *to->mask);
    to->positions = from->positions;
    return MCV_OK;
}

/* A parent's memory passes to the last of its children, the others get copies. */
mcv_status DynamicCache_select_rows(DynamicCache *cache, const int32_t *parents, int rows) {
    KVRow *selected;
    MCV_TRY(MCV_NEW(&selected, (size_t)rows));
    mcv_status status = MCV_OK;
    for (int i = 0; i < rows && status == MCV_OK; i++) {
        KVRow *parent = &cache->rows[parents[i]];
        bool last = true;
        for (int j = i + 1; j < rows; j++)
            last = last && parents[j] != parents[i];
        selected[i].prompt = parent->prompt;
        if (last) {
            selected[i].written = parent->written;
            parent->written = (KVSegment){0};
        } else {
            status = KVSegment_copy(cache, &parent->written, &selected[i].written);
        }
    }
    free_rows(cache);
    cache->rows = selected;
    cache->num_rows = rows;
    return status;
}

static int64_t count_unmasked(const KVSegment *segment) {
    int64_t count = 0;
    for (int64_t t = 0; t < segment->positions; t++)
        count += segment->mask[t];
    return count;
}

int64_t DynamicCache_unmasked(const DynamicCache *cache, int row) {
    return count_unmasked(&cache->prompts[cache->rows[row].prompt]) + count_unmasked(&cache->rows[row].written);
}

/* The key of a position in a layer; its value follows kv_dim further on. */
static float *cached_key(const DynamicCache *cache, const KVSegment *segment, int layer, int64_t position) {
    return segment->data + (size_t)position * position_size(cache) + (size_t)layer * 2 * (size_t)cache->kv_dim;
}

/* Lists the unmasked keys and values of a segment and returns how many there are. */
static int64_t list_keys(const DynamicCache *cache, const KVSegment *segment, int layer, const float **k,
                         const float **v) {
    int64_t count = 0;
    for (int64_t t = 0; t < segment->positions; t++)
        if (segment->mask[t]) {
            k[count] = cached_key(cache, segment, layer, t);
            v[count] = k[count] + cache->kv_dim;
            count++;
        }
    return count;
}

/* ---- Qwen3Attention ----------------------------------------------------------------------------------------- */

static mcv_status Qwen3Attention_load(Qwen3Attention *self, const Weights *weights, const char *name,
                                      const MiniCPMVConfig *config, int layer_idx) {
    char child[NAME_SIZE];
    int hidden = config->hidden_size, head_dim = config->head_dim;
    int q_dim = config->num_attention_heads * head_dim, kv_dim = config->num_key_value_heads * head_dim;
    *self = (Qwen3Attention){.layer_idx = layer_idx,
                             .num_heads = config->num_attention_heads,
                             .num_key_value_heads = config->num_key_value_heads,
                             .head_dim = head_dim,
                             .scaling = 1 / sqrt(head_dim)};
    snprintf(self->name, sizeof self->name, "%s", name);
    snprintf(child, sizeof child, "%s.q_proj", name);
    MCV_TRY(Linear_load(&self->q_proj, weights, child, hidden, q_dim, config->attention_bias));
    snprintf(child, sizeof child, "%s.k_proj", name);
    MCV_TRY(Linear_load(&self->k_proj, weights, child, hidden, kv_dim, config->attention_bias));
    snprintf(child, sizeof child, "%s.v_proj", name);
    MCV_TRY(Linear_load(&self->v_proj, weights, child, hidden, kv_dim, config->attention_bias));
    snprintf(child, sizeof child, "%s.o_proj", name);
    MCV_TRY(Linear_load(&self->o_proj, weights, child, q_dim, hidden, config->attention_bias));
    snprintf(child, sizeof child, "%s.q_norm", name);
    MCV_TRY(Qwen3RMSNorm_load(&self->q_norm, weights, child, head_dim, config->rms_norm_eps));
    snprintf(child, sizeof child, "%s.k_norm", name);
    return Qwen3RMSNorm_load(&self->k_norm, weights, child, head_dim, config->rms_norm_eps);
}

/* Rotated queries of all positions: [rows, length, num_heads, head_dim] -> the same in FP64. */
static mcv_status rotate_queries(const Run *run, const Qwen3Attention *self, const PositionEmbeddings *embeddings,
                                 const Tensor *query_states, Tensor *rotated) {
    int64_t positions = query_states->shape[0] * query_states->shape[1],
            stride = (int64_t)self->num_heads * self->head_dim;
    MCV_TRY(Tensor_like_f64(run, query_states, self->head_dim, rotated));
    for (int64_t t = 0; t < positions; t++)
        for (int h = 0; h < self->num_heads; h++) {
            int64_t at = t * stride + (int64_t)h * self->head_dim;
            apply_rotary_pos_emb(embeddings, t, self->head_dim / 2, query_states->f32 + at, rotated->f64 + at);
        }
    return MCV_OK;
}

/* Writes rotated keys, and values, of the new positions (the last `length` of each row) into the cache.
 * key_states, value_states: [rows, length, kv_dim]. HF: past_key_value.update. */
static mcv_status update_cache(const Run *run, const Qwen3Attention *self, const PositionEmbeddings *embeddings,
                               const Tensor *key_states, const Tensor *value_states, DynamicCache *cache) {
    int64_t length = value_states->shape[1], dim = cache->kv_dim;
    double *rotated;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &rotated, self->head_dim));
    for (int row = 0; row < cache->num_rows; row++) {
        KVSegment *written = &cache->rows[row].written;
        for (int64_t i = 0; i < length; i++) {
            int64_t t = row * length + i;
            float *key = cached_key(cache, written, self->layer_idx, written->positions - length + i);
            for (int h = 0; h < self->num_key_value_heads; h++) {
                int64_t head = (int64_t)h * self->head_dim;
                apply_rotary_pos_emb(embeddings, t, self->head_dim / 2, key_states->f32 + t * dim + head, rotated);
                for (int d = 0; d < self->head_dim; d++)
                    key[head + d] = (float)rotated[d];
            }
            memcpy(key + dim, value_states->f32 + t * dim, (size_t)dim * sizeof *key);
        }
    }
    return MCV_OK;
}

/* The keys that each row's new queries see: all unmasked ones of the row up to the query's own position. */
static mcv_status attention_inputs(const Run *run, const Qwen3Attention *self, const Tensor *query,
                                   const DynamicCache *cache, const Tensor *context, AttentionInput *inputs) {
    int64_t length = query->shape[1], stride = (int64_t)self->num_heads * self->head_dim;
    for (int row = 0; row < cache->num_rows; row++) {
        const KVSegment *written = &cache->rows[row].written, *prompt = &cache->prompts[cache->rows[row].prompt];
        int64_t positions = prompt->positions + written->positions, *visible;
        const float **k, **v;
        MCV_TRY(MCV_ARENA_NEW(run->arena, &k, positions));
        MCV_TRY(MCV_ARENA_NEW(run->arena, &v, positions));
        MCV_TRY(MCV_ARENA_NEW(run->arena, &visible, length));
        int64_t num_keys = list_keys(cache, prompt, self->layer_idx, k, v);
        num_keys += list_keys(cache, written, self->layer_idx, k + num_keys, v + num_keys);
        for (int64_t i = length - 1, seen = num_keys; i >= 0; i--) {
            visible[i] = seen;
            seen -= written->mask[written->positions - length + i];
        }
        inputs[row] = (AttentionInput){.num_heads = self->num_heads,
                                       .num_kv_heads = self->num_key_value_heads,
                                       .head_dim = self->head_dim,
                                       .scale = self->scaling,
                                       .num_queries = length,
                                       .num_keys = num_keys,
                                       .q_f64 = query->f64 + row * length * stride,
                                       .k_f32 = k,
                                       .v_f32 = v,
                                       .visible = visible,
                                       .output = context->f64 + row * length * stride};
    }
    return MCV_OK;
}

/* hidden_states: [rows, length, hidden] -> *attn_output, the same. */
static mcv_status Qwen3Attention_forward(const Run *run, const Qwen3Attention *self, const Tensor *hidden_states,
                                         const PositionEmbeddings *embeddings, DynamicCache *cache,
                                         Tensor *attn_output) {
    int64_t rows = hidden_states->shape[0], length = hidden_states->shape[1];
    Tensor projected, query_states, key_states, value_states, query, context;
    MCV_TRY(Linear_forward(run, &self->q_proj, hidden_states, &projected));
    projected = Tensor_view(&projected, 4, rows, length, self->num_heads, self->head_dim);
    MCV_TRY(Qwen3RMSNorm_forward(run, &self->q_norm, &projected, &query_states));
    MCV_TRY(Linear_forward(run, &self->k_proj, hidden_states, &projected));
    projected = Tensor_view(&projected, 4, rows, length, self->num_key_value_heads, self->head_dim);
    MCV_TRY(Qwen3RMSNorm_forward(run, &self->k_norm, &projected, &key_states));
    MCV_TRY(Linear_forward(run, &self->v_proj, hidden_states, &value_states));

    MCV_TRY(rotate_queries(run, self, embeddings, &query_states, &query));
    MCV_TRY(update_cache(run, self, embeddings, &key_states, &value_states, cache));
    MCV_TRY(Tensor_like_f64(run, hidden_states, (int64_t)self->num_heads * self->head_dim, &context));

    AttentionInput *inputs;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &inputs, rows));
    MCV_TRY(attention_inputs(run, self, &query, cache, &context, inputs));
    MCV_TRY(attention_forward(run, inputs, rows));
    MCV_TRY(Linear_forward(run, &self->o_proj, &context, attn_output));
    return Run_output(run, self->name, attn_output);
}

/* ---- Qwen3DecoderLayer -------------------------------------------------------------------------------------- */

static mcv_status Qwen3DecoderLayer_load(Qwen3DecoderLayer *self, const Weights *weights, const char *name,
                                         const MiniCPMVConfig *config, int layer_idx) {
    char child[NAME_SIZE];
    snprintf(self->name, sizeof self->name, "%s", name);
    snprintf(child, sizeof child, "%s.self_attn", name);
    MCV_TRY(Qwen3Attention_load(&self->self_attn, weights, child, config, layer_idx));
    snprintf(child, sizeof child, "%s.mlp", name);
    MCV_TRY(Qwen3MLP_load(&self->mlp, weights, child, config));
    snprintf(child, sizeof child, "%s.input_layernorm", name);
    MCV_TRY(Qwen3RMSNorm_load(&self->input_layernorm, weights, child, config->hidden_size, config->rms_norm_eps));
    snprintf(child, sizeof child, "%s.post_attention_layernorm", name);
    return Qwen3RMSNorm_load(&self->post_attention_layernorm, weights, child, config->hidden_size,
                             config->rms_norm_eps);
}

/* hidden_states: [rows, length, hidden_size], replaced by the layer's output. */
static mcv_status Qwen3DecoderLayer_forward(const Run *run, const Qwen3DecoderLayer *self, Tensor *hidden_states,
                                            const PositionEmbeddings *embeddings, DynamicCache *cache) {
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    Tensor normed, attn_output, residual, mlp_output, output;

    MCV_TRY(Qwen3RMSNorm_forward(run, &self->input_layernorm, hidden_states, &normed));
    MCV_TRY(Qwen3Attention_forward(run, &self->self_attn, &normed, embeddings, cache, &attn_output));
    MCV_TRY(Tensor_add(run, hidden_states, &attn_output, &residual));

    MCV_TRY(Qwen3RMSNorm_forward(run, &self->post_attention_layernorm, &residual, &normed));
    MCV_TRY(Qwen3MLP_forward(run, &self->mlp, &normed, &mlp_output));
    MCV_TRY(Tensor_add(run, &residual, &mlp_output, &output));

    Tensor_round(&output, hidden_states);
    mcv_arena_restore(run->arena, mark);
    return Run_output(run, self->name, hidden_states);
}

/* ---- Qwen3Model, Qwen3ForCausalLM --------------------------------------------------------------------------- */

static mcv_status Qwen3Model_load(Qwen3Model *self, const Weights *weights, const char *name,
                                  const MiniCPMVConfig *config) {
    char child[NAME_SIZE];
    *self = (Qwen3Model){
        .num_layers = config->num_hidden_layers, .head_dim = config->head_dim, .rope_theta = config->rope_theta};
    snprintf(child, sizeof child, "%s.embed_tokens", name);
    MCV_TRY(Embedding_load(&self->embed_tokens, weights, child, config->vocab_size, config->hidden_size));
    MCV_TRY(MCV_ARENA_NEW(weights->arena, &self->layers, self->num_layers));
    for (int i = 0; i < self->num_layers; i++) {
        snprintf(child, sizeof child, "%s.layers.%d", name, i);
        MCV_TRY(Qwen3DecoderLayer_load(&self->layers[i], weights, child, config, i));
    }
    snprintf(child, sizeof child, "%s.norm", name);
    return Qwen3RMSNorm_load(&self->norm, weights, child, config->hidden_size, config->rms_norm_eps);
}

mcv_status Qwen3ForCausalLM_load(Qwen3ForCausalLM *self, const Weights *weights, const char *name,
                                 const MiniCPMVConfig *config) {
    char child[NAME_SIZE];
    *self = (Qwen3ForCausalLM){.vocab_size = config->vocab_size, .hidden_size = config->hidden_size};
    snprintf(child, sizeof child, "%s.model", name);
    MCV_TRY(Qwen3Model_load(&self->model, weights, child, config));
    snprintf(child, sizeof child, "%s.lm_head", name);
    if (!config->tie_word_embeddings)
        return Linear_load(&self->lm_head, weights, child, config->hidden_size, config->vocab_size, false);
    self->lm_head = (Linear){.weight = self->model.embed_tokens.weight};
    snprintf(self->lm_head.name, sizeof self->lm_head.name, "%s", child);
    return MCV_OK;
}

/* *hidden_states: [rows, length, hidden_size], behind the final norm. */
static mcv_status Qwen3Model_forward(const Run *run, const Qwen3Model *self, const Tensor *inputs_embeds,
                                     const uint8_t *attention_mask, const int64_t *position_ids, DynamicCache *cache,
                                     Tensor *normed) {
    int64_t rows = inputs_embeds->shape[0], length = inputs_embeds->shape[1], columns = Tensor_columns(inputs_embeds);
    Tensor hidden_states;
    PositionEmbeddings position_embeddings;
    for (int64_t row = 0; row < rows; row++)
        MCV_TRY(KVSegment_extend(cache, &cache->rows[row].written, length, attention_mask + row * length));
    MCV_TRY(Tensor_like_f32(run, inputs_embeds, columns, &hidden_states));
    memcpy(hidden_states.f32, inputs_embeds->f32, (size_t)(rows * length * columns) * sizeof *hidden_states.f32);
    MCV_TRY(Qwen3RotaryEmbedding_forward(run, self, position_ids, rows * length, &position_embeddings));
    for (int i = 0; i < self->num_layers; i++)
        MCV_TRY(Qwen3DecoderLayer_forward(run, &self->layers[i], &hidden_states, &position_embeddings, cache));
    return Qwen3RMSNorm_forward(run, &self->norm, &hidden_states, normed);
}

mcv_status Qwen3ForCausalLM_forward(const Run *run, const Qwen3ForCausalLM *self, const Tensor *inputs_embeds,
                                    const uint8_t *attention_mask, const int64_t *position_ids, DynamicCache *cache,
                                    Tensor *logits) {
    int64_t rows = inputs_embeds->shape[0], length = inputs_embeds->shape[1], hidden = self->hidden_size;
    Tensor shape = {.rank = 3, .shape = {rows, 1, self->vocab_size}}, hidden_states, last, result;
    MCV_TRY(Tensor_like_f32(run, &shape, self->vocab_size, logits));
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    MCV_TRY(Qwen3Model_forward(run, &self->model, inputs_embeds, attention_mask, position_ids, cache, &hidden_states));
    MCV_TRY(Tensor_like_f32(run, &shape, hidden, &last));
    for (int64_t row = 0; row < rows; row++)
        memcpy(last.f32 + row * hidden, hidden_states.f32 + (row * length + length - 1) * hidden,
               (size_t)hidden * sizeof *last.f32);
    MCV_TRY(Linear_forward(run, &self->lm_head, &last, &result));
    memcpy(logits->f32, result.f32, (size_t)(rows * self->vocab_size) * sizeof *logits->f32);
    mcv_arena_restore(run->arena, mark);
    return MCV_OK;
}
