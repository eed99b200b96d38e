/* Scales for a few numbers: the search that all families of quantized blocks share. Lengths are multiples of 8, 32 at
 * most; x: [n], w: [n], how much each squared error counts. */
#ifndef MCV_FORMATS_QUANTIZE_FIT_H
#define MCV_FORMATS_QUANTIZE_FIT_H

#include "core/tensor.h"

/* The values that a number can be stored as, before scaling: the integers lo to hi, or 16 levels in ascending order
 * (then lo and hi are the first and the last). */
typedef struct mcv_grid {
    int lo, hi;
    const int8_t *levels; /* [16], or NULL */
} mcv_grid;

enum { MCV_FIT_MOST = 32 };

static inline float mcv_round_f16(float value) {
    return mcv_f32_from_f16(mcv_f16_from_f32(value));
}

/* To the nearest integer, ties to even, for |x| below 2^22; a vector operation, unlike rintf. */
static inline float mcv_round_small(float x) {
    const float SHIFT = 0x1.8p23f;
    return (x + SHIFT) - SHIFT;
}

static inline float mcv_clamp(float x, float lo, float hi) {
    x = x < lo ? lo : x;
    return x > hi ? hi : x;
}

/* v[i] = the value of the grid that is nearest to x[i] / d; 0 or the one nearest to it where d is 0. Returns the error,
 * sum of w (x - d v)^2. */
float mcv_fit_values(const mcv_grid *grid, const float *x, const float *w, int n, float d, float *v);

/* A scale d for x ~ d v. */
float mcv_fit_scale(const mcv_grid *grid, const float *x, const float *w, int n);

/* v[i] = the integer from 0 to hi nearest to (x[i] - minimum) / d. Returns sum of w (x - d v - minimum)^2. */
float mcv_fit_offset_values(int hi, const float *x, const float *w, int n, float d, float minimum, float *v);

/* A scale and a minimum for x ~ d v + minimum, v from 0 to hi. negative: the minimum is to be 0 or below. */
void mcv_fit_scale_and_minimum(int hi, bool negative, const float *x, const float *w, int n, float *d, float *minimum);

#endif
