#include "formats/quantize_fit.h"

#include <math.h>

/* Candidates map the largest number to between LEAST and LEAST + STEPS * STEP times the last level: beyond 1, it is cut
 * off, which pays where a few numbers are much larger than the rest. */
enum { STEPS = 16, POLISH = 2, LANES = 4 };
static const float LEAST = 0.84f, STEP = 0.04f;

/* ---- Four numbers at once: the vector extension of gcc and clang --------------------------------------------- */

typedef float four __attribute__((vector_size(16)));
typedef int32_t four_masks __attribute__((vector_size(16)));

static inline four load(const float *p) {
    four value;
    memcpy(&value, p, sizeof value);
    return value;
}

static inline void store(float *p, four value) {
    memcpy(p, &value, sizeof value);
}

static inline four all(float value) {
    return (four){value, value, value, value};
}

/* a where the mask is set, else b. */
static inline four choose(four_masks mask, four a, four b) {
    return (four)((mask & (four_masks)a) | (~mask & (four_masks)b));
}

/* Clamped first, so that what is rounded is small. */
static inline four round_within(four x, four lo, four hi) {
    const four SHIFT = all(0x1.8p23f);
    x = choose(x < lo, lo, x);
    x = choose(x > hi, hi, x);
    return (x + SHIFT) - SHIFT;
}

static inline float total(four sums) {
    return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

/* ---- x ~ d v ------------------------------------------------------------------------------------------------- */

/* The nearest of 16 ascending levels: the first, and the steps to each that is passed halfway. */
static inline four nearest_levels(const int8_t *levels, four x) {
    four value = all((float)levels[0]);
    for (int i = 0; i < 15; i++) {
        four_masks passed = x > all(0.5f * (float)(levels[i] + levels[i + 1]));
        value += choose(passed, all((float)(levels[i + 1] - levels[i])), all(0));
    }
    return value;
}

static inline four nearest_values(const mcv_grid *grid, four x) {
    return grid->levels ? nearest_levels(grid->levels, x) : round_within(x, all((float)grid->lo), all((float)grid->hi));
}

static float inverse_of(float d) {
    float inverse = d == 0 ? 0 : 1 / d;
    return isfinite(inverse) ? inverse : 0;
}

float mcv_fit_values(const mcv_grid *grid, const float *x, const float *w, int n, float d, float *v) {
    four error = all(0), inverse = all(inverse_of(d));
    for (int i = 0; i < n; i += LANES) {
        four value = nearest_values(grid, load(x + i) * inverse), difference = load(x + i) - all(d) * value;
        store(v + i, value);
        error += load(w + i) * difference * difference;
    }
    return total(error);
}

/* The d of least error for the values that belong to 1 / inverse, and how much it takes off the error of d = 0. */
static float best_scale(const mcv_grid *grid, const float *x, const float *w, int n, float inverse, float *gain) {
    four products = all(0), squares = all(0);
    for (int i = 0; i < n; i += LANES) {
        four value = nearest_values(grid, load(x + i) * all(inverse)), weighted = load(w + i) * value;
        products += weighted * load(x + i);
        squares += weighted * value;
    }
    float product = total(products), square = total(squares);
    *gain = square > 0 ? product / square * product : 0;
    return square > 0 ? product / square : 0;
}

float mcv_fit_scale(const mcv_grid *grid, const float *x, const float *w, int n) {
    float largest = 0, best = 0, best_gain = 0, gain;
    for (int i = 0; i < n; i++)
        largest = fabsf(x[i]) > fabsf(largest) ? x[i] : largest;
    if (fabsf(largest) < 1e-30f)
        return 0;
    /* The largest goes to the lower end, or to the upper. */
    for (int end = 0; end < 2; end++)
        for (int i = 0; i < STEPS; i++) {
            float last = (float)(end ? grid->hi : grid->lo) * (LEAST + STEP * (float)i);
            float d = best_scale(grid, x, w, n, last / largest, &gain);
            if (gain > best_gain) {
                best_gain = gain;
                best = d;
            }
        }
    for (int i = 0; i < POLISH; i++) {
        float d = best_scale(grid, x, w, n, inverse_of(best), &gain);
        if (gain <= best_gain)
            break;
        best_gain = gain;
        best = d;
    }
    return best;
}

/* ---- x ~ d v + minimum --------------------------------------------------------------------------------------- */

float mcv_fit_offset_values(int hi, const float *x, const float *w, int n, float d, float minimum, float *v) {
    four error = all(0), inverse = all(inverse_of(d));
    for (int i = 0; i < n; i += LANES) {
        four value = round_within((load(x + i) - all(minimum)) * inverse, all(0), all((float)hi));
        four difference = load(x + i) - all(d) * value - all(minimum);
        store(v + i, value);
        error += load(w + i) * difference * difference;
    }
    return total(error);
}

typedef struct line {
    float d, minimum, gain; /* gain: what it takes off the error of d = minimum = 0 */
} line;

/* What does not change from candidate to candidate: the sums of w and of w x. */
typedef struct weight_sums {
    float w, wx;
} weight_sums;

/* The line of least error for the values that belong to `from`. */
static line best_line(int hi, bool negative, const float *x, const float *w, int n, weight_sums sums, line from) {
    four sum_v = all(0), sum_xv = all(0), sum_vv = all(0), inverse = all(inverse_of(from.d));
    for (int i = 0; i < n; i += LANES) {
        four value = round_within((load(x + i) - all(from.minimum)) * inverse, all(0), all((float)hi));
        four weighted = load(w + i) * value;
        sum_v += weighted;
        sum_xv += weighted * load(x + i);
        sum_vv += weighted * value;
    }
    float v = total(sum_v), xv = total(sum_xv), vv = total(sum_vv), determinant = sums.w * vv - v * v;
    line best = {vv > 0 ? xv / vv : 0, 0, 0};
    if (determinant > 0) {
        float minimum = (vv * sums.wx - v * xv) / determinant;
        if (!negative || minimum <= 0)
            best = (line){(sums.w * xv - sums.wx * v) / determinant, minimum, 0};
    }
    best.gain = best.d * xv + best.minimum * sums.wx;
    return best;
}

void mcv_fit_scale_and_minimum(int hi, bool negative, const float *x, const float *w, int n, float *d, float *minimum) {
    float low = x[0], high = x[0];
    weight_sums sums = {0, 0};
    for (int i = 0; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
        sums.w += w[i];
        sums.wx += w[i] * x[i];
    }
    low = negative && low > 0 ? 0 : low;
    *d = 0;
    *minimum = low;
    if (!(high - low > 1e-30f))
        return;
    line best = {(high - low) / (float)hi, low, -INFINITY};
    for (int i = 0; i < STEPS; i++) {
        line start = {(high - low) / ((float)hi * (LEAST + STEP * (float)i)), low, 0};
        for (int j = 0; j < 2; j++) { /* cut off above, or on both sides */
            line fitted = best_line(hi, negative, x, w, n, sums, start);
            if (fitted.d > 0 && fitted.gain > best.gain)
                best = fitted;
            start = fitted;
        }
    }
    for (int i = 0; i < POLISH; i++) {
        line fitted = best_line(hi, negative, x, w, n, sums, best);
        if (!(fitted.d > 0 && fitted.gain > best.gain))
            break;
        best = fitted;
    }
    *d = best.d;
    *minimum = best.minimum;
}
