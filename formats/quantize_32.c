/* Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL: one block of 32. Layouts: formats/unpack_32.c, unpack_iq4.c. */
#include <math.h>

#include "formats/quantize_blocks.h"
#include "formats/quantize_fit.h"
#include "formats/unpack_blocks.h"

enum { BLOCK = 32, HALF = 16 };

static void put_f16(uint8_t *out, float value) {
    uint16_t bits = mcv_f16_from_f32(value);
    memcpy(out, &bits, sizeof bits);
}

/* q: [32], from 0 to 15: element i below element i + 16. */
static void put_nibbles(const int *q, uint8_t *out) {
    for (int i = 0; i < HALF; i++)
        out[i] = (uint8_t)((q[i] & 15) | (q[i + HALF] & 15) << 4);
}

static void put_fifth_bits(const int *q, uint8_t *out) {
    uint32_t high = 0;
    for (int i = 0; i < BLOCK; i++)
        high |= (uint32_t)(q[i] >> 4 & 1) << i;
    memcpy(out, &high, sizeof high);
}

static float largest_of(const float *x) {
    float largest = 0;
    for (int i = 0; i < BLOCK; i++)
        largest = fabsf(x[i]) > fabsf(largest) ? x[i] : largest;
    return largest;
}

/* The better of the scale that was searched and `plain`, both as binary16; v: [32], its values. */
static float choose_scale(const mcv_grid *grid, const float *x, const float *w, float plain, float *v) {
    float other[BLOCK], searched = mcv_round_f16(mcv_fit_scale(grid, x, w, BLOCK));
    plain = mcv_round_f16(plain);
    float error = mcv_fit_values(grid, x, w, BLOCK, searched, v);
    if (mcv_fit_values(grid, x, w, BLOCK, plain, other) >= error)
        return searched;
    memcpy(v, other, sizeof other);
    return plain;
}

/* *d, *minimum, both binary16 numbers, and v: [32]; the same with a minimum. */
static void choose_line(int hi, const float *x, const float *w, float *d, float *minimum, float *v) {
    float low = x[0], high = x[0], other[BLOCK];
    for (int i = 1; i < BLOCK; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    mcv_fit_scale_and_minimum(hi, false, x, w, BLOCK, d, minimum);
    *d = mcv_round_f16(*d);
    *minimum = mcv_round_f16(*minimum);
    float plain = mcv_round_f16((high - low) / (float)hi),
          error = mcv_fit_offset_values(hi, x, w, BLOCK, *d, *minimum, v);
    low = mcv_round_f16(low);
    if (mcv_fit_offset_values(hi, x, w, BLOCK, plain, low, other) >= error)
        return;
    *d = plain;
    *minimum = low;
    memcpy(v, other, sizeof other);
}

static void to_integers(const float *v, int offset, int *q) {
    for (int i = 0; i < BLOCK; i++)
        q[i] = (int)v[i] + offset;
}

void mcv_quantize_q4_0(const float *x, const float *weights, uint8_t *block) {
    static const mcv_grid GRID = {-8, 7, NULL};
    float v[BLOCK];
    int q[BLOCK];
    put_f16(block, choose_scale(&GRID, x, weights, largest_of(x) / -8, v));
    to_integers(v, 8, q);
    put_nibbles(q, block + 2);
}

void mcv_quantize_q4_1(const float *x, const float *weights, uint8_t *block) {
    float v[BLOCK], d, minimum;
    int q[BLOCK];
    choose_line(15, x, weights, &d, &minimum, v);
    put_f16(block, d);
    put_f16(block + 2, minimum);
    to_integers(v, 0, q);
    put_nibbles(q, block + 4);
}

void mcv_quantize_q5_0(const float *x, const float *weights, uint8_t *block) {
    static const mcv_grid GRID = {-16, 15, NULL};
    float v[BLOCK];
    int q[BLOCK];
    put_f16(block, choose_scale(&GRID, x, weights, largest_of(x) / -16, v));
    to_integers(v, 16, q);
    put_fifth_bits(q, block + 2);
    put_nibbles(q, block + 6);
}

void mcv_quantize_q5_1(const float *x, const float *weights, uint8_t *block) {
    float v[BLOCK], d, minimum;
    int q[BLOCK];
    choose_line(31, x, weights, &d, &minimum, v);
    put_f16(block, d);
    put_f16(block + 2, minimum);
    to_integers(v, 0, q);
    put_fifth_bits(q, block + 4);
    put_nibbles(q, block + 8);
}

void mcv_quantize_q8_0(const float *x, const float *weights, uint8_t *block) {
    static const mcv_grid GRID = {-127, 127, NULL};
    float v[BLOCK];
    put_f16(block, choose_scale(&GRID, x, weights, fabsf(largest_of(x)) / 127, v));
    for (int i = 0; i < BLOCK; i++)
        block[2 + i] = (uint8_t)(int8_t)v[i];
}

void mcv_quantize_iq4_nl(const float *x, const float *weights, uint8_t *block) {
    static const mcv_grid GRID = {-127, 113, mcv_iq4_levels};
    float v[BLOCK];
    int q[BLOCK];
    put_f16(block, choose_scale(&GRID, x, weights, largest_of(x) / -127, v));
    for (int i = 0; i < BLOCK; i++)
        q[i] = mcv_iq4_index((int)v[i]);
    put_nibbles(q, block + 2);
}
