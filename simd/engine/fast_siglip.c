#include "simd/engine/fast_siglip.h"

#include <math.h>
#include <string.h>

#include "simd/engine/fast_image.h"
#include "simd/engine/taps.h"

/* ---- Packing ------------------------------------------------------------------------------------------------ */

static mcv_status pack_layer(const SiglipEncoderLayer *layer, mcv_precision precision, mcv_packer *packer,
                             mcv_siglip_layer *packed) {
    packed->layer = layer;
    MCV_TRY(
        mcv_pack_linear(packer, layer->self_attn.q_proj.name, &layer->self_attn.q_proj, precision, &packed->q_proj));
    MCV_TRY(
        mcv_pack_linear(packer, layer->self_attn.k_proj.name, &layer->self_attn.k_proj, precision, &packed->k_proj));
    MCV_TRY(
        mcv_pack_linear(packer, layer->self_attn.v_proj.name, &layer->self_attn.v_proj, precision, &packed->v_proj));
    MCV_TRY(mcv_pack_linear(packer, layer->self_attn.out_proj.name, &layer->self_attn.out_proj, precision,
                            &packed->out_proj));
    MCV_TRY(mcv_pack_linear(packer, layer->mlp.fc1.name, &layer->mlp.fc1, precision, &packed->fc1));
    return mcv_pack_linear(packer, layer->mlp.fc2.name, &layer->mlp.fc2, precision, &packed->fc2);
}

mcv_status mcv_siglip_pack(const SiglipVisionTransformer *vpm, mcv_precision precision, mcv_packer *packer,
                           mcv_siglip *siglip) {
    *siglip = (mcv_siglip){.vpm = vpm, .dim = (size_t)vpm->embeddings.embed_dim};
    /* Pixels are many and few values: the first layer is not rounded further than BF16. */
    bool is_rounded = precision == MCV_PRECISION_INT8 || precision == MCV_PRECISION_INT4;
    mcv_precision first = is_rounded ? MCV_PRECISION_BF16 : precision;
    MCV_TRY(mcv_pack_linear(packer, vpm->embeddings.patch_embedding.name, &vpm->embeddings.patch_embedding, first,
                            &siglip->patch_embedding));
    MCV_TRY(MCV_ARENA_NEW(packer->arena, &siglip->layers, vpm->num_layers));
    for (int i = 0; i < vpm->num_layers; i++)
        MCV_TRY(pack_layer(&vpm->layers[i], precision, packer, &siglip->layers[i]));
    if (vpm->num_layers > 0) {
        siglip->num_heads = (size_t)vpm->layers[0].self_attn.num_heads;
        siglip->intermediate_size = siglip->layers[0].fc1.n;
    }
    return MCV_OK;
}

/* ---- Layout ------------------------------------------------------------------------------------------------- */

/* Where the slices' rows lie. */
typedef struct Layout {
    int batch;
    int64_t length; /* of the taps' tensors; 0: slices have different lengths */
    size_t rows;
    size_t *first, *count, *patches; /* [batch]: first row, rows, those of them that are patches */
} Layout;

static mcv_status make_layout(const Run *run, const ImageSlice *const *slices, int batch, int64_t length,
                              Layout *layout) {
    *layout = (Layout){.batch = batch, .length = length};
    MCV_TRY(MCV_ARENA_NEW(run->arena, &layout->first, batch));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &layout->count, batch));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &layout->patches, batch));
    for (int i = 0; i < batch; i++) {
        layout->first[i] = layout->rows;
        layout->patches[i] = (size_t)slices[i]->grid_h * (size_t)slices[i]->grid_w;
        layout->count[i] = length ? (size_t)length : layout->patches[i];
        layout->rows += layout->count[i];
    }
    return MCV_OK;
}

/* Shows [rows, columns] as [batch, length, columns], where all slices have one length; else as [1, rows, columns]. */
static mcv_status show(const Run *run, const Layout *layout, const char *name, float *rows, size_t columns) {
    int64_t batch = layout->length ? layout->batch : 1,
            length = layout->length ? layout->length : (int64_t)layout->rows;
    return mcv_tap_3d(run, name, rows, batch, length, (int64_t)columns);
}

/* ---- Embeddings --------------------------------------------------------------------------------------------- */

/* The numbers of a slice's rows in the position table; 0 for its padding. ids: [count] */
static mcv_status list_positions(const Run *run, const SiglipVisionEmbeddings *embeddings, const ImageSlice *slice,
                                 size_t count, int32_t *ids) {
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    int32_t *down, *across;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &down, slice->grid_h));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &across, slice->grid_w));
    MCV_TRY(navit_bucket_coords(slice->grid_h, embeddings->num_patches_per_side, down));
    MCV_TRY(navit_bucket_coords(slice->grid_w, embeddings->num_patches_per_side, across));
    size_t grid_w = (size_t)slice->grid_w, patches = (size_t)slice->grid_h * grid_w;
    for (size_t i = 0; i < count; i++)
        ids[i] = i < patches ? down[i / grid_w] * embeddings->num_patches_per_side + across[i % grid_w] : 0;
    mcv_arena_restore(run->arena, mark);
    return MCV_OK;
}

/* Adds the position table's rows to those of all slices. */
static mcv_status add_positions(const Run *run, const mcv_ops *ops, const mcv_siglip *siglip, const Layout *layout,
                                const ImageSlice *const *slices, float *hidden) {
    const SiglipVisionEmbeddings *embeddings = &siglip->vpm->embeddings;
    int32_t *ids;
    float *positions;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &ids, layout->rows));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &positions, layout->rows * siglip->dim));
    for (int i = 0; i < layout->batch; i++)
        MCV_TRY(list_positions(run, embeddings, slices[i], layout->count[i], ids + layout->first[i]));
    MCV_TRY(mcv_embed(ops, &embeddings->position_embedding, ids, layout->rows, positions));
    mcv_add(ops, hidden, positions, layout->rows * siglip->dim, hidden);
    return MCV_OK;
}

static mcv_status embed(const Run *run, const mcv_ops *ops, const mcv_siglip *siglip, const Layout *layout,
                        const ImageSlice *const *slices, float *hidden) {
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    size_t patch_size = siglip->patch_embedding.k;
    float *pixels;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &pixels, layout->rows * patch_size));
    for (int i = 0; i < layout->batch; i++) {
        float *rows = pixels + layout->first[i] * patch_size;
        ImageSlice slice;
        mcv_image resized;
        MCV_TRY(ImageSlice_read(slices[i], &slice, &resized));
        mcv_unfold(ops, &slice, rows);
        mcv_image_free(&resized);
        memset(rows + layout->patches[i] * patch_size, 0,
               (layout->count[i] - layout->patches[i]) * patch_size * sizeof *rows);
    }
    mcv_rows x = mcv_rows_of(pixels, layout->rows, patch_size);
    MCV_TRY(mcv_linear(ops, run->arena, &x, &siglip->patch_embedding, hidden, false));
    MCV_TRY(add_positions(run, ops, siglip, layout, slices, hidden));
    mcv_arena_restore(run->arena, mark);
    return show(run, layout, siglip->vpm->embeddings.name, hidden, siglip->dim);
}

/* ---- Attention ---------------------------------------------------------------------------------------------- */

static mcv_status attend(const Run *run, const mcv_ops *ops, const mcv_siglip *siglip, const Layout *layout,
                         const float *q, const float *k, const float *v, float *context) {
    enum { QUERIES = 128 /* of a task */ };
    size_t heads = siglip->num_heads, head_dim = siglip->dim / heads, num_tasks = 0, next = 0;
    mcv_attention_task *tasks;
    for (int i = 0; i < layout->batch; i++)
        num_tasks += heads * ((layout->count[i] + QUERIES - 1) / QUERIES);
    MCV_TRY(MCV_ARENA_NEW(run->arena, &tasks, num_tasks));
    for (int i = 0; i < layout->batch; i++) {
        size_t rows = layout->count[i], offset = layout->first[i] * siglip->dim;
        mcv_key_values keys;
        MCV_TRY(mcv_pack_key_values(ops, run->arena, k + offset, v + offset, NULL, layout->patches[i], heads, head_dim,
                                    &keys));
        uint32_t *visible;
        MCV_TRY(MCV_ARENA_NEW(run->arena, &visible, QUERIES));
        for (size_t j = 0; j < QUERIES; j++)
            visible[j] = (uint32_t)layout->patches[i];
        for (size_t head = 0; head < heads; head++)
            for (size_t first = 0; first < rows; first += QUERIES)
                tasks[next++] = (mcv_attention_task){.q = q + offset + first * siglip->dim + head * head_dim,
                                                     .y = context + offset + first * siglip->dim + head * head_dim,
                                                     .queries = rows - first < QUERIES ? rows - first : QUERIES,
                                                     .ldq = siglip->dim,
                                                     .blocks = keys.blocks + head * keys.num_blocks,
                                                     .visible = visible};
    }
    mcv_attention(ops, tasks, num_tasks, head_dim, (float)siglip->vpm->layers[0].self_attn.scale, MCV_KV_F32);
    return MCV_OK;
}

/* ---- Layers ------------------------------------------------------------------------------------------------- */

/* What a layer's outputs are written to, [rows, ...]. */
typedef struct Buffers {
    float *normed, *q, *k, *v, *context, *wide;
} Buffers;

static mcv_status self_attention(const Run *run, const mcv_ops *ops, const mcv_siglip *siglip,
                                 const mcv_siglip_layer *layer, const Layout *layout, const Buffers *b, float *hidden) {
    const SiglipAttention *names = &layer->layer->self_attn;
    size_t rows = layout->rows, dim = siglip->dim;
    mcv_rows x = mcv_rows_of(b->normed, rows, dim);
    const mcv_packed *const projections[] = {&layer->q_proj, &layer->k_proj, &layer->v_proj};
    MCV_TRY(mcv_linears(ops, run->arena, &x, projections, (float *[]){b->q, b->k, b->v}, 3));
    MCV_TRY(show(run, layout, names->q_proj.name, b->q, dim));
    MCV_TRY(show(run, layout, names->k_proj.name, b->k, dim));
    MCV_TRY(show(run, layout, names->v_proj.name, b->v, dim));
    MCV_TRY(attend(run, ops, siglip, layout, b->q, b->k, b->v, b->context));
    mcv_rows context = mcv_rows_of(b->context, rows, dim);
    if (!run->tap)
        return mcv_linear(ops, run->arena, &context, &layer->out_proj, hidden, true);
    MCV_TRY(mcv_linear(ops, run->arena, &context, &layer->out_proj, b->normed, false));
    MCV_TRY(show(run, layout, names->out_proj.name, b->normed, dim));
    MCV_TRY(show(run, layout, names->name, b->normed, dim));
    mcv_add(ops, hidden, b->normed, rows * dim, hidden);
    return MCV_OK;
}

static mcv_status mlp(const Run *run, const mcv_ops *ops, const mcv_siglip *siglip, const mcv_siglip_layer *layer,
                      const Layout *layout, const Buffers *b, float *hidden) {
    const SiglipMLP *names = &layer->layer->mlp;
    size_t rows = layout->rows, dim = siglip->dim, wide = siglip->intermediate_size;
    mcv_rows x = mcv_rows_of(b->normed, rows, dim);
    MCV_TRY(mcv_linear(ops, run->arena, &x, &layer->fc1, b->wide, false));
    MCV_TRY(show(run, layout, names->fc1.name, b->wide, wide));
    mcv_activate(ops, names->activation_fn, b->wide, rows * wide, b->wide);
    MCV_TRY(show(run, layout, names->activation_fn_name, b->wide, wide));
    mcv_rows activated = mcv_rows_of(b->wide, rows, wide);
    if (!run->tap)
        return mcv_linear(ops, run->arena, &activated, &layer->fc2, hidden, true);
    MCV_TRY(mcv_linear(ops, run->arena, &activated, &layer->fc2, b->normed, false));
    MCV_TRY(show(run, layout, names->fc2.name, b->normed, dim));
    MCV_TRY(show(run, layout, names->name, b->normed, dim));
    mcv_add(ops, hidden, b->normed, rows * dim, hidden);
    return MCV_OK;
}

static mcv_status layer_forward(const Run *run, const mcv_ops *ops, const mcv_siglip *siglip,
                                const mcv_siglip_layer *layer, const Layout *layout, const Buffers *b, float *hidden) {
    const SiglipEncoderLayer *names = layer->layer;
    size_t rows = layout->rows, dim = siglip->dim;
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    mcv_layer_norm(ops, &names->layer_norm1, hidden, rows, dim, b->normed);
    MCV_TRY(show(run, layout, names->layer_norm1.name, b->normed, dim));
    MCV_TRY(self_attention(run, ops, siglip, layer, layout, b, hidden));
    mcv_arena_restore(run->arena, mark);
    mcv_layer_norm(ops, &names->layer_norm2, hidden, rows, dim, b->normed);
    MCV_TRY(show(run, layout, names->layer_norm2.name, b->normed, dim));
    MCV_TRY(mlp(run, ops, siglip, layer, layout, b, hidden));
    mcv_arena_restore(run->arena, mark);
    return show(run, layout, names->name, hidden, dim);
}

/* Bytes for an element of a layer's rows: keys and values in blocks, and INT8 forms of rows, the widest of which have
 * four times as many elements. Taken once, as the system clears memory that a layer gives back and the next one takes.
 */
enum { LAYER_MEMORY = 16 };

mcv_status mcv_siglip_forward(const Run *run, const mcv_ops *ops, const mcv_siglip *siglip,
                              const ImageSlice *const *slices, int batch, int64_t length, float *out) {
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    size_t dim = siglip->dim;
    Layout layout;
    Buffers b;
    MCV_TRY(make_layout(run, slices, batch, length, &layout));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &b.normed, layout.rows * dim));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &b.q, layout.rows * dim));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &b.k, layout.rows * dim));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &b.v, layout.rows * dim));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &b.context, layout.rows * dim));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &b.wide, layout.rows * siglip->intermediate_size));
    MCV_TRY(mcv_arena_reserve(run->arena, LAYER_MEMORY * layout.rows * dim));
    MCV_TRY(embed(run, ops, siglip, &layout, slices, out));
    for (int i = 0; i < siglip->vpm->num_layers; i++)
        MCV_TRY(layer_forward(run, ops, siglip, &siglip->layers[i], &layout, &b, out));
    mcv_layer_norm(ops, &siglip->vpm->post_layernorm, out, layout.rows, dim, out);
    MCV_TRY(show(run, &layout, siglip->vpm->post_layernorm.name, out, dim));
    MCV_TRY(show(run, &layout, siglip->vpm->name, out, dim));
    mcv_arena_restore(run->arena, mark);
    return MCV_OK;
}
