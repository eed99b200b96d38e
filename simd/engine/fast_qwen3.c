#include "simd/engine/fast_qwen3.h"

#include <string.h>

#include "simd/engine/taps.h"

/* ---- Packing ------------------------------------------------------------------------------------------------ */

static mcv_status pack_layer(const Qwen3DecoderLayer *layer, mcv_precision precision, mcv_packer *packer,
                             mcv_qwen3_layer *packed) {
    packed->layer = layer;
    MCV_TRY(
        mcv_pack_linear(packer, layer->self_attn.q_proj.name, &layer->self_attn.q_proj, precision, &packed->q_proj));
    MCV_TRY(
        mcv_pack_linear(packer, layer->self_attn.k_proj.name, &layer->self_attn.k_proj, precision, &packed->k_proj));
    MCV_TRY(
        mcv_pack_linear(packer, layer->self_attn.v_proj.name, &layer->self_attn.v_proj, precision, &packed->v_proj));
    MCV_TRY(
        mcv_pack_linear(packer, layer->self_attn.o_proj.name, &layer->self_attn.o_proj, precision, &packed->o_proj));
    MCV_TRY(mcv_pack_linear(packer, layer->mlp.gate_proj.name, &layer->mlp.gate_proj, precision, &packed->gate_proj));
    MCV_TRY(mcv_pack_linear(packer, layer->mlp.up_proj.name, &layer->mlp.up_proj, precision, &packed->up_proj));
    return mcv_pack_linear(packer, layer->mlp.down_proj.name, &layer->mlp.down_proj, precision, &packed->down_proj);
}

mcv_status mcv_qwen3_pack(const Qwen3ForCausalLM *llm, mcv_precision precision, mcv_packer *packer, mcv_qwen3 *qwen3) {
    const Qwen3Attention *attention = &llm->model.layers[0].self_attn;
    *qwen3 = (mcv_qwen3){.llm = llm,
                         .hidden = (size_t)llm->hidden_size,
                         .intermediate = (size_t)llm->model.layers[0].mlp.gate_proj.weight.shape[0],
                         .num_heads = (size_t)attention->num_heads,
                         .num_kv_heads = (size_t)attention->num_key_value_heads,
                         .head_dim = (size_t)attention->head_dim};
    MCV_TRY(MCV_ARENA_NEW(packer->arena, &qwen3->layers, llm->model.num_layers));
    for (int i = 0; i < llm->model.num_layers; i++)
        MCV_TRY(pack_layer(&llm->model.layers[i], precision, packer, &qwen3->layers[i]));
    /* The last layer decides between tokens: eight bits where the others have four. */
    mcv_precision head = precision == MCV_PRECISION_INT4 ? MCV_PRECISION_INT8 : precision;
    return mcv_pack_linear(packer, llm->lm_head.name, &llm->lm_head, head, &qwen3->lm_head);
}

size_t mcv_qwen3_bytes(const mcv_qwen3 *qwen3) {
    size_t bytes = mcv_packed_bytes(&qwen3->lm_head);
    for (int i = 0; i < qwen3->llm->model.num_layers; i++) {
        const mcv_qwen3_layer *layer = &qwen3->layers[i];
        const mcv_packed *const parts[] = {&layer->q_proj,    &layer->k_proj,  &layer->v_proj,   &layer->o_proj,
                                           &layer->gate_proj, &layer->up_proj, &layer->down_proj};
        for (size_t j = 0; j < sizeof parts / sizeof *parts; j++)
            bytes += mcv_packed_bytes(parts[j]);
    }
    return bytes;
}

/* ---- Attention ---------------------------------------------------------------------------------------------- */

/* What a pass over the layers carries along. */
typedef struct Pass {
    const Run *run;
    const mcv_ops *ops;
    const mcv_qwen3 *qwen3;
    const mcv_kv_cache *cache;
    const mcv_token *tokens;
    size_t count;
    int64_t batch, length;
    float *cos, *sin;                                      /* [count][head_dim / 2] */
    float *normed, *q, *k, *v, *context, *gate, *up, *out; /* [count][...] */
    uint32_t *visible;                                     /* [count * heads a key head]: each token's, that often */
} Pass;

static mcv_status show(const Pass *pass, const char *name, float *rows, size_t columns) {
    return mcv_tap_3d(pass->run, name, rows, pass->batch, pass->length, (int64_t)columns);
}

static mcv_status show_heads(const Pass *pass, const char *name, float *rows, size_t heads) {
    return mcv_tap_4d(pass->run, name, rows, pass->batch, pass->length, (int64_t)heads, (int64_t)pass->qwen3->head_dim);
}

typedef struct StoreWork {
    const Pass *pass;
    size_t layer;
} StoreWork;

static void store_tokens(void *context, size_t begin, size_t end, int worker) {
    const StoreWork *work = context;
    const Pass *pass = work->pass;
    size_t width = pass->qwen3->num_kv_heads * pass->qwen3->head_dim;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        if (pass->tokens[i].stored)
            mcv_kv_store(pass->cache, pass->tokens[i].sequence, work->layer, pass->tokens[i].visible - 1,
                         pass->k + i * width, pass->v + i * width);
}

/* Tokens of one sequence that follow each other from `first` on. */
static size_t span_length(const Pass *pass, size_t first) {
    size_t end = first + 1;
    while (end < pass->count && pass->tokens[end].sequence == pass->tokens[first].sequence)
        end++;
    return end - first;
}

/* Blocks of all key heads that the span's tokens see, [kv_heads][num_blocks]. */
static mcv_status span_blocks(const Pass *pass, size_t layer, size_t first, size_t length, size_t *num_blocks,
                              const mcv_kv_block **blocks) {
    uint32_t visible = 0;
    mcv_kv_block *out;
    for (size_t i = first; i < first + length; i++)
        visible = pass->tokens[i].visible > visible ? pass->tokens[i].visible : visible;
    *num_blocks = ((size_t)visible + MCV_KEY_BLOCK - 1) / MCV_KEY_BLOCK;
    MCV_TRY(MCV_ARENA_NEW(pass->run->arena, &out, pass->qwen3->num_kv_heads * *num_blocks));
    *blocks = out;
    for (size_t head = 0; head < pass->qwen3->num_kv_heads; head++)
        for (size_t i = 0; i < *num_blocks; i++)
            *out++ = mcv_kv_block_at(pass->cache, pass->tokens[first].sequence, layer, head, i);
    return MCV_OK;
}

enum { QUERIES = 64 /* of a task */ };

/* Tasks of a span: a key head with all its query heads for a single token, else a query head with some of the tokens.
 * Returns how many. */
static size_t span_tasks(const Pass *pass, size_t first, size_t length, size_t num_blocks, const mcv_kv_block *blocks,
                         mcv_attention_task *tasks) {
    size_t heads = pass->qwen3->num_heads, shared = heads / pass->qwen3->num_kv_heads, dim = pass->qwen3->head_dim;
    size_t width = heads * dim, count = 0;
    if (length == 1) {
        for (size_t head = 0; head < pass->qwen3->num_kv_heads; head++)
            tasks[count++] = (mcv_attention_task){.q = pass->q + first * width + head * shared * dim,
                                                  .y = pass->context + first * width + head * shared * dim,
                                                  .queries = shared,
                                                  .ldq = dim,
                                                  .blocks = blocks + head * num_blocks,
                                                  .visible = pass->visible + pass->count + first * shared};
        return count;
    }
    for (size_t head = 0; head < heads; head++)
        for (size_t i = first; i < first + length; i += QUERIES)
            tasks[count++] =
                (mcv_attention_task){.q = pass->q + i * width + head * dim,
                                     .y = pass->context + i * width + head * dim,
                                     .queries = first + length - i < QUERIES ? first + length - i : QUERIES,
                                     .ldq = width,
                                     .blocks = blocks + head / shared * num_blocks,
                                     .visible = pass->visible + i};
    return count;
}

static mcv_status attend(const Pass *pass, size_t layer, double scale) {
    size_t heads = pass->qwen3->num_heads, num_tasks = 0;
    mcv_attention_task *tasks;
    MCV_TRY(MCV_ARENA_NEW(pass->run->arena, &tasks, heads * (pass->count / QUERIES + pass->count)));
    for (size_t first = 0; first < pass->count;) {
        size_t length = span_length(pass, first), num_blocks;
        const mcv_kv_block *blocks;
        MCV_TRY(span_blocks(pass, layer, first, length, &num_blocks, &blocks));
        num_tasks += span_tasks(pass, first, length, num_blocks, blocks, tasks + num_tasks);
        first += length;
    }
    mcv_attention(pass->ops, tasks, num_tasks, pass->qwen3->head_dim, (float)scale, pass->cache->type);
    return MCV_OK;
}

/* hidden += o_proj(attention(normed)). */
static mcv_status self_attention(const Pass *pass, size_t index, float *hidden) {
    const mcv_qwen3_layer *layer = &pass->qwen3->layers[index];
    const Qwen3Attention *names = &layer->layer->self_attn;
    const mcv_ops *ops = pass->ops;
    mcv_arena *arena = pass->run->arena;
    size_t rows = pass->count, heads = pass->qwen3->num_heads, kv_heads = pass->qwen3->num_kv_heads,
           dim = pass->qwen3->head_dim;
    mcv_rows x = mcv_rows_of(pass->normed, rows, pass->qwen3->hidden);
    const mcv_packed *const projections[] = {&layer->q_proj, &layer->k_proj, &layer->v_proj};
    MCV_TRY(mcv_linears(ops, arena, &x, projections, (float *[]){pass->q, pass->k, pass->v}, 3));
    MCV_TRY(show(pass, names->q_proj.name, pass->q, heads * dim));
    MCV_TRY(show(pass, names->k_proj.name, pass->k, kv_heads * dim));
    MCV_TRY(show(pass, names->v_proj.name, pass->v, kv_heads * dim));
    mcv_rms_norm(ops, names->q_norm.weight, names->q_norm.variance_epsilon, pass->q, rows * heads, dim, pass->q);
    mcv_rms_norm(ops, names->k_norm.weight, names->k_norm.variance_epsilon, pass->k, rows * kv_heads, dim, pass->k);
    MCV_TRY(show_heads(pass, names->q_norm.name, pass->q, heads));
    MCV_TRY(show_heads(pass, names->k_norm.name, pass->k, kv_heads));
    mcv_rope(ops, pass->q, rows, heads, dim, pass->cos, pass->sin);
    mcv_rope(ops, pass->k, rows, kv_heads, dim, pass->cos, pass->sin);
    mcv_parallel_for(ops->pool, rows, store_tokens, &(StoreWork){pass, index});
    MCV_TRY(attend(pass, index, names->scaling));
    mcv_rows context = mcv_rows_of(pass->context, rows, heads * dim);
    if (!pass->run->tap)
        return mcv_linear(ops, arena, &context, &layer->o_proj, hidden, true);
    MCV_TRY(mcv_linear(ops, arena, &context, &layer->o_proj, pass->out, false));
    MCV_TRY(show(pass, names->o_proj.name, pass->out, pass->qwen3->hidden));
    MCV_TRY(show(pass, names->name, pass->out, pass->qwen3->hidden));
    mcv_add(ops, hidden, pass->out, rows * pass->qwen3->hidden, hidden);
    return MCV_OK;
}

/* ---- MLP ---------------------------------------------------------------------------------------------------- */

/* gate = act_fn(gate) * up. */
static mcv_status activate(const Pass *pass, const Qwen3MLP *names) {
    size_t count = pass->count * pass->qwen3->intermediate;
    if (!pass->run->tap && names->act_fn == ACTIVATION_SILU) {
        mcv_silu_multiply(pass->ops, pass->gate, pass->up, count, pass->gate);
        return MCV_OK;
    }
    mcv_activate(pass->ops, names->act_fn, pass->gate, count, pass->gate);
    MCV_TRY(show(pass, names->act_fn_name, pass->gate, pass->qwen3->intermediate));
    mcv_multiply(pass->ops, pass->gate, pass->up, count, pass->gate);
    return MCV_OK;
}

/* hidden += mlp(normed). */
static mcv_status mlp(const Pass *pass, size_t index, float *hidden) {
    const mcv_qwen3_layer *layer = &pass->qwen3->layers[index];
    const Qwen3MLP *names = &layer->layer->mlp;
    mcv_arena *arena = pass->run->arena;
    size_t rows = pass->count, wide = pass->qwen3->intermediate;
    mcv_rows x = mcv_rows_of(pass->normed, rows, pass->qwen3->hidden);
    const mcv_packed *const projections[] = {&layer->gate_proj, &layer->up_proj};
    MCV_TRY(mcv_linears(pass->ops, arena, &x, projections, (float *[]){pass->gate, pass->up}, 2));
    MCV_TRY(show(pass, names->gate_proj.name, pass->gate, wide));
    MCV_TRY(show(pass, names->up_proj.name, pass->up, wide));
    MCV_TRY(activate(pass, names));
    mcv_rows product = mcv_rows_of(pass->gate, rows, wide);
    if (!pass->run->tap)
        return mcv_linear(pass->ops, arena, &product, &layer->down_proj, hidden, true);
    MCV_TRY(mcv_linear(pass->ops, arena, &product, &layer->down_proj, pass->out, false));
    MCV_TRY(show(pass, names->down_proj.name, pass->out, pass->qwen3->hidden));
    MCV_TRY(show(pass, names->name, pass->out, pass->qwen3->hidden));
    mcv_add(pass->ops, hidden, pass->out, rows * pass->qwen3->hidden, hidden);
    return MCV_OK;
}

/* ---- Layers ------------------------------------------------------------------------------------------------- */

static void norm(const Pass *pass, const Qwen3RMSNorm *norm, const float *hidden) {
    mcv_rms_norm(pass->ops, norm->weight, norm->variance_epsilon, hidden, pass->count, pass->qwen3->hidden,
                 pass->normed);
}

static mcv_status layer_forward(const Pass *pass, size_t index, float *hidden) {
    const Qwen3DecoderLayer *names = pass->qwen3->layers[index].layer;
    size_t columns = pass->qwen3->hidden;
    mcv_arena_mark mark = mcv_arena_save(pass->run->arena);
    norm(pass, &names->input_layernorm, hidden);
    MCV_TRY(show(pass, names->input_layernorm.name, pass->normed, columns));
    MCV_TRY(self_attention(pass, index, hidden));
    mcv_arena_restore(pass->run->arena, mark);
    norm(pass, &names->post_attention_layernorm, hidden);
    MCV_TRY(show(pass, names->post_attention_layernorm.name, pass->normed, columns));
    MCV_TRY(mlp(pass, index, hidden));
    mcv_arena_restore(pass->run->arena, mark);
    return show(pass, names->name, hidden, columns);
}

/* Each token's angles, and the positions it sees, as a token and as each of the query heads that share a key head. */
static void prepare_tokens(const Pass *pass) {
    size_t half = pass->qwen3->head_dim / 2, shared = pass->qwen3->num_heads / pass->qwen3->num_kv_heads;
    uint32_t *by_head = pass->visible + pass->count;
    for (size_t i = 0; i < pass->count; i++) {
        Qwen3RotaryEmbedding_at(&pass->qwen3->llm->model, pass->tokens[i].position_id, pass->cos + i * half,
                                pass->sin + i * half);
        pass->visible[i] = pass->tokens[i].visible;
        for (size_t j = 0; j < shared; j++)
            by_head[i * shared + j] = pass->tokens[i].visible;
    }
}

static mcv_status allocate(mcv_arena *arena, Pass *pass) {
    const mcv_qwen3 *qwen3 = pass->qwen3;
    size_t rows = pass->count, q = qwen3->num_heads * qwen3->head_dim, kv = qwen3->num_kv_heads * qwen3->head_dim;
    MCV_TRY(MCV_ARENA_NEW(arena, &pass->cos, rows * (qwen3->head_dim / 2)));
    MCV_TRY(MCV_ARENA_NEW(arena, &pass->sin, rows * (qwen3->head_dim / 2)));
    MCV_TRY(MCV_ARENA_NEW(arena, &pass->normed, rows * qwen3->hidden));
    MCV_TRY(MCV_ARENA_NEW(arena, &pass->q, rows * q));
    MCV_TRY(MCV_ARENA_NEW(arena, &pass->k, rows * kv));
    MCV_TRY(MCV_ARENA_NEW(arena, &pass->v, rows * kv));
    MCV_TRY(MCV_ARENA_NEW(arena, &pass->context, rows * q));
    MCV_TRY(MCV_ARENA_NEW(arena, &pass->gate, rows * qwen3->intermediate));
    MCV_TRY(MCV_ARENA_NEW(arena, &pass->up, rows * qwen3->intermediate));
    MCV_TRY(MCV_ARENA_NEW(arena, &pass->visible, rows + rows * (qwen3->num_heads / qwen3->num_kv_heads)));
    return pass->run->tap ? MCV_ARENA_NEW(arena, &pass->out, rows * qwen3->hidden) : MCV_OK;
}

size_t mcv_qwen3_temporaries(const mcv_qwen3 *qwen3, size_t rows, size_t keys) {
    size_t width = qwen3->num_heads * qwen3->head_dim, blocks = keys / MCV_KEY_BLOCK + 1;
    /* Rows of floats as in allocate(), those of the int8 forms of inputs with a scale for each 32 at worst and a
     * sum for each 16, an attention layer's tasks and blocks; rounding to the arena's alignment. */
    size_t floats = qwen3->head_dim + 2 * qwen3->hidden + 4 * width + 2 * qwen3->intermediate + qwen3->num_heads + 1;
    size_t quantized = 2 * (MCV_MOST_LINEARS * qwen3->hidden + width + qwen3->intermediate);
    size_t tasks =
        2 * qwen3->num_heads * sizeof(mcv_attention_task) + qwen3->num_kv_heads * blocks * sizeof(mcv_kv_block);
    return rows * (floats * sizeof(float) + quantized + tasks) + 64 * 64;
}

mcv_status mcv_qwen3_layers(const Run *run, const mcv_ops *ops, const mcv_qwen3 *qwen3, const mcv_kv_cache *cache,
                            const mcv_token *tokens, size_t count, int64_t batch, int64_t length, float *hidden) {
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    Pass pass = {.run = run,
                 .ops = ops,
                 .qwen3 = qwen3,
                 .cache = cache,
                 .tokens = tokens,
                 .count = count,
                 .batch = batch,
                 .length = length};
    MCV_TRY(allocate(run->arena, &pass));
    prepare_tokens(&pass);
    for (int i = 0; i < qwen3->llm->model.num_layers; i++)
        MCV_TRY(layer_forward(&pass, (size_t)i, hidden));
    mcv_arena_restore(run->arena, mark);
    return MCV_OK;
}

void mcv_qwen3_norm(const mcv_ops *ops, const mcv_qwen3 *qwen3, const float *x, size_t rows, float *y) {
    const Qwen3RMSNorm *norm = &qwen3->llm->model.norm;
    mcv_rms_norm(ops, norm->weight, norm->variance_epsilon, x, rows, qwen3->hidden, y);
}

mcv_status mcv_qwen3_logits(mcv_arena *arena, const mcv_ops *ops, const mcv_qwen3 *qwen3, const float *normed,
                            size_t rows, float *logits) {
    mcv_rows x = mcv_rows_of(normed, rows, qwen3->hidden);
    return mcv_linear(ops, arena, &x, &qwen3->lm_head, logits, false);
}
