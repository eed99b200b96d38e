#include <math.h>

#include "simd/kernels/kernels.h"

static void quantize_group(const float *x, size_t count, int8_t *q, float *scale) {
    float largest = 0;
    bool finite = true;
    for (size_t i = 0; i < count; i++) {
        finite = finite && isfinite(x[i]);
        largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
        q[i] = 0;
    }
    float inverse = 127.0f / largest;
    *scale = !finite ? NAN : isfinite(inverse) ? largest / 127.0f : 0;
    if (!finite || !isfinite(inverse))
        return;
    for (size_t i = 0; i < count; i++) {
        float rounded = rintf(x[i] * inverse);
        q[i] = (int8_t)(rounded > 127 ? 127 : rounded < -127 ? -127 : rounded);
    }
}

void mcv_quantize_rows_contract(const mcv_quantize_rows_args *a) {
    size_t groups = mcv_groups(a->k, a->group);
    size_t sums = mcv_groups(a->k, a->sum_group);
    for (size_t m = 0; m < a->m; m++) {
        for (size_t g = 0; g < groups; g++) {
            size_t first = g * a->group, count = a->k - first < a->group ? a->k - first : a->group;
            quantize_group(a->x + m * a->ldx + first, count, a->q + m * a->ldq + first, &a->scale[m * groups + g]);
        }
        for (size_t k = 0; k < a->k; k++) {
            int32_t *sum = &a->sum[m * sums + k / a->sum_group];
            *sum = a->q[m * a->ldq + k] + (k % a->sum_group ? *sum : 0);
        }
        for (size_t k = a->k; k < a->ldq; k++)
            a->q[m * a->ldq + k] = 0;
    }
}
