#include "simd/engine/engine.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/text.h"
#include "simd/engine/fast_image.h"
#include "simd/engine/fast_qwen3.h"
#include "simd/engine/fast_resampler.h"
#include "simd/engine/fast_siglip.h"
#include "simd/engine/prefix.h"
#include "simd/engine/taps.h"
#include "simd/kernels/kernel_table.h"

enum { DEFAULT_CHUNK = 512, VISION_ROWS = 1024 /* patches that are encoded together, where slices are smaller */ };

struct mcv_engine {
    const MiniCPMV *model;
    mcv_model_options options;
    mcv_ops ops;
    PillowPasses passes; /* by the kernels of ops */
    int scratch_threads; /* that ops.scratch is for */
    mcv_arena weights;
    mcv_siglip siglip;
    mcv_resampler resampler;
    mcv_qwen3 qwen3;
    mcv_kv_cache cache;
    mcv_prefix prefix;    /* the last conversation */
    mcv_arena step_arena; /* temporaries of a step of decoding */
    size_t step_reserved; /* bytes that it holds */
    size_t decoder_bytes; /* of packed weights, which a step reads */
    mcv_times times;
    char remark[128];
};

/* Adds the seconds since *since to *sum and starts anew. */
static void lap(double *since, double *sum) {
    double now = mcv_seconds();
    *sum += now - *since;
    *since = now;
}

/* ---- Vision ------------------------------------------------------------------------------------------------- */

static int64_t rows_of(const ImageSlice *slice, int64_t length) {
    return length ? length : (int64_t)slice->grid_h * slice->grid_w;
}

/* A tap sees all images together, in HF's batches, unless it takes them in parts. */
static bool in_one_piece(const Run *run) {
    return run->tap && !run->tap_in_parts;
}

/* The encoder over all slices of a part, in HF's batches, as their outputs have names of their own, or as many slices
 * at a time as keep the threads busy. out: [rows, dim]. */
static mcv_status encode(const mcv_engine *engine, const Run *run, const VisionInputs *part, int64_t length,
                         float *out) {
    int batch_size = engine->model->config.vision_batch_size;
    for (int start = 0, count, batch = 0; start < part->num_slices; start += count, batch++) {
        int64_t rows = 0;
        for (count = 0; start + count < part->num_slices; count++) {
            if (in_one_piece(run) ? count == batch_size : rows >= VISION_ROWS)
                break;
            rows += rows_of(part->slices[start + count], length);
        }
        char suffix[16];
        Run batch_run = *run;
        snprintf(suffix, sizeof suffix, "#%d", batch);
        batch_run.tap_suffix = part->num_slices > batch_size ? suffix : "";
        MCV_TRY(
            mcv_siglip_forward(&batch_run, &engine->ops, &engine->siglip, part->slices + start, count, length, out));
        out += (size_t)rows * engine->siglip.dim;
    }
    return MCV_OK;
}

/* Encoder and resampler over some groups. features: of the first of them. */
static mcv_status run_part(mcv_engine *engine, const Run *run, const VisionInputs *part, int64_t length,
                           float *features) {
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    int64_t rows = 0;
    float *encoded;
    for (int i = 0; i < part->num_slices; i++)
        rows += rows_of(part->slices[i], length);
    MCV_TRY(MCV_ARENA_NEW(run->arena, &encoded, (size_t)rows * engine->siglip.dim));
    double since = mcv_seconds();
    MCV_TRY(encode(engine, run, part, length, encoded));
    lap(&since, &engine->times.encoder);
    MCV_TRY(mcv_resampler_forward(run, &engine->ops, &engine->resampler, encoded, part->slices, part->num_slices,
                                  length, part->groups, part->num_groups, features));
    lap(&since, &engine->times.resampler);
    engine->times.slices += part->num_slices;
    engine->times.groups += part->num_groups;
    mcv_arena_restore(run->arena, mark);
    return MCV_OK;
}

/* All groups that are needed (NULL: all), a few at a time unless a tap wants them in one piece.
 * features: [num_groups, query_num, hidden]. */
static mcv_status run_vision(mcv_engine *engine, const Run *run, const VisionInputs *inputs, const bool *needed,
                             float *features) {
    const MiniCPMVConfig *config = &engine->model->config;
    size_t size = (size_t)config->query_num * (size_t)config->hidden_size;
    /* HF pads all slices to the longest; where padding is shown, or attended to, it has to be there. */
    int64_t length = in_one_piece(run) || !config->batch_3d_resampler ? inputs->max_patches : 0, rows = 0;
    VisionInputs part = {.slices = inputs->slices, .groups = inputs->groups};
    for (int group = 0, slice = 0; group < inputs->num_groups; group++) {
        int count = inputs->groups[group].count;
        bool wanted = !needed || needed[group], next_wanted = group + 1 < inputs->num_groups;
        next_wanted = next_wanted && (!needed || needed[group + 1]);
        for (int i = 0; wanted && i < count; i++)
            rows += rows_of(inputs->slices[slice + i], length);
        part.num_groups += wanted;
        part.num_slices += wanted ? count : 0;
        slice += count;
        if (wanted && next_wanted && (in_one_piece(run) || rows < VISION_ROWS))
            continue;
        if (wanted)
            MCV_TRY(run_part(engine, run, &part, length, features + (size_t)(part.groups - inputs->groups) * size));
        part = (VisionInputs){.slices = inputs->slices + slice, .groups = inputs->groups + group + 1};
        rows = 0;
    }
    return MCV_OK;
}

/* ---- State -------------------------------------------------------------------------------------------------- */

/* What is kept behind the prompts of a batch. */
typedef struct State {
    mcv_engine *engine;
    int num_prompts, num_rows;
    mcv_kv_sequence *prompts; /* [num_prompts] */
    mcv_kv_sequence *rows;    /* [num_rows] */
    mcv_prefix_keys keys;     /* of the only prompt and what was written behind it; none where it is not kept */
} State;

static void free_rows(State *state) {
    for (int i = 0; i < state->num_rows; i++)
        mcv_kv_free(&state->rows[i]);
    free(state->rows);
    state->rows = NULL;
    state->num_rows = 0;
}

/* Row i becomes a copy of sources[parents[i]]. */
static mcv_status fork_rows(State *state, const mcv_kv_sequence *sources, const int32_t *parents, int count) {
    mcv_kv_sequence *rows;
    MCV_TRY(MCV_NEW(&rows, (size_t)count));
    mcv_status status = MCV_OK;
    for (int i = 0; i < count && status == MCV_OK; i++)
        status = mcv_kv_fork(&sources[parents ? parents[i] : i], &rows[i]);
    free_rows(state);
    state->rows = rows;
    state->num_rows = count;
    return status;
}

static mcv_status state_reset(void *context) {
    State *state = context;
    if (state->num_prompts == 1)
        mcv_prefix_keys_truncate(&state->keys, state->prompts[0].length);
    return fork_rows(state, state->prompts, NULL, state->num_prompts);
}

/* A sequence that goes on alone needs no copy. */
static mcv_status state_select_rows(void *context, const int32_t *parents, int rows) {
    State *state = context;
    bool same = rows == state->num_rows;
    for (int i = 0; i < rows; i++)
        same = same && parents[i] == i;
    return same ? MCV_OK : fork_rows(state, state->rows, parents, rows);
}

static void state_free(void *context) {
    State *state = context;
    if (state->keys.count) {
        /* What was written goes on with the prompt only where there was one row of it all the time. */
        bool alone = state->num_rows == 1 && state->keys.count == state->rows[0].length;
        mcv_kv_sequence *kept = alone ? &state->rows[0] : &state->prompts[0];
        mcv_prefix_keys_truncate(&state->keys, kept->length);
        mcv_prefix_keep(&state->engine->prefix, kept, &state->keys);
    }
    mcv_prefix_keys_free(&state->keys);
    free_rows(state);
    for (int i = 0; i < state->num_prompts; i++)
        mcv_kv_free(&state->prompts[i]);
    free(state->prompts);
    free(state);
}

/* ---- Embeddings --------------------------------------------------------------------------------------------- */

/* *embeds: [batch, length, hidden]. */
static mcv_status embed_tokens(const mcv_engine *engine, const Run *run, const int32_t *ids, int batch, int length,
                               float **embeds) {
    const Embedding *embedding = &engine->qwen3.llm->model.embed_tokens;
    size_t rows = (size_t)batch * (size_t)length, hidden = engine->qwen3.hidden;
    MCV_TRY(MCV_ARENA_NEW(run->arena, embeds, rows * hidden));
    MCV_TRY(mcv_embed(&engine->ops, embedding, ids, rows, *embeds));
    return mcv_tap_3d(run, embedding->name, *embeds, batch, length, (int64_t)hidden);
}

/* ---- Decoding ----------------------------------------------------------------------------------------------- */

/* Temporaries come from memory that stays: a step asks the system for nothing, except now and then for the cache. */
static mcv_status reserve_step(mcv_engine *engine, size_t rows, size_t keys) {
    size_t needed = mcv_qwen3_temporaries(&engine->qwen3, rows, mcv_round_up(keys, 1024)) +
                    rows * (engine->qwen3.hidden * 3 * sizeof(float) + sizeof(mcv_token));
    if (needed <= engine->step_reserved)
        return MCV_OK;
    mcv_arena_free(&engine->step_arena);
    engine->step_reserved = 0;
    MCV_TRY(mcv_arena_reserve(&engine->step_arena, needed));
    engine->step_reserved = needed;
    return MCV_OK;
}

static mcv_status step(const Run *run, State *state, const int32_t *ids, int rows, float *logits) {
    mcv_engine *engine = state->engine;
    mcv_token *tokens;
    float *hidden;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &tokens, rows));
    MCV_TRY(embed_tokens(engine, run, ids, rows, 1, &hidden));
    for (int i = 0; i < rows; i++) {
        mcv_kv_sequence *sequence = &state->rows[i];
        MCV_TRY(mcv_kv_extend(&engine->cache, sequence, 1));
        tokens[i] = (mcv_token){sequence, sequence->length, true, sequence->length - 1};
    }
    if (state->keys.count)
        MCV_TRY(mcv_prefix_keys_add(&state->keys, (uint64_t)ids[0]));
    MCV_TRY(mcv_qwen3_layers(run, &engine->ops, &engine->qwen3, &engine->cache, tokens, (size_t)rows, rows, 1, hidden));
    mcv_qwen3_norm(&engine->ops, &engine->qwen3, hidden, (size_t)rows, hidden);
    return mcv_qwen3_logits(run->arena, &engine->ops, &engine->qwen3, hidden, (size_t)rows, logits);
}

static mcv_status state_step(void *context, const int32_t *ids, int rows, float *logits) {
    State *state = context;
    mcv_engine *engine = state->engine;
    size_t keys = 0;
    for (int i = 0; i < rows; i++)
        keys = state->rows[i].length > keys ? state->rows[i].length : keys;
    MCV_TRY(reserve_step(engine, (size_t)rows, keys + 1));
    mcv_arena_mark mark = mcv_arena_save(&engine->step_arena);
    Run run = {.pool = engine->ops.pool, .arena = &engine->step_arena, .tap_suffix = ""};
    double since = mcv_seconds();
    mcv_status status = step(&run, state, ids, rows, logits);
    lap(&since, &engine->times.decoding);
    if (status != MCV_OK)
        mcv_prefix_keys_free(&state->keys);
    engine->times.decoded_tokens += rows;
    engine->times.decoding_bytes += (int64_t)engine->decoder_bytes;
    for (int i = 0; i < rows; i++)
        engine->times.decoding_bytes += (int64_t)mcv_kv_bytes(&engine->cache, state->rows[i].length);
    mcv_arena_restore(&engine->step_arena, mark);
    return status;
}

/* ---- Prompts ------------------------------------------------------------------------------------------------ */

/* The tokens [first, length) of a conversation, those before it in the sequence already. Makes room for their keys. */
static mcv_status list_tokens(const mcv_engine *engine, const MiniCPMVBatchFeature *data, int conversation, int first,
                              mcv_kv_sequence *sequence, mcv_token *tokens) {
    const uint8_t *mask = data->attention_mask + (size_t)conversation * (size_t)data->length;
    uint32_t seen = sequence->length;
    for (int t = first; t < data->length; t++) {
        bool stored = mask[t] != 0;
        seen += stored;
        tokens[t - first] = (mcv_token){sequence, seen, stored, stored ? seen - 1 : 1};
    }
    return mcv_kv_extend(&engine->cache, sequence, seen - sequence->length);
}

/* Where a conversation's features begin. */
static const float *features_of(const mcv_engine *engine, const MiniCPMVBatchFeature *data, int conversation,
                                const float *features) {
    size_t groups = 0;
    for (int i = 0; i < conversation; i++)
        groups += (size_t)data->images[i].num_groups;
    return features + groups * (size_t)engine->model->config.query_num * engine->qwen3.hidden;
}

/* A conversation from token `first` on, a chunk at a time. last: [hidden], the last token's output. */
static mcv_status run_conversation(mcv_engine *engine, const Run *run, const MiniCPMVBatchFeature *data,
                                   int conversation, int first, const float *features, mcv_kv_sequence *sequence,
                                   float *last) {
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    size_t hidden = engine->qwen3.hidden, count = (size_t)(data->length - first), chunk = (size_t)engine->options.chunk;
    const int32_t *ids = data->input_ids + (size_t)conversation * (size_t)data->length;
    mcv_token *tokens;
    float *embeds;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &tokens, count));
    MCV_TRY(list_tokens(engine, data, conversation, first, sequence, tokens));
    MCV_TRY(embed_tokens(engine, run, ids, 1, data->length, &embeds));
    MCV_TRY(MiniCPMV_scatter_features(engine->model, data, conversation, features, embeds));
    float *rows = embeds + (size_t)first * hidden;
    double since = mcv_seconds();
    for (size_t i = 0; i < count; i += chunk) {
        size_t size = count - i < chunk ? count - i : chunk;
        MCV_TRY(mcv_qwen3_layers(run, &engine->ops, &engine->qwen3, &engine->cache, tokens + i, size, 1, (int64_t)size,
                                 rows + i * hidden));
    }
    lap(&since, &engine->times.prompt);
    engine->times.prompt_tokens += (int64_t)count;
    memcpy(last, rows + (count - 1) * hidden, hidden * sizeof *last);
    mcv_arena_restore(run->arena, mark);
    return MCV_OK;
}

/* The whole batch at once, padding and all, so that a tap sees HF's tensors. last: [batch_size, hidden], the last
 * tokens' outputs of the final norm. */
static mcv_status run_shown(const mcv_engine *engine, const Run *run, const MiniCPMVBatchFeature *data,
                            const float *features, State *state, float *last) {
    size_t hidden = engine->qwen3.hidden, length = (size_t)data->length, batch = (size_t)data->batch_size;
    const Qwen3Model *model = &engine->qwen3.llm->model;
    mcv_token *tokens;
    float *embeds;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &tokens, batch * length));
    MCV_TRY(embed_tokens(engine, run, data->input_ids, data->batch_size, data->length, &embeds));
    for (int i = 0; i < data->batch_size; i++) {
        MCV_TRY(list_tokens(engine, data, i, 0, &state->prompts[i], tokens + (size_t)i * length));
        MCV_TRY(MiniCPMV_scatter_features(engine->model, data, i, features_of(engine, data, i, features),
                                          embeds + (size_t)i * length * hidden));
    }
    MCV_TRY(mcv_tap_3d(run, "inputs_embeds", embeds, data->batch_size, data->length, (int64_t)hidden));
    MCV_TRY(mcv_qwen3_layers(run, &engine->ops, &engine->qwen3, &engine->cache, tokens, batch * length,
                             data->batch_size, data->length, embeds));
    mcv_qwen3_norm(&engine->ops, &engine->qwen3, embeds, batch * length, embeds);
    MCV_TRY(mcv_tap_3d(run, model->norm.name, embeds, data->batch_size, data->length, (int64_t)hidden));
    for (size_t i = 0; i < batch; i++)
        memcpy(last + i * hidden, embeds + ((i + 1) * length - 1) * hidden, hidden * sizeof *last);
    return MCV_OK;
}

/* Conversations one by one; the only one of a batch goes on from the last conversation where it begins like it.
 * last: as of run_shown. */
static mcv_status run_unseen(mcv_engine *engine, const Run *run, const MiniCPMVBatchFeature *data,
                             const VisionInputs *inputs, float *features, State *state, float *last) {
    bool *needed = NULL;
    int first = data->padding[0];
    if (data->batch_size == 1 && !run->replace) {
        MCV_TRY(mcv_prefix_make_keys(engine->model, run->arena, data, &state->keys));
        MCV_TRY(mcv_prefix_take(&engine->prefix, &state->keys, data, engine->model->config.query_num, run->arena,
                                &state->prompts[0], &first, &needed));
    }
    MCV_TRY(run_vision(engine, run, inputs, needed, features));
    for (int i = 0; i < data->batch_size; i++)
        MCV_TRY(run_conversation(engine, run, data, i, i ? data->padding[i] : first,
                                 features_of(engine, data, i, features), &state->prompts[i],
                                 last + (size_t)i * engine->qwen3.hidden));
    mcv_qwen3_norm(&engine->ops, &engine->qwen3, last, (size_t)data->batch_size, last);
    return MCV_OK;
}

/* Takes the pool of a run, with scratch memory for each of its threads. */
static mcv_status use_pool(mcv_engine *engine, mcv_pool *pool) {
    int threads = mcv_pool_threads(pool);
    engine->ops.pool = pool;
    if (threads <= engine->scratch_threads)
        return MCV_OK;
    free(engine->ops.scratch);
    engine->scratch_threads = 0;
    engine->ops.scratch = aligned_alloc(64, (size_t)threads * MCV_SCRATCH_BYTES);
    if (!engine->ops.scratch)
        return MCV_FAIL_MEMORY((size_t)threads * MCV_SCRATCH_BYTES);
    engine->scratch_threads = threads;
    return MCV_OK;
}

static mcv_status prefill(void *context, const Run *run, const MiniCPMVBatchFeature *data, Prefill *out) {
    mcv_engine *engine = context;
    size_t hidden = engine->qwen3.hidden, batch = (size_t)data->batch_size;
    State *state;
    VisionInputs inputs;
    float *features, *last;
    if (run->tap_attention)
        return MCV_FAIL(MCV_UNSUPPORTED, "only the reference shows the resampler's attention weights");
    MCV_TRY(use_pool(engine, run->pool));
    MCV_TRY(MCV_NEW(&state, 1));
    state->engine = engine;
    out->decoder = (GenerationModel){state, engine->qwen3.llm->vocab_size, state_select_rows, state_step};
    out->reset = state_reset;
    out->free = state_free;
    MCV_TRY(MCV_NEW(&state->prompts, batch));
    state->num_prompts = data->batch_size;
    MCV_TRY(MiniCPMV_vision_inputs(run, data, &inputs));
    size_t size = (size_t)inputs.num_groups * (size_t)engine->model->config.query_num * hidden;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &features, size));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &last, batch * hidden));
    if (in_one_piece(run)) {
        MCV_TRY(run_vision(engine, run, &inputs, NULL, features));
        MCV_TRY(run_shown(engine, run, data, features, state, last));
    } else {
        memset(features, 0, size * sizeof *features);
        mcv_status status = run_unseen(engine, run, data, &inputs, features, state, last);
        if (status != MCV_OK)
            mcv_prefix_keys_free(&state->keys); /* the cache is not what they say */
        MCV_TRY(status);
    }
    MCV_TRY(mcv_qwen3_logits(run->arena, &engine->ops, &engine->qwen3, last, batch, out->logits));
    return mcv_tap_3d(run, engine->qwen3.lm_head.name, out->logits, data->batch_size, 1, engine->qwen3.llm->vocab_size);
}

/* ---- Creation ----------------------------------------------------------------------------------------------- */

static mcv_status check_head_dim(const char *module, size_t head_dim) {
    if (head_dim > MCV_MAX_HEAD_DIM)
        return MCV_FAIL(MCV_UNSUPPORTED, "%s: heads of %zu dimensions; the fast engine has kernels for %d at most",
                        module, head_dim, MCV_MAX_HEAD_DIM);
    return MCV_OK;
}

static mcv_status check_options(const mcv_model_options *options) {
    const mcv_precision PRECISIONS[] = {options->llm, options->vpm, options->resampler, options->kv};
    for (size_t i = 0; i < sizeof PRECISIONS / sizeof *PRECISIONS; i++)
        if ((unsigned)PRECISIONS[i] > MCV_PRECISION_STORED)
            return MCV_FAIL(MCV_USAGE, "a precision of %d", (int)PRECISIONS[i]);
    if (options->group != 32 && options->group != 64 && options->group != 128)
        return MCV_FAIL(MCV_USAGE, "groups of %d weights; expected 32, 64 or 128", options->group);
    if (options->kv > MCV_PRECISION_INT8)
        return MCV_FAIL(MCV_USAGE, "a KV cache in %s; expected f32, bf16 or int8",
                        options->kv == MCV_PRECISION_INT4 ? "int4" : "the type of stored weights");
    if ((unsigned)options->numerics > MCV_NUMERICS_FAST)
        return MCV_FAIL(MCV_USAGE, "numerics of %d", (int)options->numerics);
    if (options->numerics == MCV_NUMERICS_FAST && options->blas)
        return MCV_FAIL(MCV_USAGE, "numerics fast and products by %s: one or the other", options->blas);
    if (options->chunk < 0)
        return MCV_FAIL(MCV_USAGE, "chunks of %d tokens", options->chunk);
    return MCV_OK;
}

static mcv_status pack_modules(mcv_engine *engine, MiniCPMV *model, mcv_packer *packer) {
    const mcv_model_options *options = &engine->options;
    packer->widened = packer->bf16 = 0;
    MCV_TRY(mcv_siglip_pack(&model->vpm, options->vpm, packer, &engine->siglip));
    MCV_TRY(mcv_resampler_pack(&model->resampler, options->resampler, packer, &engine->resampler));
    MCV_TRY(mcv_qwen3_pack(&model->llm, options->llm, packer, &engine->qwen3));
    if (packer->widened)
        snprintf(engine->remark, sizeof engine->remark,
                 "%d layers are quantized in a way that no kernel knows: their weights are widened to f32",
                 packer->widened);
    else if (options->numerics == MCV_NUMERICS_FAST && packer->bf16 == 0)
        snprintf(engine->remark, sizeof engine->remark,
                 "numerics fast: no layer's weights are BF16, nothing is faster");
    return MCV_OK;
}

/* In the metadata of a file of packed weights, so that no other file is taken for one and replaced. */
static const char CACHE_MARK[] = "minicpmv packed weights";

/* Opens what was kept. MCV_BAD_INPUT: it is something else, or damaged. */
static mcv_status open_kept(const char *path, mcv_safetensors **out) {
    struct stat info;
    mcv_safetensors *kept;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: not a file that packed weights can be kept in", path);
    mcv_status status = mcv_safetensors_open(path, &kept);
    if (status != MCV_OK)
        return mcv_fail_context(status,
                                "expected packed weights (a damaged file of them can be removed, to be made anew)");
    if (!mcv_safetensors_metadata(kept, CACHE_MARK)) {
        mcv_safetensors_close(kept);
        return MCV_FAIL(MCV_BAD_INPUT, "%s: not a file of packed weights; it is left as it is", path);
    }
    *out = kept;
    return MCV_OK;
}

/* Packs the weights and keeps them in a file, which takes the place of an older one. */
static mcv_status pack_and_keep(mcv_engine *engine, MiniCPMV *model, mcv_packer *packer, const char *path) {
    MCV_TRY(mcv_safetensors_create(path, &packer->writer));
    mcv_status status = mcv_safetensors_add_metadata(packer->writer, CACHE_MARK, "1");
    if (status == MCV_OK)
        status = pack_modules(engine, model, packer);
    if (status == MCV_OK)
        return mcv_safetensors_commit(packer->writer);
    mcv_safetensors_abandon(packer->writer);
    return status;
}

/* From the file that was kept, where there is one of these weights and options. */
static mcv_status load_weights(mcv_engine *engine, MiniCPMV *model) {
    const char *path = engine->options.cache;
    mcv_packer packer = {.pool = model->pool, .arena = &engine->weights, .group = (size_t)engine->options.group};
    if (!path)
        return pack_modules(engine, model, &packer);
    if (mcv_ends_with(path, ".json")) /* would be read as an index of several files */
        return MCV_FAIL(MCV_USAGE, "%s: packed weights are not kept in a file of JSON; another name is expected", path);
    if (access(path, F_OK) == 0) {
        mcv_safetensors *kept = NULL;
        MCV_TRY(open_kept(path, &kept));
        packer.kept = kept;
        mcv_status status = pack_modules(engine, model, &packer);
        if (status == MCV_OK)
            mcv_kept_copy(&packer);
        mcv_safetensors_close(kept);
        packer.kept = NULL;
        if (status != MCV_DIFFERS)
            return status;
        mcv_arena_free(&engine->weights);
    }
    return pack_and_keep(engine, model, &packer, path);
}

/* Products of BF16 as the instruction set has them. The contract shows in plain C what they come to. */
static mcv_status take_fast_products(mcv_kernels *kernels) {
    if (kernels->gemm_bf16_fast == mcv_gemm_bf16_fast_contract && strcmp(kernels->target, "contract") != 0)
        return MCV_FAIL(MCV_UNSUPPORTED,
                        "numerics fast: target %s has nothing faster than the exact products; `minicpmv kernels` shows "
                        "which targets have gemm_bf16_fast",
                        kernels->target);
    kernels->gemm_bf16 = kernels->gemm_bf16_fast;
    return MCV_OK;
}

static mcv_status create(mcv_engine *engine, MiniCPMV *model, const mcv_model_options *options,
                         mcv_replace_kernels_fn replace) {
    static const mcv_kv_type KV_TYPES[] = {MCV_KV_F32, MCV_KV_BF16, MCV_KV_INT8};
    MCV_TRY(check_options(options));
    engine->model = model;
    engine->options = *options;
    if (options->chunk == 0)
        engine->options.chunk = DEFAULT_CHUNK;
    MCV_TRY(mcv_kernels_select(options->target, &engine->ops.kernels));
    if (options->numerics == MCV_NUMERICS_FAST)
        MCV_TRY(take_fast_products(&engine->ops.kernels));
    if (replace)
        MCV_TRY(replace(&engine->ops.kernels));
    MCV_TRY(load_weights(engine, model));
    mcv_arena_settle(&engine->weights);
    engine->decoder_bytes = mcv_qwen3_bytes(&engine->qwen3);
    if (engine->siglip.num_heads)
        MCV_TRY(check_head_dim("vpm", engine->siglip.dim / engine->siglip.num_heads));
    MCV_TRY(check_head_dim("resampler", (size_t)(model->resampler.embed_dim / model->resampler.num_heads)));
    MCV_TRY(check_head_dim("llm", engine->qwen3.head_dim));
    engine->cache = mcv_kv_cache_make((size_t)model->llm.model.num_layers, engine->qwen3.num_kv_heads,
                                      engine->qwen3.head_dim, KV_TYPES[options->kv]);
    engine->passes = mcv_resize_passes(&engine->ops.kernels);
    model->processor.image_processor.passes = &engine->passes;
    model->executor = (Executor){engine, prefill};
    return MCV_OK;
}

mcv_status mcv_engine_create(mcv_engine **out, MiniCPMV *model, const mcv_model_options *options,
                             mcv_replace_kernels_fn replace) {
    mcv_engine *engine;
    *out = NULL;
    MCV_TRY(MCV_NEW(&engine, 1));
    mcv_status status = create(engine, model, options, replace);
    if (status != MCV_OK) {
        mcv_engine_free(engine);
        return status;
    }
    *out = engine;
    return MCV_OK;
}

void mcv_engine_free(mcv_engine *engine) {
    if (!engine)
        return;
    mcv_prefix_free(&engine->prefix);
    mcv_arena_free(&engine->step_arena);
    mcv_arena_free(&engine->weights);
    free(engine->ops.scratch);
    free(engine);
}

const char *mcv_engine_remark(const mcv_engine *engine) {
    return engine->remark[0] ? engine->remark : NULL;
}

mcv_times *mcv_engine_times(mcv_engine *engine) {
    return &engine->times;
}
