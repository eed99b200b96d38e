#include "simd/engine/ops.h"

#include <string.h>

enum { ELEMENTS = 1024 /* that a thread takes at a time */ };

static void *scratch_of(const mcv_ops *ops, int worker) {
    return ops->scratch + (size_t)worker * MCV_SCRATCH_BYTES;
}

/* ---- Linear layers ------------------------------------------------------------------------------------------ */

typedef struct QuantizeWork {
    const mcv_ops *ops;
    const mcv_rows *x;
    const mcv_int8_rows *form;
} QuantizeWork;

static void quantize_range(void *context, size_t begin, size_t end, int worker) {
    const QuantizeWork *work = context;
    const mcv_rows *x = work->x;
    const mcv_int8_rows *form = work->form;
    (void)worker;
    work->ops->kernels.quantize_rows(
        &(mcv_quantize_rows_args){.m = end - begin,
                                  .k = x->columns,
                                  .group = form->group,
                                  .sum_group = form->sum_group,
                                  .x = x->x + begin * x->columns,
                                  .ldx = x->columns,
                                  .q = form->q + begin * form->ldq,
                                  .ldq = form->ldq,
                                  .scale = form->scale + begin * mcv_groups(x->columns, form->group),
                                  .sum = form->sum + begin * mcv_groups(x->columns, form->sum_group)});
}

/* The form of x that a layer reads; NULL where there is none yet. */
static const mcv_int8_rows *find_form(const mcv_rows *x, const mcv_packed *w) {
    for (int i = 0; i < x->num_forms; i++)
        if (x->forms[i].group == w->group && x->forms[i].sum_group == w->sum_group)
            return &x->forms[i];
    return NULL;
}

/* Makes the form of x that a layer reads. */
static mcv_status quantize(const mcv_ops *ops, mcv_arena *arena, mcv_rows *x, const mcv_packed *w) {
    if (!w->group || find_form(x, w))
        return MCV_OK;
    mcv_int8_rows *form = &x->forms[x->num_forms];
    size_t padded = mcv_round_up(x->columns, MCV_K_PADDING);
    *form = (mcv_int8_rows){.group = w->group, .sum_group = w->sum_group};
    form->ldq = w->group == x->columns ? padded : mcv_round_up(padded, w->group);
    MCV_TRY(MCV_ARENA_NEW(arena, &form->q, x->rows * form->ldq));
    MCV_TRY(MCV_ARENA_NEW(arena, &form->scale, x->rows * mcv_groups(x->columns, form->group)));
    MCV_TRY(MCV_ARENA_NEW(arena, &form->sum, x->rows * mcv_groups(x->columns, form->sum_group)));
    mcv_parallel_for(ops->pool, x->rows, quantize_range, &(QuantizeWork){ops, x, form});
    x->num_forms++;
    return MCV_OK;
}

typedef struct LinearWork {
    const mcv_ops *ops;
    const mcv_rows *x;
    const mcv_packed *w;
    float *y;
    bool accumulate;
} LinearWork;

/* Some panels of a layer: where its outputs begin, how many they are, and what goes with them. */
typedef struct Slice {
    size_t first, count;
    const void *parts[MCV_PARTS];
    const float *bias;
} Slice;

static Slice slice_of(const mcv_packed *w, size_t begin, size_t end) {
    size_t first = begin * MCV_LANES, last = end * MCV_LANES < w->n ? end * MCV_LANES : w->n;
    Slice slice = {.first = first, .count = last - first, .bias = w->bias ? w->bias + first : NULL};
    for (int i = 0; i < MCV_PARTS; i++)
        slice.parts[i] = w->parts[i].data ? w->parts[i].data + begin * w->parts[i].panel_bytes : NULL;
    return slice;
}

/* What the arguments of all products have in common, of a slice of a layer's outputs. */
#define PRODUCT(work, slice, worker)                                                                                   \
    .m = (work)->x->rows, .n = (slice)->count, .k = (work)->w->k, .w = (slice)->parts[MCV_PART_W],                     \
    .bias = (slice)->bias, .y = (work)->y + (slice)->first, .ldy = (work)->w->n, .accumulate = (work)->accumulate,     \
    .scratch = scratch_of((work)->ops, worker)

/* And those with quantized weights, which read a form of x. */
#define QUANTIZED_PRODUCT(work, slice, worker, form)                                                                   \
    PRODUCT(work, slice, worker), .q = (form)->q, .ldq = (form)->ldq, .scale = (form)->scale,                          \
                                  .w_scale = (slice)->parts[MCV_PART_W_SCALE]

/* The outputs of the panels [begin, end). */
static void linear_floats(void *context, size_t begin, size_t end, int worker) {
    const LinearWork *work = context;
    Slice slice = slice_of(work->w, begin, end);
    mcv_gemm_args arguments = {PRODUCT(work, &slice, worker), .x = work->x->x, .ldx = work->x->columns};
    if (work->w->layout == MCV_LAYOUT_F32)
        work->ops->kernels.gemm_f32(&arguments);
    else if (work->w->layout == MCV_LAYOUT_F16)
        work->ops->kernels.gemm_f16(&arguments);
    else
        work->ops->kernels.gemm_bf16(&arguments);
}

static void linear_int8(void *context, size_t begin, size_t end, int worker) {
    const LinearWork *work = context;
    const mcv_int8_rows *x = find_form(work->x, work->w);
    Slice slice = slice_of(work->w, begin, end);
    work->ops->kernels.gemm_int8(&(mcv_gemm_int8_args){QUANTIZED_PRODUCT(work, &slice, worker, x), .sum = x->sum,
                                                       .w_sum = slice.parts[MCV_PART_W_SUM]});
}

static void linear_int4(void *context, size_t begin, size_t end, int worker) {
    const LinearWork *work = context;
    const mcv_int8_rows *x = find_form(work->x, work->w);
    Slice slice = slice_of(work->w, begin, end);
    work->ops->kernels.gemm_int4(&(mcv_gemm_int4_args){
        QUANTIZED_PRODUCT(work, &slice, worker, x),
        .sum = x->sum,
        .group = work->w->group,
        .w_zero = slice.parts[MCV_PART_W_ZERO],
    });
}

static void linear_blocks(void *context, size_t begin, size_t end, int worker) {
    const LinearWork *work = context;
    const mcv_int8_rows *x = find_form(work->x, work->w);
    Slice slice = slice_of(work->w, begin, end);
    work->ops->kernels.gemm_blocks(&(mcv_gemm_blocks_args){
        QUANTIZED_PRODUCT(work, &slice, worker, x),
        .sum = x->sum,
        .block = work->w->group,
        .group = work->w->block_group,
        .bits = work->w->bits,
        .zero = work->w->zero,
        .levels = work->w->levels,
        .w_group_scale = slice.parts[MCV_PART_W_GROUP_SCALE],
        .w_min = slice.parts[MCV_PART_W_MIN],
        .w_group_min = slice.parts[MCV_PART_W_GROUP_MIN],
    });
}

static void linear_nf4(void *context, size_t begin, size_t end, int worker) {
    const LinearWork *work = context;
    const mcv_int8_rows *x = find_form(work->x, work->w);
    Slice slice = slice_of(work->w, begin, end);
    work->ops->kernels.gemm_nf4(&(mcv_gemm_nf4_args){
        QUANTIZED_PRODUCT(work, &slice, worker, x),
        .group = work->w->group,
        .levels = work->w->nf4_levels,
    });
}

static const mcv_range_fn LINEAR[MCV_LAYOUTS] = {
    [MCV_LAYOUT_F32] = linear_floats, [MCV_LAYOUT_BF16] = linear_floats, [MCV_LAYOUT_F16] = linear_floats,
    [MCV_LAYOUT_INT8] = linear_int8,  [MCV_LAYOUT_INT4] = linear_int4,   [MCV_LAYOUT_BLOCKS] = linear_blocks,
    [MCV_LAYOUT_NF4] = linear_nf4};

/* Products of a few rows wait for memory, which gives threads their weights at times of its own; of many rows, each
 * call prepares all of them, and threads make one. */
static void run_panels(const mcv_ops *ops, const mcv_rows *x, size_t panels, mcv_range_fn fn, void *work) {
    enum { FEW = 8 };
    if (x->rows <= FEW)
        mcv_parallel_pieces(ops->pool, panels, fn, work);
    else
        mcv_parallel_for(ops->pool, panels, fn, work);
}

mcv_status mcv_linear(const mcv_ops *ops, mcv_arena *arena, mcv_rows *x, const mcv_packed *w, float *y,
                      bool accumulate) {
    MCV_TRY(quantize(ops, arena, x, w));
    LinearWork work = {ops, x, w, y, accumulate};
    run_panels(ops, x, mcv_panels(w->n), LINEAR[w->layout], &work);
    return MCV_OK;
}

typedef struct LinearsWork {
    int count;
    LinearWork layers[MCV_MOST_LINEARS];
} LinearsWork;

/* The panels [begin, end) of all layers, counted one layer after the other. */
static void linears_range(void *context, size_t begin, size_t end, int worker) {
    LinearsWork *work = context;
    size_t before = 0;
    for (int i = 0; i < work->count; i++) {
        size_t panels = mcv_panels(work->layers[i].w->n);
        size_t first = begin > before ? begin - before : 0, last = end > before ? end - before : 0;
        last = last < panels ? last : panels;
        if (first < last)
            LINEAR[work->layers[i].w->layout](&work->layers[i], first, last, worker);
        before += panels;
    }
}

mcv_status mcv_linears(const mcv_ops *ops, mcv_arena *arena, mcv_rows *x, const mcv_packed *const *w, float *const *y,
                       int count) {
    LinearsWork work = {.count = count};
    size_t panels = 0;
    for (int i = 0; i < count; i++) {
        MCV_TRY(quantize(ops, arena, x, w[i]));
        work.layers[i] = (LinearWork){ops, x, w[i], y[i], false};
        panels += mcv_panels(w[i]->n);
    }
    run_panels(ops, x, panels, linears_range, &work);
    return MCV_OK;
}

/* ---- Embeddings --------------------------------------------------------------------------------------------- */

typedef struct EmbedWork {
    const mcv_ops *ops;
    const mcv_weight *weight;
    mcv_embed_args arguments;
} EmbedWork;

static void embed_range(void *context, size_t begin, size_t end, int worker) {
    const EmbedWork *work = context;
    mcv_embed_args part = work->arguments;
    (void)worker;
    part.rows = end - begin;
    part.ids += begin;
    part.y += begin * part.ldy;
    work->ops->kernels.embed_rows(&part);
}

/* Rows of a table that is kept in another way. */
static void widen_range(void *context, size_t begin, size_t end, int worker) {
    const EmbedWork *work = context;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        mcv_weight_to_f32(work->weight, (size_t)work->arguments.ids[i], 1, work->arguments.y + i * work->arguments.ldy);
}

/* Whether a table's rows are floats that a kernel can read, and of which type. */
static bool is_plain(const mcv_weight *weight, mcv_table_type *type) {
    size_t size = weight->type == MCV_WEIGHT_F32 ? sizeof(float) : sizeof(uint16_t);
    *type = weight->type == MCV_WEIGHT_F32    ? MCV_TABLE_F32
            : weight->type == MCV_WEIGHT_BF16 ? MCV_TABLE_BF16
                                              : MCV_TABLE_F16;
    return weight->type <= MCV_WEIGHT_BF16 && (uintptr_t)weight->data % size == 0;
}

mcv_status mcv_embed(const mcv_ops *ops, const Embedding *embedding, const int32_t *ids, size_t rows, float *y) {
    const mcv_weight *weight = &embedding->weight;
    mcv_table_type type;
    bool plain = is_plain(weight, &type);
    for (size_t i = 0; i < rows; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= weight->rows)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: id %d in a table of %zu rows", embedding->name, (int)ids[i],
                            weight->rows);
    EmbedWork work = {
        ops,
        weight,
        {.columns = weight->columns, .ids = ids, .table = weight->data, .type = type, .y = y, .ldy = weight->columns}};
    mcv_parallel_for(ops->pool, rows, plain ? embed_range : widen_range, &work);
    return MCV_OK;
}

/* ---- Rows --------------------------------------------------------------------------------------------------- */

typedef struct NormWork {
    void (*kernel)(const mcv_norm_args *);
    mcv_norm_args arguments;
} NormWork;

static void norm_range(void *context, size_t begin, size_t end, int worker) {
    const NormWork *work = context;
    mcv_norm_args part = work->arguments;
    (void)worker;
    part.rows = end - begin;
    part.x += begin * part.ldx;
    part.y += begin * part.ldy;
    work->kernel(&part);
}

void mcv_layer_norm(const mcv_ops *ops, const LayerNorm *norm, const float *x, size_t rows, size_t columns, float *y) {
    NormWork work = {ops->kernels.layer_norm,
                     {.columns = columns,
                      .x = x,
                      .ldx = columns,
                      .weight = norm->weight,
                      .bias = norm->bias,
                      .eps = (float)norm->eps,
                      .y = y,
                      .ldy = columns}};
    mcv_parallel_for(ops->pool, rows, norm_range, &work);
}

void mcv_rms_norm(const mcv_ops *ops, const float *weight, double eps, const float *x, size_t rows, size_t columns,
                  float *y) {
    NormWork work = {
        ops->kernels.rms_norm,
        {.columns = columns, .x = x, .ldx = columns, .weight = weight, .eps = (float)eps, .y = y, .ldy = columns}};
    mcv_parallel_for(ops->pool, rows, norm_range, &work);
}

typedef struct RopeWork {
    const mcv_ops *ops;
    mcv_rope_args arguments;
} RopeWork;

static void rope_range(void *context, size_t begin, size_t end, int worker) {
    const RopeWork *work = context;
    mcv_rope_args part = work->arguments;
    (void)worker;
    part.rows = end - begin;
    part.x += begin * part.ldx;
    part.cos += begin * (part.head_dim / 2);
    part.sin += begin * (part.head_dim / 2);
    work->ops->kernels.rope(&part);
}

void mcv_rope(const mcv_ops *ops, float *x, size_t rows, size_t heads, size_t head_dim, const float *cosines,
              const float *sines) {
    RopeWork work = {
        ops, {.heads = heads, .head_dim = head_dim, .x = x, .ldx = heads * head_dim, .cos = cosines, .sin = sines}};
    mcv_parallel_for(ops->pool, rows, rope_range, &work);
}

/* ---- Elements ----------------------------------------------------------------------------------------------- */

typedef struct ElementsWork {
    const mcv_ops *ops;
    void (*kernel)(const mcv_multiply_args *);
    mcv_activation activation;
    const float *a, *b;
    float *y;
    size_t count;
} ElementsWork;

static size_t elements_end(const ElementsWork *work, size_t end) {
    return end * ELEMENTS < work->count ? end * ELEMENTS : work->count;
}

static void binary_range(void *context, size_t begin, size_t end, int worker) {
    const ElementsWork *work = context;
    size_t first = begin * ELEMENTS, last = elements_end(work, end);
    (void)worker;
    work->kernel(&(mcv_multiply_args){last - first, work->a + first, work->b + first, work->y + first});
}

static void activate_range(void *context, size_t begin, size_t end, int worker) {
    const ElementsWork *work = context;
    size_t first = begin * ELEMENTS, last = elements_end(work, end);
    (void)worker;
    work->ops->kernels.activate(&(mcv_activate_args){work->activation, last - first, work->a + first, work->y + first});
}

static void run_elements(const mcv_ops *ops, mcv_range_fn range, ElementsWork work) {
    mcv_parallel_for(ops->pool, (work.count + ELEMENTS - 1) / ELEMENTS, range, &work);
}

void mcv_activate(const mcv_ops *ops, Activation activation, const float *x, size_t count, float *y) {
    static const mcv_activation NAMES[] = {[ACTIVATION_SILU] = MCV_SILU,
                                           [ACTIVATION_GELU] = MCV_GELU,
                                           [ACTIVATION_GELU_PYTORCH_TANH] = MCV_GELU_TANH,
                                           [ACTIVATION_RELU] = MCV_RELU};
    run_elements(ops, activate_range,
                 (ElementsWork){.ops = ops, .activation = NAMES[activation], .a = x, .y = y, .count = count});
}

void mcv_silu_multiply(const mcv_ops *ops, const float *a, const float *b, size_t count, float *y) {
    run_elements(ops, binary_range,
                 (ElementsWork){.kernel = ops->kernels.silu_multiply, .a = a, .b = b, .y = y, .count = count});
}

void mcv_add(const mcv_ops *ops, const float *a, const float *b, size_t count, float *y) {
    run_elements(ops, binary_range, (ElementsWork){.kernel = ops->kernels.add, .a = a, .b = b, .y = y, .count = count});
}

static void multiply_elements(const mcv_multiply_args *a) {
    for (size_t i = 0; i < a->count; i++)
        a->y[i] = a->a[i] * a->b[i];
}

void mcv_multiply(const mcv_ops *ops, const float *a, const float *b, size_t count, float *y) {
    run_elements(ops, binary_range,
                 (ElementsWork){.kernel = multiply_elements, .a = a, .b = b, .y = y, .count = count});
}

/* ---- Attention ---------------------------------------------------------------------------------------------- */

typedef struct KeyValuesWork {
    const float *k, *v;
    const uint32_t *rows;
    size_t count, heads, head_dim, num_blocks;
    float *out; /* [heads][num_blocks][2][MCV_KEY_BLOCK * head_dim] */
} KeyValuesWork;

/* Blocks [begin, end) of all heads, counted head by head. */
static void pack_blocks(void *context, size_t begin, size_t end, int worker) {
    const KeyValuesWork *work = context;
    size_t dim = work->head_dim, stride = work->heads * dim, size = MCV_KEY_BLOCK * dim;
    (void)worker;
    for (size_t at = begin; at < end; at++) {
        size_t head = at / work->num_blocks, first = at % work->num_blocks * MCV_KEY_BLOCK;
        size_t count = work->count - first < MCV_KEY_BLOCK ? work->count - first : MCV_KEY_BLOCK;
        float *k = work->out + at * 2 * size, *v = k + size;
        if (count < MCV_KEY_BLOCK)
            memset(k, 0, 2 * size * sizeof *k);
        for (size_t j = 0; j < count; j++) {
            size_t row = (work->rows ? work->rows[first + j] : first + j) * stride + head * dim;
            float *key = k + j / MCV_LANES * MCV_LANES * dim + j % MCV_LANES;
            for (size_t d = 0; d < dim; d++)
                key[d * MCV_LANES] = work->k[row + d];
            memcpy(v + j * dim, work->v + row, dim * sizeof *v);
        }
    }
}

mcv_status mcv_pack_key_values(const mcv_ops *ops, mcv_arena *arena, const float *k, const float *v,
                               const uint32_t *rows, size_t count, size_t heads, size_t head_dim,
                               mcv_key_values *packed) {
    KeyValuesWork work = {k, v, rows, count, heads, head_dim, (count + MCV_KEY_BLOCK - 1) / MCV_KEY_BLOCK, NULL};
    mcv_kv_block *blocks;
    size_t total = heads * work.num_blocks, size = MCV_KEY_BLOCK * head_dim;
    MCV_TRY(MCV_ARENA_NEW(arena, &blocks, total));
    MCV_TRY(MCV_ARENA_NEW(arena, &work.out, total * 2 * size));
    for (size_t i = 0; i < total; i++)
        blocks[i] = (mcv_kv_block){.k = work.out + i * 2 * size, .v = work.out + (i * 2 + 1) * size};
    mcv_parallel_for(ops->pool, total, pack_blocks, &work);
    *packed = (mcv_key_values){work.num_blocks, blocks};
    return MCV_OK;
}

typedef struct AttentionWork {
    const mcv_ops *ops;
    const mcv_attention_task *tasks;
    size_t head_dim;
    float scale;
    mcv_kv_type type;
} AttentionWork;

static void attention_range(void *context, size_t begin, size_t end, int worker) {
    const AttentionWork *work = context;
    for (const mcv_attention_task *task = work->tasks + begin; task < work->tasks + end; task++)
        work->ops->kernels.attention(&(mcv_attention_args){.queries = task->queries,
                                                           .head_dim = work->head_dim,
                                                           .q = task->q,
                                                           .ldq = task->ldq,
                                                           .scale = work->scale,
                                                           .type = work->type,
                                                           .blocks = task->blocks,
                                                           .visible = task->visible,
                                                           .y = task->y,
                                                           .ldy = task->ldq,
                                                           .scratch = scratch_of(work->ops, worker)});
}

void mcv_attention(const mcv_ops *ops, const mcv_attention_task *tasks, size_t count, size_t head_dim, float scale,
                   mcv_kv_type type) {
    AttentionWork work = {ops, tasks, head_dim, scale, type};
    mcv_parallel_for(ops->pool, count, attention_range, &work);
}
