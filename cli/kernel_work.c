#include "cli/kernel_work.h"

#include <string.h>

/* ---- Random numbers ----------------------------------------------------------------------------------------- */

enum { PATTERN = 4096 }; /* bytes that are drawn; the rest repeats them */

static void repeat(void *memory, size_t size) {
    for (size_t i = PATTERN; i < size; i += PATTERN)
        memcpy((char *)memory + i, memory, size - i < PATTERN ? size - i : PATTERN);
}

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static mcv_status random_bytes(mcv_arena *arena, size_t count, uint8_t mask, void *bytes) {
    uint8_t **out = bytes;
    uint32_t state = 1;
    MCV_TRY(MCV_ARENA_NEW(arena, out, count + PATTERN));
    for (size_t i = 0; i < PATTERN; i++)
        (*out)[i] = (uint8_t)next_random(&state) & mask;
    repeat(*out, count + PATTERN);
    return MCV_OK;
}

/* In [-1, 1]. */
static mcv_status random_floats(mcv_arena *arena, size_t count, float **out) {
    uint32_t state = 2;
    size_t size = count * sizeof **out + PATTERN;
    MCV_TRY(mcv_arena_alloc(arena, (void **)out, size, 1));
    for (size_t i = 0; i < PATTERN / sizeof **out; i++)
        (*out)[i] = (float)next_random(&state) * 0x1p-23f - 1;
    repeat(*out, size);
    return MCV_OK;
}

/* Halves (BF16, F16): random bits whose exponent is small. */
static mcv_status random_halves(mcv_arena *arena, size_t count, uint16_t bits, uint16_t **out) {
    MCV_TRY(random_bytes(arena, count * sizeof **out, 255, out));
    for (size_t i = 0; i < count; i++)
        (*out)[i] &= bits;
    return MCV_OK;
}

/* ---- Products ----------------------------------------------------------------------------------------------- */

static size_t round_up(size_t value, size_t step) {
    return (value + step - 1) / step * step;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* The first output of a part and how many it has. */
static size_t outputs_before(const mcv_kernel_work *work, size_t panel) {
    return smaller(panel * MCV_LANES, work->shape.n);
}

/* Bytes of a panel of floats. */
static size_t panel_bytes(const mcv_kernel_work *work) {
    size_t k = work->shape.k;
    return MCV_LANES * (work->shape.kernel == MCV_KERNEL_gemm_f32   ? k * sizeof(float)
                        : work->shape.kernel == MCV_KERNEL_gemm_f16 ? k * sizeof(uint16_t)
                                                                    : round_up(k, 2) * sizeof(uint16_t));
}

static void run_gemm(const mcv_kernel_work *work, size_t begin, size_t end, void *scratch) {
    size_t first = outputs_before(work, begin), panel = panel_bytes(work);
    for (size_t layer = 0; layer < work->shape.layers; layer++) {
        mcv_gemm_args a = work->arguments.gemm;
        a.n = outputs_before(work, end) - first;
        a.w = (const char *)a.w + (layer * work->parts + begin) * panel;
        a.y += first;
        a.scratch = scratch;
        if (work->shape.kernel == MCV_KERNEL_gemm_f32)
            work->kernels->gemm_f32(&a);
        else if (work->shape.kernel == MCV_KERNEL_gemm_bf16)
            work->kernels->gemm_bf16(&a);
        else if (work->shape.kernel == MCV_KERNEL_gemm_f16)
            work->kernels->gemm_f16(&a);
        else
            work->kernels->gemm_bf16_fast(&a);
    }
}

static mcv_status make_gemm(mcv_kernel_work *work, mcv_arena *arena) {
    const mcv_kernel_case *s = &work->shape;
    mcv_gemm_args *a = &work->arguments.gemm;
    float *x;
    size_t size = s->layers * work->parts * panel_bytes(work);
    MCV_TRY(random_floats(arena, s->m * s->k, &x));
    MCV_TRY(random_floats(arena, s->m * s->n, &a->y));
    if (s->kernel == MCV_KERNEL_gemm_f32)
        MCV_TRY(random_floats(arena, size / sizeof(float), (float **)&a->w));
    else
        MCV_TRY(random_halves(arena, size / 2, 0xbfff, (uint16_t **)&a->w));
    *a = (mcv_gemm_args){.m = s->m, .n = s->n, .k = s->k, .x = x, .ldx = s->k, .w = a->w, .y = a->y, .ldy = s->n};
    work->run = run_gemm;
    work->bytes = (double)size;
    return MCV_OK;
}

/* Quantized rows; k is padded to whole groups. */
static mcv_status make_quantized(const mcv_kernel_case *s, size_t group, size_t sum_group, size_t padded,
                                 mcv_arena *arena, const int8_t **q, const float **scale, const int32_t **sum) {
    float *x;
    size_t groups = mcv_groups(s->k, group), sums = mcv_groups(s->k, sum_group);
    MCV_TRY(random_floats(arena, s->m * s->k, &x));
    MCV_TRY(random_bytes(arena, s->m * padded, 255, q));
    MCV_TRY(random_floats(arena, s->m * groups, (float **)scale));
    MCV_TRY(random_bytes(arena, s->m * sums * sizeof **sum, 255, sum));
    mcv_quantize_rows_contract(&(mcv_quantize_rows_args){.m = s->m,
                                                         .k = s->k,
                                                         .group = group,
                                                         .sum_group = sum_group,
                                                         .x = x,
                                                         .ldx = s->k,
                                                         .q = (int8_t *)*q,
                                                         .ldq = padded,
                                                         .scale = (float *)*scale,
                                                         .sum = (int32_t *)*sum});
    return MCV_OK;
}

static void run_int8(const mcv_kernel_work *work, size_t begin, size_t end, void *scratch) {
    size_t first = outputs_before(work, begin), panel = work->arguments.int8.ldq * MCV_LANES;
    for (size_t layer = 0; layer < work->shape.layers; layer++) {
        mcv_gemm_int8_args a = work->arguments.int8;
        a.n = outputs_before(work, end) - first;
        a.w += (layer * work->parts + begin) * panel;
        a.w_scale += first;
        a.w_sum += first;
        a.y += first;
        a.scratch = scratch;
        work->kernels->gemm_int8(&a);
    }
}

static mcv_status make_int8(mcv_kernel_work *work, mcv_arena *arena) {
    const mcv_kernel_case *s = &work->shape;
    size_t padded = round_up(s->k, MCV_K_PADDING), outputs = work->parts * MCV_LANES;
    mcv_gemm_int8_args a = {.m = s->m, .n = s->n, .k = s->k, .ldq = padded, .ldy = s->n};
    MCV_TRY(make_quantized(s, s->k, s->k, padded, arena, &a.q, &a.scale, &a.sum));
    MCV_TRY(random_bytes(arena, s->layers * outputs * padded, 63, &a.w));
    MCV_TRY(random_floats(arena, outputs, (float **)&a.w_scale));
    MCV_TRY(random_bytes(arena, outputs * sizeof *a.w_sum, 255, &a.w_sum));
    MCV_TRY(random_floats(arena, s->m * s->n, &a.y));
    work->arguments.int8 = a;
    work->run = run_int8;
    work->bytes = (double)(s->layers * outputs * padded);
    return MCV_OK;
}

static void run_int4(const mcv_kernel_work *work, size_t begin, size_t end, void *scratch) {
    size_t first = outputs_before(work, begin), groups = mcv_groups(work->shape.k, work->shape.group);
    for (size_t layer = 0; layer < work->shape.layers; layer++) {
        size_t panel = layer * work->parts + begin;
        mcv_gemm_int4_args a = work->arguments.int4;
        a.n = outputs_before(work, end) - first;
        a.w += panel * groups * work->shape.group / 2 * MCV_LANES;
        a.w_scale += panel * groups * MCV_LANES;
        a.y += first;
        a.scratch = scratch;
        work->kernels->gemm_int4(&a);
    }
}

static mcv_status make_int4(mcv_kernel_work *work, mcv_arena *arena) {
    const mcv_kernel_case *s = &work->shape;
    size_t groups = mcv_groups(s->k, s->group), panels = s->layers * work->parts,
           bytes = panels * groups * s->group / 2 * MCV_LANES;
    mcv_gemm_int4_args a = {.m = s->m, .n = s->n, .k = s->k, .group = s->group, .ldq = groups * s->group, .ldy = s->n};
    MCV_TRY(make_quantized(s, s->group, s->group, a.ldq, arena, &a.q, &a.scale, &a.sum));
    MCV_TRY(random_bytes(arena, bytes, 255, &a.w));
    MCV_TRY(random_halves(arena, panels * groups * MCV_LANES, 0xbbff, (uint16_t **)&a.w_scale));
    MCV_TRY(random_floats(arena, s->m * s->n, &a.y));
    work->arguments.int4 = a;
    work->run = run_int4;
    work->bytes = (double)(bytes + panels * groups * MCV_LANES * sizeof *a.w_scale);
    return MCV_OK;
}

static void run_blocks(const mcv_kernel_work *work, size_t begin, size_t end, void *scratch) {
    size_t first = outputs_before(work, begin), k = work->shape.k;
    for (size_t layer = 0; layer < work->shape.layers; layer++) {
        mcv_gemm_blocks_args a = work->arguments.blocks;
        size_t rows = (layer * work->parts + begin) * MCV_LANES, blocks = rows * (k / a.block),
               groups = rows * (k / a.group);
        a.n = outputs_before(work, end) - first;
        a.w += rows * k / 8 * (size_t)a.bits;
        a.w_scale += blocks;
        a.w_group_scale = a.w_group_scale ? a.w_group_scale + groups : NULL;
        a.w_min = a.w_min ? a.w_min + blocks : NULL;
        a.w_group_min = a.w_group_min ? a.w_group_min + groups : NULL;
        a.y += first;
        a.scratch = scratch;
        work->kernels->gemm_blocks(&a);
    }
}

/* Bytes are those of the codes with their scales and minima. */
static mcv_status make_blocks(mcv_kernel_work *work, mcv_arena *arena) {
    const mcv_kernel_case *s = &work->shape;
    bool scaled = s->block != s->group;
    size_t rows = s->layers * work->parts * MCV_LANES, bytes = rows * s->k / 8 * (size_t)s->bits;
    size_t blocks = rows * (s->k / s->block), groups = rows * (s->k / s->group);
    mcv_gemm_blocks_args a = {.m = s->m,
                              .n = s->n,
                              .k = s->k,
                              .block = s->block,
                              .group = s->group,
                              .bits = s->bits,
                              .zero = s->minima ? 0 : 1 << (s->bits - 1),
                              .ldq = s->k,
                              .ldy = s->n};
    MCV_TRY(make_quantized(s, s->block, scaled ? 16 : s->block, a.ldq, arena, &a.q, &a.scale, &a.sum));
    if (s->levels)
        MCV_TRY(random_bytes(arena, 16, 255, &a.levels));
    MCV_TRY(random_bytes(arena, bytes, 255, &a.w));
    MCV_TRY(random_halves(arena, blocks, 0xbbff, (uint16_t **)&a.w_scale));
    work->bytes = (double)(bytes + blocks * sizeof *a.w_scale);
    if (scaled) {
        MCV_TRY(random_bytes(arena, groups, 63, &a.w_group_scale));
        work->bytes += (double)groups;
    }
    if (s->minima) {
        MCV_TRY(random_halves(arena, blocks, 0xbbff, (uint16_t **)&a.w_min));
        work->bytes += (double)(blocks * sizeof *a.w_min);
    }
    if (scaled && s->minima) {
        MCV_TRY(random_bytes(arena, groups, 63, &a.w_group_min));
        work->bytes += (double)groups;
    }
    MCV_TRY(random_floats(arena, s->m * s->n, &a.y));
    work->arguments.blocks = a;
    work->run = run_blocks;
    return MCV_OK;
}

static void run_nf4(const mcv_kernel_work *work, size_t begin, size_t end, void *scratch) {
    size_t first = outputs_before(work, begin), k = work->shape.k;
    for (size_t layer = 0; layer < work->shape.layers; layer++) {
        size_t rows = (layer * work->parts + begin) * MCV_LANES;
        mcv_gemm_nf4_args a = work->arguments.nf4;
        a.n = outputs_before(work, end) - first;
        a.w += rows * k / 2;
        a.w_scale += rows * (k / a.group);
        a.y += first;
        a.scratch = scratch;
        work->kernels->gemm_nf4(&a);
    }
}

static mcv_status make_nf4(mcv_kernel_work *work, mcv_arena *arena) {
    const mcv_kernel_case *s = &work->shape;
    size_t rows = s->layers * work->parts * MCV_LANES, scales = rows * (s->k / s->group);
    mcv_gemm_nf4_args a = {.m = s->m, .n = s->n, .k = s->k, .group = s->group, .ldq = s->k, .ldy = s->n};
    const int32_t *sum;
    uint16_t *levels;
    MCV_TRY(make_quantized(s, s->group, s->group, a.ldq, arena, &a.q, &a.scale, &sum));
    MCV_TRY(random_halves(arena, 16, 0x3fff, &levels)); /* any below MCV_MOST_LEVEL do */
    MCV_TRY(random_bytes(arena, rows * s->k / 2, 255, &a.w));
    MCV_TRY(random_floats(arena, scales, (float **)&a.w_scale));
    a.levels = (const int16_t *)levels;
    MCV_TRY(random_floats(arena, s->m * s->n, &a.y));
    work->arguments.nf4 = a;
    work->run = run_nf4;
    work->bytes = (double)(rows * s->k / 2 + scales * sizeof *a.w_scale);
    return MCV_OK;
}

/* ---- Attention ---------------------------------------------------------------------------------------------- */

static void run_attention(const mcv_kernel_work *work, size_t begin, size_t end, void *scratch) {
    for (size_t head = begin; head < end; head++) {
        mcv_attention_args a = work->arguments.attention;
        a.blocks += head * (work->shape.n / MCV_KEY_BLOCK);
        a.q += head * a.queries * a.ldq;
        a.y += head * a.queries * a.ldy;
        a.scratch = scratch;
        work->kernels->attention(&a);
    }
}

/* Every query sees every key; n is a multiple of MCV_KEY_BLOCK. */
static mcv_status make_attention(mcv_kernel_work *work, mcv_arena *arena) {
    const mcv_kernel_case *s = &work->shape;
    size_t heads = s->layers, blocks = heads * (s->n / MCV_KEY_BLOCK), block = MCV_KEY_BLOCK * s->k;
    float *q, *keys;
    mcv_kv_block *block_of;
    uint32_t *visible;
    mcv_attention_args a = {
        .queries = s->m, .head_dim = s->k, .ldq = s->k, .ldy = s->k, .scale = 0.1f, .type = MCV_KV_F32};
    MCV_TRY(random_floats(arena, heads * s->m * s->k, &q));
    MCV_TRY(random_floats(arena, heads * s->m * s->k, &a.y));
    MCV_TRY(random_floats(arena, blocks * block * 2, &keys));
    MCV_TRY(MCV_ARENA_NEW(arena, &block_of, blocks));
    MCV_TRY(MCV_ARENA_NEW(arena, &visible, s->m));
    for (size_t i = 0; i < blocks; i++)
        block_of[i] = (mcv_kv_block){keys + 2 * i * block, keys + (2 * i + 1) * block, NULL, NULL};
    for (size_t i = 0; i < s->m; i++)
        visible[i] = (uint32_t)s->n;
    a.q = q;
    a.blocks = block_of;
    a.visible = visible;
    work->arguments.attention = a;
    work->run = run_attention;
    work->parts = heads;
    work->operations = 4.0 * (double)heads * (double)s->m * (double)s->n * (double)s->k;
    work->bytes = (double)(blocks * block * 2 * sizeof *keys);
    return MCV_OK;
}

/* ---- Rows and elements -------------------------------------------------------------------------------------- */

static void run_rows(const mcv_kernel_work *work, size_t begin, size_t end, void *scratch) {
    (void)scratch;
    const mcv_kernels *kernels = work->kernels;
    size_t rows = end - begin, k = work->shape.k, before = begin * k;
    mcv_norm_args norm = work->arguments.norm;
    switch (work->shape.kernel) {
    case MCV_KERNEL_quantize_rows: {
        mcv_quantize_rows_args a = work->arguments.quantize;
        size_t groups = mcv_groups(work->shape.k, work->shape.group);
        a.m = rows, a.x += before, a.q += before, a.scale += begin * groups, a.sum += begin * groups;
        kernels->quantize_rows(&a);
        return;
    }
    case MCV_KERNEL_rms_norm:
    case MCV_KERNEL_layer_norm:
        norm.rows = rows, norm.x += before, norm.y += before;
        (work->shape.kernel == MCV_KERNEL_rms_norm ? kernels->rms_norm : kernels->layer_norm)(&norm);
        return;
    case MCV_KERNEL_softmax: {
        mcv_softmax_args a = work->arguments.softmax;
        a.rows = rows, a.x += before, a.y += before;
        kernels->softmax(&a);
        return;
    }
    case MCV_KERNEL_rope: {
        mcv_rope_args a = work->arguments.rope;
        a.rows = rows, a.x += before, a.cos += begin * a.head_dim / 2, a.sin += begin * a.head_dim / 2;
        kernels->rope(&a);
        return;
    }
    case MCV_KERNEL_activate: {
        mcv_activate_args a = work->arguments.activate;
        a.count = rows * k, a.x += before, a.y += before;
        kernels->activate(&a);
        return;
    }
    default: {
        mcv_multiply_args a = work->arguments.multiply;
        a.count = rows * k, a.a += before, a.b += before, a.y += before;
        (work->shape.kernel == MCV_KERNEL_add ? kernels->add : kernels->silu_multiply)(&a);
    }
    }
}

/* Operations on an element, as the contract has them; an exponential is 19. */
static double row_operations(mcv_kernel kernel) {
    switch (kernel) {
    case MCV_KERNEL_quantize_rows:
        return 5;
    case MCV_KERNEL_rms_norm:
        return 4;
    case MCV_KERNEL_layer_norm:
        return 8;
    case MCV_KERNEL_softmax:
        return 23;
    case MCV_KERNEL_rope:
        return 3;
    case MCV_KERNEL_activate:
        return 27;
    case MCV_KERNEL_silu_multiply:
        return 23;
    default:
        return 1;
    }
}

/* Bytes are those that are read and written. */
static mcv_status make_rows(mcv_kernel_work *work, mcv_arena *arena) {
    const mcv_kernel_case *s = &work->shape;
    size_t count = s->m * s->k, groups = mcv_groups(s->k, s->group);
    float *x, *second, *y, *scale;
    int8_t *q;
    int32_t *sum;
    MCV_TRY(random_floats(arena, count, &x));
    MCV_TRY(random_floats(arena, count, &second));
    MCV_TRY(random_floats(arena, count, &y));
    MCV_TRY(random_bytes(arena, count, 255, &q));
    MCV_TRY(random_floats(arena, s->m * groups, &scale));
    MCV_TRY(random_bytes(arena, s->m * groups * sizeof *sum, 255, &sum));
    size_t streams = 2;
    switch (s->kernel) {
    case MCV_KERNEL_quantize_rows:
        work->arguments.quantize = (mcv_quantize_rows_args){.m = s->m,
                                                            .k = s->k,
                                                            .group = s->group,
                                                            .sum_group = s->group,
                                                            .x = x,
                                                            .ldx = s->k,
                                                            .q = q,
                                                            .ldq = s->k,
                                                            .scale = scale,
                                                            .sum = sum};
        break;
    case MCV_KERNEL_rms_norm:
    case MCV_KERNEL_layer_norm:
        work->arguments.norm = (mcv_norm_args){.rows = s->m,
                                               .columns = s->k,
                                               .x = x,
                                               .ldx = s->k,
                                               .weight = second,
                                               .bias = second,
                                               .eps = 1e-6f,
                                               .y = y,
                                               .ldy = s->k};
        break;
    case MCV_KERNEL_softmax:
        work->arguments.softmax =
            (mcv_softmax_args){.rows = s->m, .columns = s->k, .x = x, .ldx = s->k, .y = y, .ldy = s->k};
        break;
    case MCV_KERNEL_rope:
        work->arguments.rope = (mcv_rope_args){.rows = s->m,
                                               .heads = s->k / s->n,
                                               .head_dim = s->n,
                                               .x = x,
                                               .ldx = s->k,
                                               .cos = second,
                                               .sin = second + s->m * s->n / 2};
        break;
    case MCV_KERNEL_activate:
        work->arguments.activate = (mcv_activate_args){MCV_GELU_TANH, count, x, y};
        break;
    default:
        work->arguments.multiply = (mcv_multiply_args){count, x, second, y};
        streams = 3;
    }
    work->run = run_rows;
    work->parts = s->m;
    work->bytes = s->kernel == MCV_KERNEL_quantize_rows ? (double)count * 5 : (double)(count * streams * sizeof *x);
    return MCV_OK;
}

/* ---- Pictures and tables ------------------------------------------------------------------------------------ */

static void run_picture(const mcv_kernel_work *work, size_t begin, size_t end, void *scratch) {
    (void)scratch;
    const mcv_kernels *kernels = work->kernels;
    switch (work->shape.kernel) {
    case MCV_KERNEL_resize_width: {
        mcv_resize_args a = work->arguments.resize;
        a.rows = end - begin, a.x += begin * a.ldx, a.y += begin * a.ldy;
        kernels->resize_width(&a);
        return;
    }
    case MCV_KERNEL_resize_height: {
        mcv_resize_args a = work->arguments.resize;
        a.rows = end - begin, a.first += begin, a.count += begin, a.weights += begin * a.stride, a.y += begin * a.ldy;
        kernels->resize_height(&a);
        return;
    }
    case MCV_KERNEL_unfold: {
        mcv_unfold_args a = work->arguments.unfold;
        a.grid_h = end - begin, a.x += begin * a.patch * a.row_step, a.y += begin * a.grid_w * a.ldy;
        kernels->unfold(&a);
        return;
    }
    default: {
        mcv_embed_args a = work->arguments.embed;
        a.rows = end - begin, a.ids += begin, a.y += begin * a.ldy;
        kernels->embed_rows(&a);
    }
    }
}

/* As many neighbours as a bicubic filter has, of equal weight. */
static mcv_status make_resize(mcv_kernel_work *work, mcv_arena *arena) {
    const mcv_kernel_case *s = &work->shape;
    bool width = s->kernel == MCV_KERNEL_resize_width;
    size_t outputs = width ? s->n : s->m, taps = smaller(4 * s->k / outputs + 1, s->k);
    size_t x_row = width ? s->k * 3 : s->n * 3, x_rows = width ? s->m : s->k;
    int32_t *first, *count, *weights;
    mcv_resize_args a = {.rows = s->m, .columns = s->n, .ldx = x_row, .stride = taps, .ldy = s->n * 3};
    MCV_TRY(random_bytes(arena, x_rows * x_row, 255, &a.x));
    MCV_TRY(random_bytes(arena, s->m * a.ldy, 255, &a.y));
    MCV_TRY(MCV_ARENA_NEW(arena, &first, outputs));
    MCV_TRY(MCV_ARENA_NEW(arena, &count, outputs));
    MCV_TRY(MCV_ARENA_NEW(arena, &weights, outputs * taps));
    for (size_t i = 0; i < outputs; i++) {
        first[i] = (int32_t)(i * (s->k - taps) / outputs);
        count[i] = (int32_t)taps;
    }
    for (size_t i = 0; i < outputs * taps; i++)
        weights[i] = (int32_t)((1 << MCV_RESIZE_BITS) / taps);
    a.first = first;
    a.count = count;
    a.weights = weights;
    work->arguments.resize = a;
    work->bytes = (double)(x_rows * x_row + s->m * a.ldy);
    work->operations = 2.0 * (double)(s->m * a.ldy * taps);
    return MCV_OK;
}

static mcv_status make_unfold(mcv_kernel_work *work, mcv_arena *arena) {
    const mcv_kernel_case *s = &work->shape;
    size_t row = s->n * s->k * 3, size = s->m * s->k * row;
    mcv_unfold_args a = {.grid_h = s->m,
                         .grid_w = s->n,
                         .patch = s->k,
                         .channel_step = 1,
                         .row_step = row,
                         .column_step = 3,
                         .mean = {0.5f, 0.5f, 0.5f},
                         .std = {0.5f, 0.5f, 0.5f},
                         .ldy = s->k * s->k * 3};
    MCV_TRY(random_bytes(arena, size, 255, &a.x));
    MCV_TRY(random_floats(arena, size, &a.y));
    work->arguments.unfold = a;
    work->bytes = (double)(size * (1 + sizeof *a.y));
    work->operations = 3.0 * (double)size;
    return MCV_OK;
}

static mcv_status make_embed(mcv_kernel_work *work, mcv_arena *arena) {
    const mcv_kernel_case *s = &work->shape;
    mcv_embed_args a = {.rows = s->m, .columns = s->k, .type = MCV_TABLE_BF16, .ldy = s->k};
    int32_t *ids;
    MCV_TRY(random_halves(arena, s->n * s->k, 0xbfff, (uint16_t **)&a.table));
    MCV_TRY(random_floats(arena, s->m * s->k, &a.y));
    MCV_TRY(MCV_ARENA_NEW(arena, &ids, s->m));
    uint32_t state = 3;
    for (size_t i = 0; i < s->m; i++)
        ids[i] = (int32_t)(next_random(&state) % s->n);
    a.ids = ids;
    work->arguments.embed = a;
    work->bytes = (double)(s->m * s->k * (sizeof(uint16_t) + sizeof *a.y));
    work->operations = 0;
    return MCV_OK;
}

mcv_status mcv_kernel_work_make(mcv_kernel_work *work, const mcv_kernel_case *shape, const mcv_kernels *kernels,
                                mcv_arena *arena) {
    double outputs = (double)shape->m * (double)shape->n * (double)shape->layers;
    *work = (mcv_kernel_work){.kernels = kernels,
                              .shape = *shape,
                              .parts = (shape->n + MCV_LANES - 1) / MCV_LANES,
                              .operations = 2 * outputs * (double)shape->k};
    switch (shape->kernel) {
    case MCV_KERNEL_gemm_f32:
    case MCV_KERNEL_gemm_bf16:
    case MCV_KERNEL_gemm_bf16_fast:
    case MCV_KERNEL_gemm_f16:
        return make_gemm(work, arena);
    case MCV_KERNEL_gemm_int8:
        return make_int8(work, arena);
    case MCV_KERNEL_gemm_int4:
        return make_int4(work, arena);
    case MCV_KERNEL_gemm_blocks:
        return make_blocks(work, arena);
    case MCV_KERNEL_gemm_nf4:
        return make_nf4(work, arena);
    case MCV_KERNEL_attention:
        return make_attention(work, arena);
    case MCV_KERNEL_resize_width:
    case MCV_KERNEL_resize_height:
        work->run = run_picture;
        work->parts = shape->m;
        return make_resize(work, arena);
    case MCV_KERNEL_unfold:
        work->run = run_picture;
        work->parts = shape->m;
        return make_unfold(work, arena);
    case MCV_KERNEL_embed_rows:
        work->run = run_picture;
        work->parts = shape->m;
        return make_embed(work, arena);
    default:
        work->operations = row_operations(shape->kernel) * (double)(shape->m * shape->k);
        return make_rows(work, arena);
    }
}
