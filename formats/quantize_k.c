/* Q2_K to Q6_K and IQ4_XS: blocks of 256 elements, whose sub-blocks have scales that are small integers times a
 * binary16 number. Layouts: formats/unpack_k.c, unpack_iq4.c. */
#include <math.h>

#include "formats/quantize_blocks.h"
#include "formats/quantize_fit.h"
#include "formats/unpack_blocks.h"

enum { BLOCK = MCV_LARGEST_BLOCK, MOST_SUB_BLOCKS = 16, ROUNDS = 3 };

static void put_f16(uint8_t *out, float value) {
    uint16_t bits = mcv_f16_from_f32(value);
    memcpy(out, &bits, sizeof bits);
}

/* ---- x ~ d scale v ------------------------------------------------------------------------------------------- */

typedef struct signed_form {
    mcv_grid grid;
    int sub_size;           /* elements of a sub-block */
    int scale_lo, scale_hi; /* what its integer scale can be */
} signed_form;

/* A block before it is packed. */
typedef struct signed_block {
    float d;
    int scales[MOST_SUB_BLOCKS];
    float v[BLOCK];
    float error;
} signed_block;

/* The best integer scale among `around` - 1 to `around` + 1 for sub-block j, and its values. */
static void settle_signed(const signed_form *form, const float *x, const float *w, int j, int around,
                          signed_block *block) {
    float best = INFINITY, v[MCV_FIT_MOST];
    int at = j * form->sub_size, size = form->sub_size;
    for (int scale = around - 1; scale <= around + 1; scale++) {
        if (scale < form->scale_lo || scale > form->scale_hi)
            continue;
        float error = mcv_fit_values(&form->grid, x + at, w + at, size, block->d * (float)scale, v);
        if (error < best) {
            best = error;
            block->scales[j] = scale;
            memcpy(block->v + at, v, (size_t)size * sizeof *v);
        }
    }
    block->error += best;
}

/* All sub-blocks for a given d; targets: [BLOCK / sub_size], the scales they would like. */
static void settle_all_signed(const signed_form *form, const float *x, const float *w, float d, const float *targets,
                              signed_block *block) {
    block->d = d;
    block->error = 0;
    for (int j = 0; j < BLOCK / form->sub_size; j++) {
        float scale = d == 0 ? 0 : mcv_clamp(targets[j] / d, (float)form->scale_lo, (float)form->scale_hi);
        settle_signed(form, x, w, j, (int)mcv_round_small(scale), block);
    }
}

/* The d of least error for the block's scales and values. */
static float best_signed_d(const signed_form *form, const float *x, const float *w, const signed_block *block) {
    double product = 0, square = 0;
    for (int i = 0; i < BLOCK; i++) {
        double value = (double)((float)block->scales[i / form->sub_size] * block->v[i]);
        product += (double)w[i] * (double)x[i] * value;
        square += (double)w[i] * value * value;
    }
    return square > 0 ? (float)(product / square) : 0;
}

static void quantize_signed(const signed_form *form, const float *x, const float *w, signed_block *best) {
    float targets[MOST_SUB_BLOCKS], largest = 0;
    for (int j = 0; j < BLOCK / form->sub_size; j++) {
        targets[j] = mcv_fit_scale(&form->grid, x + j * form->sub_size, w + j * form->sub_size, form->sub_size);
        largest = fabsf(targets[j]) > fabsf(largest) ? targets[j] : largest;
    }
    settle_all_signed(form, x, w, mcv_round_f16(largest / (float)form->scale_lo), targets, best);
    for (int i = 0; i < ROUNDS; i++) {
        signed_block next;
        settle_all_signed(form, x, w, mcv_round_f16(best_signed_d(form, x, w, best)), targets, &next);
        if (next.error >= best->error)
            break;
        *best = next;
    }
}

/* ---- x ~ d scale v - dmin minimum ---------------------------------------------------------------------------- */

typedef struct offset_form {
    int hi, sub_size;
    int most; /* the largest integer scale and minimum */
} offset_form;

typedef struct offset_block {
    float d, dmin;
    int scales[MOST_SUB_BLOCKS], minima[MOST_SUB_BLOCKS];
    float v[BLOCK];
    float error;
} offset_block;

static void settle_offset(const offset_form *form, const float *x, const float *w, int j, int scale_around,
                          int minimum_around, offset_block *block) {
    float best = INFINITY, v[MCV_FIT_MOST];
    int at = j * form->sub_size, size = form->sub_size;
    for (int scale = scale_around - 1; scale <= scale_around + 1; scale++)
        for (int minimum = minimum_around - 1; minimum <= minimum_around + 1; minimum++) {
            if (scale < 0 || scale > form->most || minimum < 0 || minimum > form->most)
                continue;
            float error = mcv_fit_offset_values(form->hi, x + at, w + at, size, block->d * (float)scale,
                                                -(block->dmin * (float)minimum), v);
            if (error < best) {
                best = error;
                block->scales[j] = scale;
                block->minima[j] = minimum;
                memcpy(block->v + at, v, (size_t)size * sizeof *v);
            }
        }
    block->error += best;
}

/* `value` in units of `unit`. */
static int in_units(float value, float unit, int most) {
    return unit == 0 ? 0 : (int)mcv_round_small(mcv_clamp(value / unit, 0, (float)most));
}

static void settle_all_offset(const offset_form *form, const float *x, const float *w, const float *scales,
                              const float *minima, offset_block *block) {
    block->error = 0;
    for (int j = 0; j < BLOCK / form->sub_size; j++)
        settle_offset(form, x, w, j, in_units(scales[j], block->d, form->most),
                      in_units(-minima[j], block->dmin, form->most), block);
}

/* The d and dmin of least error for the block's integers. */
static void best_units(const offset_form *form, const float *x, const float *w, const offset_block *block, float *d,
                       float *dmin) {
    double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;
    for (int i = 0; i < BLOCK; i++) {
        int j = i / form->sub_size;
        double a = (double)((float)block->scales[j] * block->v[i]), b = -(double)block->minima[j];
        aa += (double)w[i] * a * a;
        ab += (double)w[i] * a * b;
        bb += (double)w[i] * b * b;
        ax += (double)w[i] * a * (double)x[i];
        bx += (double)w[i] * b * (double)x[i];
    }
    double determinant = aa * bb - ab * ab;
    *d = block->d;
    *dmin = block->dmin;
    if (determinant > 0) {
        *d = (float)((bb * ax - ab * bx) / determinant);
        *dmin = (float)((aa * bx - ab * ax) / determinant);
    } else if (aa > 0) {
        *d = (float)(ax / aa);
    }
}

static void quantize_offset(const offset_form *form, const float *x, const float *w, offset_block *best) {
    float scales[MOST_SUB_BLOCKS], minima[MOST_SUB_BLOCKS], scale = 0, minimum = 0;
    for (int j = 0; j < BLOCK / form->sub_size; j++) {
        int at = j * form->sub_size;
        mcv_fit_scale_and_minimum(form->hi, true, x + at, w + at, form->sub_size, &scales[j], &minima[j]);
        scale = scales[j] > scale ? scales[j] : scale;
        minimum = -minima[j] > minimum ? -minima[j] : minimum;
    }
    best->d = mcv_round_f16(scale / (float)form->most);
    best->dmin = mcv_round_f16(minimum / (float)form->most);
    settle_all_offset(form, x, w, scales, minima, best);
    for (int i = 0; i < ROUNDS; i++) {
        offset_block next;
        best_units(form, x, w, best, &next.d, &next.dmin);
        next.d = mcv_round_f16(next.d < 0 ? 0 : next.d);
        next.dmin = mcv_round_f16(next.dmin < 0 ? 0 : next.dmin);
        settle_all_offset(form, x, w, scales, minima, &next);
        if (next.error >= best->error)
            break;
        *best = next;
    }
}

/* ---- Packing ------------------------------------------------------------------------------------------------- */

/* Two bits an element: 64 bytes, as Q2_K and Q3_K have them. */
static void put_two_bits(const int *q, uint8_t *out) {
    memset(out, 0, BLOCK / 4);
    for (int i = 0; i < BLOCK; i++)
        out[i / 128 * 32 + i % 32] |= (uint8_t)((q[i] & 3) << (i % 128 / 32 * 2));
}

/* Four bits an element: 128 bytes, byte 32 h + j holding elements 64 h + j and 64 h + j + 32. */
static void put_four_bits(const int *q, uint8_t *out) {
    memset(out, 0, BLOCK / 2);
    for (int i = 0; i < BLOCK; i++)
        out[i / 64 * 32 + i % 32] |= (uint8_t)((q[i] & 15) << (i % 64 / 32 * 4));
}

/* One bit an element: 32 bytes, element i in bit i / 32 of byte i % 32. */
static void put_one_bit(const int *q, int bit, uint8_t *out) {
    memset(out, 0, BLOCK / 8);
    for (int i = 0; i < BLOCK; i++)
        out[i % 32] |= (uint8_t)((q[i] >> bit & 1) << (i / 32));
}

static void to_integers(const float *v, int offset, int *q) {
    for (int i = 0; i < BLOCK; i++)
        q[i] = (int)v[i] + offset;
}

/* The reverse of take_scales_and_minima in unpack_k.c. scales, minima: [8]; out: [12]. */
static void put_scales_and_minima(const int *scales, const int *minima, uint8_t *out) {
    for (int j = 0; j < 4; j++) {
        out[j] = (uint8_t)(scales[j] | scales[j + 4] >> 4 << 6);
        out[j + 4] = (uint8_t)(minima[j] | minima[j + 4] >> 4 << 6);
        out[j + 8] = (uint8_t)((scales[j + 4] & 15) | (minima[j + 4] & 15) << 4);
    }
}

/* The reverse of mcv_unpack_q3_k. scales: [16]; out: [12]. */
static void put_q3_k_scales(const int *scales, uint8_t *out) {
    memset(out, 0, 12);
    for (int j = 0; j < 16; j++) {
        int scale = scales[j] + 32;
        out[j % 8] |= (uint8_t)((scale & 15) << (j / 8 * 4));
        out[8 + j % 4] |= (uint8_t)(scale >> 4 << (j / 4 * 2));
    }
}

/* ---- Types --------------------------------------------------------------------------------------------------- */

void mcv_quantize_q2_k(const float *x, const float *weights, uint8_t *block) {
    static const offset_form FORM = {.hi = 3, .sub_size = 16, .most = 15};
    offset_block found;
    int q[BLOCK];
    quantize_offset(&FORM, x, weights, &found);
    for (int j = 0; j < 16; j++)
        block[j] = (uint8_t)(found.scales[j] | found.minima[j] << 4);
    to_integers(found.v, 0, q);
    put_two_bits(q, block + 16);
    put_f16(block + 80, found.d);
    put_f16(block + 82, found.dmin);
}

void mcv_quantize_q3_k(const float *x, const float *weights, uint8_t *block) {
    static const signed_form FORM = {{-4, 3, NULL}, .sub_size = 16, .scale_lo = -32, .scale_hi = 31};
    signed_block found;
    int q[BLOCK];
    quantize_signed(&FORM, x, weights, &found);
    to_integers(found.v, 4, q);
    put_one_bit(q, 2, block);
    put_two_bits(q, block + 32);
    put_q3_k_scales(found.scales, block + 96);
    put_f16(block + 108, found.d);
}

/* What Q4_K and Q5_K have in common: the first 16 bytes of a block, and its integers. */
static void quantize_with_minima(const offset_form *form, const float *x, const float *weights, uint8_t *block,
                                 int q[BLOCK]) {
    offset_block found;
    quantize_offset(form, x, weights, &found);
    put_f16(block, found.d);
    put_f16(block + 2, found.dmin);
    put_scales_and_minima(found.scales, found.minima, block + 4);
    to_integers(found.v, 0, q);
}

void mcv_quantize_q4_k(const float *x, const float *weights, uint8_t *block) {
    static const offset_form FORM = {.hi = 15, .sub_size = 32, .most = 63};
    int q[BLOCK];
    quantize_with_minima(&FORM, x, weights, block, q);
    put_four_bits(q, block + 16);
}

void mcv_quantize_q5_k(const float *x, const float *weights, uint8_t *block) {
    static const offset_form FORM = {.hi = 31, .sub_size = 32, .most = 63};
    int q[BLOCK];
    quantize_with_minima(&FORM, x, weights, block, q);
    put_one_bit(q, 4, block + 16);
    put_four_bits(q, block + 48);
}

void mcv_quantize_q6_k(const float *x, const float *weights, uint8_t *block) {
    static const signed_form FORM = {{-32, 31, NULL}, .sub_size = 16, .scale_lo = -128, .scale_hi = 127};
    signed_block found;
    int q[BLOCK];
    quantize_signed(&FORM, x, weights, &found);
    to_integers(found.v, 32, q);
    memset(block, 0, 192);
    for (int i = 0; i < BLOCK; i++) {
        int half = i / 128, rest = i % 128;
        block[64 * half + rest % 64] |= (uint8_t)((q[i] & 15) << (rest / 64 * 4));
        block[128 + 32 * half + rest % 32] |= (uint8_t)(q[i] >> 4 << (rest / 32 * 2));
    }
    for (int j = 0; j < 16; j++)
        block[192 + j] = (uint8_t)(int8_t)found.scales[j];
    put_f16(block + 208, found.d);
}

void mcv_quantize_iq4_xs(const float *x, const float *weights, uint8_t *block) {
    static const signed_form FORM = {{-127, 113, mcv_iq4_levels}, .sub_size = 32, .scale_lo = -32, .scale_hi = 31};
    signed_block found;
    uint16_t high = 0;
    quantize_signed(&FORM, x, weights, &found);
    put_f16(block, found.d);
    memset(block + 4, 0, 4);
    for (int j = 0; j < 8; j++) {
        int scale = found.scales[j] + 32;
        high |= (uint16_t)(scale >> 4 << (2 * j));
        block[4 + j / 2] |= (uint8_t)((scale & 15) << (j % 2 * 4));
        for (int i = 0; i < 16; i++)
            block[8 + 16 * j + i] =
                (uint8_t)(mcv_iq4_index((int)found.v[32 * j + i]) | mcv_iq4_index((int)found.v[32 * j + i + 16]) << 4);
    }
    memcpy(block + 2, &high, sizeof high);
}
