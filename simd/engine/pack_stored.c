/* Weights that are quantized in the file into the layouts of int8, int4, blocks and NF4: packing.h. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/tensor.h"
#include "formats/unpack_blocks.h"
#include "simd/engine/packing.h"

/* ---- Which have a kernel ------------------------------------------------------------------------------------ */

static bool has_f16_scales(const mcv_weight *weight) {
    const mcv_grouped *grouped = weight->grouped;
    for (size_t row = 0; row < weight->rows && grouped->scales.dtype != MCV_F16; row++)
        for (size_t g = 0; g < grouped->groups; g++) {
            float scale = mcv_grouped_scale(grouped, weight->first_row + row, g);
            if (mcv_f32_from_f16(mcv_f16_from_f32(scale)) != scale)
                return false;
        }
    return true;
}

/* AWQ and GPTQ: groups that lie side by side, of a size that the kernel knows. */
static bool is_plain(const mcv_weight *weight) {
    size_t group = weight->grouped->group_size;
    return (group == 32 || group == 64 || group == 128) && group * weight->grouped->groups == weight->columns &&
           mcv_grouped_in_order(weight->grouped) && has_f16_scales(weight);
}

/* No -128, which the kernel of INT8 does not take. */
static bool is_symmetric(const mcv_weight *weight) {
    const mcv_int8 *int8 = weight->int8;
    return !memchr(int8->weight + weight->first_row * int8->in, 0x80, weight->rows * int8->in);
}

/* Sets the bytes of a panel's parts. */
static void blocks_layout(const mcv_block_form *form, size_t size, mcv_packed *packed) {
    size_t blocks = packed->k / size * MCV_LANES, groups = packed->k / (size_t)form->group * MCV_LANES;
    packed->layout = MCV_LAYOUT_BLOCKS;
    packed->group = size;
    packed->sum_group = form->has_scales ? 16 : size;
    packed->block_group = (size_t)form->group;
    packed->bits = form->bits <= 4 ? 4 : form->bits <= 6 ? 6 : 8;
    packed->zero = form->zero;
    packed->levels = form->levels;
    packed->parts[MCV_PART_W].panel_bytes = packed->k * (size_t)packed->bits / 8 * MCV_LANES;
    packed->parts[MCV_PART_W_SCALE].panel_bytes = blocks * sizeof(uint16_t);
    packed->parts[MCV_PART_W_GROUP_SCALE].panel_bytes = form->has_scales ? groups : 0;
    packed->parts[MCV_PART_W_MIN].panel_bytes = form->has_minima ? blocks * sizeof(uint16_t) : 0;
    packed->parts[MCV_PART_W_GROUP_MIN].panel_bytes = form->has_scales && form->has_minima ? groups : 0;
}

static void int4_layout(size_t group, bool has_zeros, mcv_packed *packed) {
    size_t groups = packed->k / group * MCV_LANES;
    packed->layout = MCV_LAYOUT_INT4;
    packed->group = packed->sum_group = group;
    packed->parts[MCV_PART_W].panel_bytes = packed->k / 2 * MCV_LANES;
    packed->parts[MCV_PART_W_SCALE].panel_bytes = groups * sizeof(uint16_t);
    packed->parts[MCV_PART_W_ZERO].panel_bytes = has_zeros ? groups : 0;
}

/* The inputs of a row that share a scale, and that activations are rounded by: part of a block, wherever rows begin in
 * it. 0: rows or blocks have an odd size. */
static size_t nf4_group(const mcv_weight *weight) {
    size_t group = 64;
    while (group >= 16 && (weight->columns % group || weight->nf4->block_size % group))
        group /= 2;
    return group >= 16 ? group : 0;
}

/* What the largest number of the table is MCV_MOST_LEVEL of; 0: it has no such number. */
static float nf4_step(const mcv_nf4 *nf4) {
    float largest = 0;
    for (int i = 0; i < 16; i++) {
        if (!isfinite(nf4->table[i]))
            return 0;
        largest = fmaxf(largest, fabsf(nf4->table[i]));
    }
    return largest / MCV_MOST_LEVEL < FLT_MIN ? 0 : largest / MCV_MOST_LEVEL;
}

static void nf4_layout(const mcv_weight *weight, mcv_packed *packed) {
    float step = nf4_step(weight->nf4);
    packed->layout = MCV_LAYOUT_NF4;
    packed->group = packed->sum_group = nf4_group(weight);
    packed->parts[MCV_PART_W].panel_bytes = packed->k / 2 * MCV_LANES;
    packed->parts[MCV_PART_W_SCALE].panel_bytes = packed->k / packed->group * MCV_LANES * sizeof(float);
    for (int i = 0; i < 16; i++)
        packed->nf4_levels[i] = (int16_t)rintf(weight->nf4->table[i] / step);
}

bool mcv_stored_layout(const mcv_weight *weight, bool kept, mcv_packed *packed) {
    const mcv_block_form *form = mcv_weight_block_form(weight->type);
    if (weight->grouped && is_plain(weight))
        int4_layout(weight->grouped->group_size, true, packed);
    else if (weight->int8 && weight->int8->groups == 1 && (kept || is_symmetric(weight)))
        mcv_widened_layout(MCV_LAYOUT_INT8, packed->k, packed); /* which is no other for being stored */
    else if (weight->type == MCV_WEIGHT_Q4_0)
        int4_layout(mcv_weight_block_size(weight->type), false, packed);
    else if (weight->nf4 && nf4_group(weight) && nf4_step(weight->nf4) > 0)
        nf4_layout(weight, packed);
    else if (form)
        blocks_layout(form, mcv_weight_block_size(weight->type), packed);
    else
        return false;
    return true;
}

/* ---- Codes -------------------------------------------------------------------------------------------------- */

static uint32_t load_four(const uint8_t *codes) {
    uint32_t four;
    memcpy(&four, codes, sizeof four);
    return four;
}

static uint8_t *store_four(uint8_t *out, uint32_t four) {
    memcpy(out, &four, sizeof four);
    return out + 4 * MCV_LANES;
}

void mcv_put_codes(int bits, const uint8_t *codes, size_t count, uint8_t *out) {
    const uint32_t LOW = 0x0f0f0f0f, HIGH = 0x03030303;
    for (size_t k = 0; k < count && bits == 4; k += 8)
        out = store_four(out, load_four(codes + k) | load_four(codes + k + 4) << 4);
    for (size_t k = 0; k < count && bits == 6; k += 16) {
        uint32_t high = 0;
        for (int i = 0; i < 4; i += 2) {
            uint32_t first = load_four(codes + k + 4 * i), second = load_four(codes + k + 4 * i + 4);
            out = store_four(out, (first & LOW) | (second & LOW) << 4);
            high |= (first >> 4 & HIGH) << (2 * i) | (second >> 4 & HIGH) << (2 * i + 2);
        }
        out = store_four(out, high);
    }
    for (size_t k = 0; k < count && bits == 8; k += 4)
        out = store_four(out, load_four(codes + k));
}

/* ---- Packing ------------------------------------------------------------------------------------------------ */

static void pack_int8(void *context, size_t begin, size_t end, int worker) {
    const mcv_packing *work = context;
    const mcv_int8 *int8 = work->weight->int8;
    size_t k = work->packed->k;
    (void)worker;
    for (size_t panel = begin; panel < end; panel++) {
        int8_t *out = mcv_panel_of(work, MCV_PART_W, panel);
        float *scale = mcv_panel_of(work, MCV_PART_W_SCALE, panel);
        int32_t *sum = mcv_panel_of(work, MCV_PART_W_SUM, panel);
        memset(out, 0, work->packed->parts[MCV_PART_W].panel_bytes);
        for (size_t lane = 0; lane < MCV_LANES; lane++) {
            size_t row = work->weight->first_row + panel * MCV_LANES + lane;
            scale[lane] = 0;
            sum[lane] = 0;
            if (panel * MCV_LANES + lane >= work->packed->n)
                continue;
            mcv_tensor_to_f32(&int8->scales, row, 1, &scale[lane]);
            for (size_t i = 0; i < k; i++) {
                int8_t code = (int8_t)int8->weight[row * k + i];
                out[(i / 4 * MCV_LANES + lane) * 4 + i % 4] = code;
                sum[lane] += code;
            }
        }
    }
}

/* A group of a row as int4 has it. */
typedef struct Group {
    uint8_t code[MCV_LARGEST_BLOCK], zero;
    uint16_t scale;
} Group;

static void read_group(const mcv_weight *weight, size_t row, size_t g, size_t size, Group *out) {
    if (weight->grouped) {
        row += weight->first_row;
        mcv_grouped_codes(weight->grouped, row, g * size, size, out->code);
        out->scale = mcv_f16_from_f32(mcv_grouped_scale(weight->grouped, row, g));
        out->zero = (uint8_t)mcv_grouped_zero(weight->grouped, row, g);
        return;
    }
    mcv_block block;
    mcv_unpack_block(weight->type, weight->data + row * weight->row_bytes + g * mcv_weight_block_bytes(weight->type),
                     &block);
    memcpy(out->code, block.code, size);
    out->scale = block.d;
}

static void pack_int4(void *context, size_t begin, size_t end, int worker) {
    const mcv_packing *work = context;
    const mcv_packed *packed = work->packed;
    size_t size = packed->group;
    (void)worker;
    for (size_t panel = begin; panel < end; panel++) {
        uint8_t *out = mcv_panel_of(work, MCV_PART_W, panel), *zero = mcv_panel_of(work, MCV_PART_W_ZERO, panel);
        uint16_t *scale = mcv_panel_of(work, MCV_PART_W_SCALE, panel);
        for (size_t g = 0; g < packed->k / size; g++, out += size / 2 * MCV_LANES)
            for (size_t lane = 0; lane < MCV_LANES; lane++) {
                size_t row = panel * MCV_LANES + lane;
                Group group = {0};
                if (row < packed->n)
                    read_group(work->weight, row, g, size, &group);
                mcv_put_codes(4, group.code, size, out + lane * 4);
                *scale++ = group.scale;
                if (zero)
                    *zero++ = group.zero;
            }
    }
}

/* Block b of a row, zeros in place of rows behind the last. */
static void read_block(const mcv_weight *weight, size_t n, size_t row, size_t b, mcv_block *out) {
    if (row < n)
        mcv_unpack_block(weight->type,
                         weight->data + row * weight->row_bytes + b * mcv_weight_block_bytes(weight->type), out);
    else
        memset(out, 0, sizeof *out);
}

static void pack_blocks(void *context, size_t begin, size_t end, int worker) {
    const mcv_packing *work = context;
    const mcv_packed *packed = work->packed;
    size_t size = packed->group, groups = size / packed->block_group;
    (void)worker;
    for (size_t panel = begin; panel < end; panel++) {
        uint8_t *out = mcv_panel_of(work, MCV_PART_W, panel),
                *minimum = mcv_panel_of(work, MCV_PART_W_GROUP_MIN, panel);
        uint16_t *d = mcv_panel_of(work, MCV_PART_W_SCALE, panel), *dmin = mcv_panel_of(work, MCV_PART_W_MIN, panel);
        int8_t *scale = mcv_panel_of(work, MCV_PART_W_GROUP_SCALE, panel);
        for (size_t b = 0; b < packed->k / size; b++, out += size * (size_t)packed->bits / 8 * MCV_LANES)
            for (size_t lane = 0; lane < MCV_LANES; lane++) {
                mcv_block block;
                read_block(work->weight, packed->n, panel * MCV_LANES + lane, b, &block);
                mcv_put_codes(packed->bits, block.code, size, out + lane * 4);
                d[b * MCV_LANES + lane] = block.d;
                if (dmin)
                    dmin[b * MCV_LANES + lane] = block.dmin;
                for (size_t g = 0; g < groups && scale; g++)
                    scale[(b * groups + g) * MCV_LANES + lane] = block.scale[g];
                for (size_t g = 0; g < groups && minimum; g++)
                    minimum[(b * groups + g) * MCV_LANES + lane] = block.minimum[g];
            }
    }
}

static void pack_nf4(void *context, size_t begin, size_t end, int worker) {
    const mcv_packing *work = context;
    const mcv_packed *packed = work->packed;
    const mcv_nf4 *nf4 = work->weight->nf4;
    size_t size = packed->group;
    float step = nf4_step(nf4);
    (void)worker;
    for (size_t panel = begin; panel < end; panel++) {
        uint8_t *out = mcv_panel_of(work, MCV_PART_W, panel);
        float *scale = mcv_panel_of(work, MCV_PART_W_SCALE, panel);
        for (size_t g = 0; g < packed->k / size; g++, out += size / 2 * MCV_LANES)
            for (size_t lane = 0; lane < MCV_LANES; lane++, scale++) {
                size_t row = panel * MCV_LANES + lane;
                size_t first = (work->weight->first_row + row) * packed->k + g * size;
                uint8_t codes[64] = {0};
                *scale = 0;
                if (row < packed->n) {
                    mcv_nf4_codes(nf4, first, size, codes);
                    *scale = mcv_nf4_scale(nf4, first) * step;
                }
                mcv_put_codes(4, codes, size, out + lane * 4);
            }
    }
}

void mcv_pack_stored(void *context, size_t begin, size_t end, int worker) {
    const mcv_packing *work = context;
    if (work->packed->layout == MCV_LAYOUT_INT8)
        pack_int8(context, begin, end, worker);
    else if (work->packed->layout == MCV_LAYOUT_INT4)
        pack_int4(context, begin, end, worker);
    else if (work->packed->layout == MCV_LAYOUT_NF4)
        pack_nf4(context, begin, end, worker);
    else
        pack_blocks(context, begin, end, worker);
}
