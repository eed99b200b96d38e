/* Weights as numbers into the layouts of f32, bf16, f16, int8 and int4: packing.h. */
#include <math.h>
#include <string.h>

#include "core/tensor.h"
#include "simd/engine/packing.h"

void mcv_widened_layout(mcv_layout layout, size_t group, mcv_packed *packed) {
    size_t k = packed->k, groups = mcv_groups(k, group);
    const size_t BYTES[MCV_LAYOUTS] = {[MCV_LAYOUT_F32] = k * sizeof(float),
                                       [MCV_LAYOUT_BF16] = mcv_round_up(k, 2) * sizeof(uint16_t),
                                       [MCV_LAYOUT_F16] = k * sizeof(uint16_t),
                                       [MCV_LAYOUT_INT8] = mcv_round_up(k, MCV_K_PADDING),
                                       [MCV_LAYOUT_INT4] = groups * group / 2};
    packed->layout = layout;
    packed->parts[MCV_PART_W].panel_bytes = BYTES[layout] * MCV_LANES;
    if (layout == MCV_LAYOUT_INT8) {
        packed->group = packed->sum_group = k;
        packed->parts[MCV_PART_W_SCALE].panel_bytes = MCV_LANES * sizeof(float);
        packed->parts[MCV_PART_W_SUM].panel_bytes = MCV_LANES * sizeof(int32_t);
    }
    if (layout == MCV_LAYOUT_INT4) {
        packed->group = packed->sum_group = group;
        packed->parts[MCV_PART_W_SCALE].panel_bytes = groups * MCV_LANES * sizeof(uint16_t);
    }
}

/* A panel's rows as floats, zeros for those behind the last. */
static const float *widen_panel(const mcv_packing *work, size_t panel, int worker) {
    size_t n = work->packed->n, k = work->packed->k, first = panel * MCV_LANES;
    size_t count = n - first < MCV_LANES ? n - first : MCV_LANES;
    float *rows = work->rows + (size_t)worker * MCV_LANES * k;
    mcv_weight_to_f32(work->weight, first, count, rows);
    memset(rows + count * k, 0, (MCV_LANES - count) * k * sizeof *rows);
    return rows;
}

static void pack_f32(void *context, size_t begin, size_t end, int worker) {
    const mcv_packing *work = context;
    for (size_t panel = begin; panel < end; panel++) {
        const float *rows = widen_panel(work, panel, worker);
        float *out = mcv_panel_of(work, MCV_PART_W, panel);
        for (size_t k = 0; k < work->packed->k; k++)
            for (size_t lane = 0; lane < MCV_LANES; lane++)
                *out++ = rows[lane * work->packed->k + k];
    }
}

static void pack_bf16(void *context, size_t begin, size_t end, int worker) {
    const mcv_packing *work = context;
    size_t columns = work->packed->k;
    for (size_t panel = begin; panel < end; panel++) {
        const float *rows = widen_panel(work, panel, worker);
        uint16_t *out = mcv_panel_of(work, MCV_PART_W, panel);
        for (size_t k = 0; k < columns; k += 2)
            for (size_t lane = 0; lane < MCV_LANES; lane++)
                for (size_t i = k; i < k + 2; i++)
                    *out++ = i < columns ? mcv_bf16_from_f32(rows[lane * columns + i]) : 0;
    }
}

/* Bits as they lie in the file. */
static void pack_f16(void *context, size_t begin, size_t end, int worker) {
    const mcv_packing *work = context;
    size_t n = work->packed->n, columns = work->packed->k;
    (void)worker;
    for (size_t panel = begin; panel < end; panel++) {
        size_t first = panel * MCV_LANES, count = n - first < MCV_LANES ? n - first : MCV_LANES;
        const uint8_t *rows = work->weight->data + first * work->weight->row_bytes;
        uint16_t *out = mcv_panel_of(work, MCV_PART_W, panel);
        memset(out, 0, work->packed->parts[MCV_PART_W].panel_bytes);
        for (size_t k = 0; k < columns; k++, out += MCV_LANES)
            for (size_t lane = 0; lane < count; lane++)
                memcpy(out + lane, rows + lane * work->weight->row_bytes + k * sizeof *out, sizeof *out);
    }
}

/* Rows are quantized as activations are. */
static void pack_int8(void *context, size_t begin, size_t end, int worker) {
    const mcv_packing *work = context;
    size_t columns = work->packed->k, padded = mcv_round_up(columns, MCV_K_PADDING);
    int8_t *q = work->quantized + (size_t)worker * MCV_LANES * padded;
    for (size_t panel = begin; panel < end; panel++) {
        int8_t *out = mcv_panel_of(work, MCV_PART_W, panel);
        mcv_quantize_rows_contract(&(mcv_quantize_rows_args){.m = MCV_LANES,
                                                             .k = columns,
                                                             .group = columns,
                                                             .sum_group = columns,
                                                             .x = widen_panel(work, panel, worker),
                                                             .ldx = columns,
                                                             .q = q,
                                                             .ldq = padded,
                                                             .scale = mcv_panel_of(work, MCV_PART_W_SCALE, panel),
                                                             .sum = mcv_panel_of(work, MCV_PART_W_SUM, panel)});
        for (size_t k = 0; k < padded; k += 4)
            for (size_t lane = 0; lane < MCV_LANES; lane++, out += 4)
                memcpy(out, q + lane * padded + k, 4);
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
    float inverse = -8 / extreme;
    inverse = isfinite(inverse) ? inverse : 0;
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
    const mcv_packing *work = context;
    size_t columns = work->packed->k, group = work->packed->group;
    for (size_t panel = begin; panel < end; panel++) {
        const float *rows = widen_panel(work, panel, worker);
        uint8_t *out = mcv_panel_of(work, MCV_PART_W, panel);
        uint16_t *scale = mcv_panel_of(work, MCV_PART_W_SCALE, panel);
        for (size_t first = 0; first < columns; first += group, out += group / 2 * MCV_LANES) {
            size_t count = columns - first < group ? columns - first : group;
            for (size_t lane = 0; lane < MCV_LANES; lane++) {
                uint8_t q[128];
                memset(q, 8, sizeof q);
                *scale++ = quantize_int4(rows + lane * columns + first, count, q);
                mcv_put_codes(4, q, group, out + lane * 4);
            }
        }
    }
}

const mcv_range_fn mcv_pack_widened[MCV_LAYOUTS] = {[MCV_LAYOUT_F32] = pack_f32,
                                                    [MCV_LAYOUT_BF16] = pack_bf16,
                                                    [MCV_LAYOUT_F16] = pack_f16,
                                                    [MCV_LAYOUT_INT8] = pack_int8,
                                                    [MCV_LAYOUT_INT4] = pack_int4};
