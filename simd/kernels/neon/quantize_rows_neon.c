#include <arm_neon.h>

#include "simd/kernels/lanes.h"

/* The largest |x|; NaN where one is NaN. */
static float largest_of(const float *x, size_t count) {
    float32x4_t largest = vdupq_n_f32(0);
    for (size_t i = 0; i < count; i += MCV_LANES) {
        mcv_floats size = mcv_floats_abs(mcv_floats_load_step(x + i, mcv_step(count - i)));
        largest = vmaxq_f32(largest, vmaxq_f32(vmaxq_f32(size.a, size.b), vmaxq_f32(size.c, size.d)));
    }
    return vmaxvq_f32(largest);
}

/* x * inverse as an integer, to even, at most 127. */
static int32x4_t quantize_four(float32x4_t x, float inverse) {
    int32x4_t rounded = vcvtnq_s32_f32(vmulq_n_f32(x, inverse));
    return vmaxq_s32(vminq_s32(rounded, vdupq_n_s32(127)), vdupq_n_s32(-127));
}

static int32_t quantize(const float *x, size_t count, float inverse, int8_t *q) {
    int32x4_t sum = vdupq_n_s32(0);
    for (size_t i = 0; i < count; i += MCV_LANES) {
        mcv_floats step = mcv_floats_load_step(x + i, mcv_step(count - i));
        int32x4_t a = quantize_four(step.a, inverse), b = quantize_four(step.b, inverse);
        int32x4_t c = quantize_four(step.c, inverse), d = quantize_four(step.d, inverse);
        sum = vaddq_s32(sum, vaddq_s32(vaddq_s32(a, b), vaddq_s32(c, d)));
        int8_t all[MCV_LANES];
        vst1q_s8(all, vcombine_s8(vmovn_s16(vcombine_s16(vmovn_s32(a), vmovn_s32(b))),
                                  vmovn_s16(vcombine_s16(vmovn_s32(c), vmovn_s32(d)))));
        memcpy(q + i, all, mcv_step(count - i));
    }
    return vaddvq_s32(sum);
}

/* sum: of each sum_group, the last may be short. */
static void quantize_group(const float *x, size_t count, size_t sum_group, int8_t *q, float *scale, int32_t *sum) {
    float largest = largest_of(x, count), inverse = 127.0f / largest;
    bool usable = isfinite(largest) && isfinite(inverse);
    *scale = !isfinite(largest) ? NAN : isfinite(inverse) ? largest / 127.0f : 0;
    for (size_t first = 0; first < count; first += sum_group) {
        size_t length = count - first < sum_group ? count - first : sum_group;
        if (usable)
            *sum++ = quantize(x + first, length, inverse, q + first);
        else
            *sum++ = 0;
    }
    if (!usable)
        memset(q, 0, count);
}

void mcv_quantize_rows_neon(const mcv_quantize_rows_args *a) {
    size_t groups = a->group ? (a->k + a->group - 1) / a->group : 0;
    size_t sums = a->sum_group ? (a->k + a->sum_group - 1) / a->sum_group : 0;
    for (size_t m = 0; m < a->m; m++) {
        int8_t *q = a->q + m * a->ldq;
        for (size_t g = 0; g < groups; g++) {
            size_t first = g * a->group, count = a->k - first < a->group ? a->k - first : a->group;
            quantize_group(a->x + m * a->ldx + first, count, a->sum_group, q + first, &a->scale[m * groups + g],
                           &a->sum[m * sums + first / a->sum_group]);
        }
        if (a->ldq > a->k)
            memset(q + a->k, 0, a->ldq - a->k);
    }
}
