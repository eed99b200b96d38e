#include <arm_neon.h>

#include "simd/kernels/lanes.h"

static float largest_size(const float *x, size_t count) {
    float32x4_t largest = vdupq_n_f32(0);
    for (size_t i = 0; i < count; i += MCV_LANES) {
        mcv_floats size = mcv_floats_abs(mcv_floats_load_step(x + i, mcv_step(count - i)));
        largest = vmaxq_f32(largest, vmaxq_f32(vmaxq_f32(size.a, size.b), vmaxq_f32(size.c, size.d)));
    }
    return vmaxvq_f32(largest);
}

static int32x4_t round_four(float32x4_t x, float inverse) {
    return vcvtnq_s32_f32(vmulq_n_f32(x, inverse));
}

static int32_t round_values(const float *x, size_t count, float inverse, int8_t *q) {
    int32x4_t sum = vdupq_n_s32(0);
    for (size_t i = 0; i < count; i += MCV_LANES) {
        mcv_floats step = mcv_floats_load_step(x + i, mcv_step(count - i));
        int32x4_t a = round_four(step.a, inverse), b = round_four(step.b, inverse);
        int32x4_t c = round_four(step.c, inverse), d = round_four(step.d, inverse);
        sum = vaddq_s32(sum, vaddq_s32(vaddq_s32(a, b), vaddq_s32(c, d)));
        int8_t all[MCV_LANES];
        vst1q_s8(all, vcombine_s8(vmovn_s16(vcombine_s16(vmovn_s32(a), vmovn_s32(b))),
                                  vmovn_s16(vcombine_s16(vmovn_s32(c), vmovn_s32(d)))));
        memcpy(q + i, all, mcv_step(count - i));
    }
    return vaddvq_s32(sum);
}

#define QUANTIZE_ROWS mcv_quantize_rows_neon
#include "simd/kernels/quantize_rows_walk.h"
