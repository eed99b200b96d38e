#include "simd/engine/packed.h"

#include <math.h>
#include <string.h>

#include "core/tensor.h"

enum { MAX_K_INT8 = 131072 };

/* What the threads share while a layer is packed. The pointers are the packed layer's, to be written. */
typedef struct PackWork {
    const mcv_weight *weight;
    size_t n, k, group;
    void *w;
    float *w_scale;
    int32_t *w_sum;
    uint16_t *w_scale_16;
    float *rows; /* [threads][MCV_LANES][k]: a panel's rows, widened */
} PackWork;

/* A panel's rows as floats, zeros for those behind the last. */
static const float *widen_panel(const PackWork *work, size_t panel, int worker) {
    float *rows = work->rows + (size_t)worker * MCV_LANES * work->k;
    size_t first = panel * MCV_LANES, count = work->n - first < MCV_LANES ? work->n - first : MCV_LANES;
    mcv_weight_to_f32(work->weight, first, count, rows);
    memset(rows + count * work->k, 0, (MCV_LANES - count) * work->k * sizeof *rows);
    return rows;
}

static void pack_f32(void *context, size_t begin, size_t end, int worker) {
    const PackWork *work = context;
    for (size_t panel = begin; panel < end; panel++) {
        const float *rows = widen_panel(work, panel, worker);
        float *out = (float *)work->w + panel * work->k * MCV_LANES;
        for (size_t k = 0; k < work->k; k++)
            for (size_t lane = 0; lane < MCV_LANES; lane++)
                *out++ = rows[lane * work->k + k];
    }
}

static void pack_bf16(void *context, size_t begin, size_t end, int worker) {
    const PackWork *work = context;
    size_t pairs = (work->k + 1) / 2;
    for (size_t panel = begin; panel < end; panel++) {
        const float *rows = widen_panel(work, panel, worker);
        uint16_t *out = (uint16_t *)work->w + panel * pairs * 2 * MCV_LANES;
        for (size_t k = 0; k < pairs * 2; k += 2)
            for (size_t lane = 0; lane < MCV_LANES; lane++)
                for (size_t i = k; i < k + 2; i++)
                    *out++ = i < work->k ? mcv_bf16_from_f32(rows[lane * work->k + i]) : 0;
    }
}

/* NaN where an element is not finite, so that what is multiplied with it shows it. */
static float largest_magnitude(const float *row, size_t count) {
    float largest = 0;
    for (size_t k = 0; k < count; k++) {
        if (!isfinite(row[k]))
            return (float)NAN;
        largest = fabsf(row[k]) > largest ? fabsf(row[k]) : largest;
    }
    return largest;
}

static void pack_int8(void *context, size_t begin, size_t end, int worker) {
    const PackWork *work = context;
    size_t padded = mcv_round_up(work->k, MCV_K_PADDING);
    for (size_t panel = begin; panel < end; panel++) {
        const float *rows = widen_panel(work, panel, worker);
        int8_t *out = (int8_t *)work->w + panel * padded * MCV_LANES;
        memset(out, 0, padded * MCV_LANES);
        for (size_t lane = 0; lane < MCV_LANES; lane++) {
            const float *row = rows + lane * work->k;
            float largest = largest_magnitude(row, work->k), inverse = largest > 0 ? 127 / largest : 0;
            int32_t sum = 0;
            for (size_t k = 0; k < work->k; k++) {
                int8_t q = (int8_t)(inverse != 0 ? rintf(row[k] * inverse) : 0);
                out[(k / 4 * MCV_LANES + lane) * 4 + k % 4] = q;
                sum += q;
            }
            work->w_scale[panel * MCV_LANES + lane] = largest / 127;
            work->w_sum[panel * MCV_LANES + lane] = sum;
        }
    }
}

/* Four bits a weight, as w = scale (q - 8): the largest magnitude becomes -8 or 8 - 16, then the scale is chosen anew
 * so that the squared error of these q is least. Returns the scale's F16 bits, NaN where a weight is not finite. */
static uint16_t quantize_int4(const float *w, size_t count, uint8_t *q) {
    float extreme = 0, products = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(w[i]))
            return mcv_f16_from_f32((float)NAN);
        extreme = fabsf(w[i]) > fabsf(extreme) ? w[i] : extreme;
    }
    float inverse = extreme != 0 ? -8 / extreme : 0;
    for (size_t i = 0; i < count; i++) {
        float level = rintf(w[i] * inverse);
        level = level > 7 ? 7 : level < -8 ? -8 : level;
        q[i] = (uint8_t)(level + 8);
        products += w[i] * level;
        squares += level * level;
    }
    return mcv_f16_from_f32(squares > 0 ? products / squares : 0);
}

static void pack_int4(void *context, size_t begin, size_t end, int worker) {
    const PackWork *work = context;
    size_t group = work->group, groups = (work->k + group - 1) / group;
    for (size_t panel = begin; panel < end; panel++) {
        const float *rows = widen_panel(work, panel, worker);
        for (size_t g = 0; g < groups; g++) {
            uint8_t *out = (uint8_t *)work->w + (panel * groups + g) * group / 2 * MCV_LANES;
            size_t count = work->k - g * group < group ? work->k - g * group : group;
            for (size_t lane = 0; lane < MCV_LANES; lane++) {
                uint8_t q[128];
                memset(q, 8, sizeof q);
                work->w_scale_16[(panel * groups + g) * MCV_LANES + lane] =
                    quantize_int4(rows + lane * work->k + g * group, count, q);
                for (size_t k = 0; k < group; k += 8)
                    for (size_t j = 0; j < 4; j++)
                        out[(k / 8 * MCV_LANES + lane) * 4 + j] = (uint8_t)(q[k + j] | q[k + 4 + j] << 4);
            }
        }
    }
}

/* Allocates what a precision keeps besides the weights' own bytes. */
static mcv_status allocate(const Linear *linear, mcv_packed *packed, mcv_arena *arena, PackWork *work) {
    size_t panels = mcv_panels(packed->n), rows = panels * MCV_LANES, k = packed->k, bytes = 0;
    size_t groups = packed->group ? (k + packed->group - 1) / packed->group : 0;
    switch (packed->precision) {
    case MCV_PRECISION_F32:
        bytes = rows * k * sizeof(float);
        break;
    case MCV_PRECISION_BF16:
        bytes = rows * mcv_round_up(k, 2) * sizeof(uint16_t);
        break;
    case MCV_PRECISION_INT8:
        if (k > MAX_K_INT8)
            return MCV_FAIL(MCV_UNSUPPORTED, "%s: %zu in_features; int8 takes %d at most", linear->name, k, MAX_K_INT8);
        bytes = rows * mcv_round_up(k, MCV_K_PADDING);
        MCV_TRY(MCV_ARENA_NEW(arena, &work->w_scale, rows));
        MCV_TRY(MCV_ARENA_NEW(arena, &work->w_sum, rows));
        break;
    case MCV_PRECISION_INT4:
        bytes = rows * groups * packed->group / 2;
        MCV_TRY(MCV_ARENA_NEW(arena, &work->w_scale_16, rows * groups));
        break;
    }
    return mcv_arena_alloc(arena, &work->w, bytes, 1);
}

mcv_status mcv_pack_linear(const Linear *linear, mcv_precision precision, size_t group, mcv_arena *arena,
                           mcv_pool *pool, mcv_packed *packed) {
    static const mcv_range_fn PACK[] = {pack_f32, pack_bf16, pack_int8, pack_int4};
    if (precision == MCV_PRECISION_F32 && linear->weight.type == MCV_WEIGHT_BF16)
        precision = MCV_PRECISION_BF16;
    *packed = (mcv_packed){.name = linear->name,
                           .precision = precision,
                           .n = (size_t)linear->weight.shape[0],
                           .k = (size_t)linear->weight.columns,
                           .bias = linear->bias};
    packed->group = precision == MCV_PRECISION_INT4 ? group : precision == MCV_PRECISION_INT8 ? packed->k : 0;
    PackWork work = {.weight = &linear->weight, .n = packed->n, .k = packed->k, .group = packed->group};
    MCV_TRY(allocate(linear, packed, arena, &work));
    MCV_TRY(MCV_NEW(&work.rows, (size_t)mcv_pool_threads(pool) * MCV_LANES * packed->k));
    mcv_parallel_for(pool, mcv_panels(packed->n), PACK[precision], &work);
    free(work.rows);
    packed->w = work.w;
    packed->w_scale = work.w_scale;
    packed->w_sum = work.w_sum;
    packed->w_scale_16 = work.w_scale_16;
    return MCV_OK;
}
