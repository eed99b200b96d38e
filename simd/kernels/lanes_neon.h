/* lanes.h with NEON: four registers. */
#ifndef MCV_SIMD_KERNELS_LANES_NEON_H
#define MCV_SIMD_KERNELS_LANES_NEON_H

#include "simd/kernels/kernel_math.h"

#if defined(__aarch64__)

#include <arm_neon.h>

typedef struct mcv_floats {
    float32x4_t a, b, c, d;
} mcv_floats;
typedef struct mcv_mask {
    uint32x4_t a, b, c, d; /* all bits of a lane, or none */
} mcv_mask;

/* Defines mcv_floats_NAME by the instruction for one register. */
#define MCV_UNARY(name, instruction)                                                                                   \
    MCV_INLINE mcv_floats mcv_floats_##name(mcv_floats x) {                                                            \
        return (mcv_floats){instruction(x.a), instruction(x.b), instruction(x.c), instruction(x.d)};                   \
    }
#define MCV_BINARY(type, name, instruction)                                                                            \
    MCV_INLINE type mcv_floats_##name(mcv_floats x, mcv_floats y) {                                                    \
        return (type){instruction(x.a, y.a), instruction(x.b, y.b), instruction(x.c, y.c), instruction(x.d, y.d)};     \
    }

MCV_INLINE mcv_floats mcv_floats_load(const float *p) {
    return (mcv_floats){vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
}
MCV_INLINE mcv_floats mcv_floats_load_part(const float *p, size_t count) {
    float all[MCV_LANES] = {0};
    memcpy(all, p, count * sizeof *p);
    return mcv_floats_load(all);
}
MCV_INLINE void mcv_floats_store(float *p, mcv_floats x) {
    vst1q_f32(p, x.a);
    vst1q_f32(p + 4, x.b);
    vst1q_f32(p + 8, x.c);
    vst1q_f32(p + 12, x.d);
}
MCV_INLINE void mcv_floats_store_part(float *p, mcv_floats x, size_t count) {
    float all[MCV_LANES];
    mcv_floats_store(all, x);
    memcpy(p, all, count * sizeof *p);
}
MCV_INLINE float32x4_t mcv_four_bf16(uint16x4_t bits) {
    return vreinterpretq_f32_u32(vshll_n_u16(bits, 16));
}
MCV_INLINE mcv_floats mcv_floats_load_bf16(const uint16_t *p) {
    return (mcv_floats){mcv_four_bf16(vld1_u16(p)), mcv_four_bf16(vld1_u16(p + 4)), mcv_four_bf16(vld1_u16(p + 8)),
                        mcv_four_bf16(vld1_u16(p + 12))};
}
MCV_INLINE mcv_floats mcv_floats_load_bf16_part(const uint16_t *p, size_t count) {
    uint16_t all[MCV_LANES] = {0};
    memcpy(all, p, count * sizeof *p);
    return mcv_floats_load_bf16(all);
}
MCV_INLINE mcv_floats mcv_floats_load_f16(const uint16_t *p) {
    float16x8_t low = vreinterpretq_f16_u16(vld1q_u16(p)), high = vreinterpretq_f16_u16(vld1q_u16(p + 8));
    return (mcv_floats){vcvt_f32_f16(vget_low_f16(low)), vcvt_high_f32_f16(low), vcvt_f32_f16(vget_low_f16(high)),
                        vcvt_high_f32_f16(high)};
}
MCV_INLINE mcv_floats mcv_floats_load_f16_part(const uint16_t *p, size_t count) {
    uint16_t all[MCV_LANES] = {0};
    memcpy(all, p, count * sizeof *p);
    return mcv_floats_load_f16(all);
}
MCV_INLINE mcv_floats mcv_floats_load_i8(const int8_t *p) {
    int8x16_t bytes = vld1q_s8(p);
    int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_s8(vget_high_s8(bytes));
    return (mcv_floats){vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(low))),
                        vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(high)))};
}
MCV_INLINE mcv_floats mcv_floats_load_i8_part(const int8_t *p, size_t count) {
    int8_t all[MCV_LANES] = {0};
    memcpy(all, p, count);
    return mcv_floats_load_i8(all);
}
MCV_INLINE mcv_floats mcv_floats_set(float x) {
    return (mcv_floats){vdupq_n_f32(x), vdupq_n_f32(x), vdupq_n_f32(x), vdupq_n_f32(x)};
}
MCV_INLINE mcv_floats mcv_floats_first(mcv_floats x, size_t count) {
    float all[MCV_LANES];
    mcv_floats_store(all, x);
    return mcv_floats_load_part(all, count);
}
MCV_BINARY(mcv_floats, add, vaddq_f32)
MCV_BINARY(mcv_floats, subtract, vsubq_f32)
MCV_BINARY(mcv_floats, multiply, vmulq_f32)
MCV_BINARY(mcv_floats, divide, vdivq_f32)
MCV_INLINE mcv_floats mcv_floats_fma(mcv_floats x, mcv_floats y, mcv_floats z) {
    return (mcv_floats){vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b), vfmaq_f32(z.c, x.c, y.c),
                        vfmaq_f32(z.d, x.d, y.d)};
}
MCV_UNARY(negate, vnegq_f32)
MCV_UNARY(abs, vabsq_f32)
MCV_UNARY(round, vrndnq_f32)
#define MCV_COPYSIGN(x, y) vbslq_f32(vdupq_n_u32(0x80000000u), y, x)
MCV_BINARY(mcv_floats, copysign, MCV_COPYSIGN)
MCV_BINARY(mcv_floats, larger, vmaxnmq_f32)
MCV_BINARY(mcv_mask, less, vcltq_f32)
MCV_BINARY(mcv_mask, less_equal, vcleq_f32)
MCV_INLINE float32x4_t mcv_four_scale(float32x4_t x, float32x4_t n) {
    int32x4_t exponent = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
    return vmulq_f32(x, vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23)));
}
MCV_BINARY(mcv_floats, scale, mcv_four_scale)
MCV_INLINE mcv_floats mcv_floats_select(mcv_mask mask, mcv_floats x, mcv_floats y) {
    return (mcv_floats){vbslq_f32(mask.a, x.a, y.a), vbslq_f32(mask.b, x.b, y.b), vbslq_f32(mask.c, x.c, y.c),
                        vbslq_f32(mask.d, x.d, y.d)};
}
MCV_INLINE float mcv_floats_tree_sum(mcv_floats x) {
    float32x4_t four = vaddq_f32(vaddq_f32(x.a, x.c), vaddq_f32(x.b, x.d));
    float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
MCV_INLINE float mcv_floats_largest(mcv_floats x) {
    return vmaxnmvq_f32(vmaxnmq_f32(vmaxnmq_f32(x.a, x.c), vmaxnmq_f32(x.b, x.d)));
}
#undef MCV_UNARY
#undef MCV_BINARY
#undef MCV_COPYSIGN

#endif
#endif
