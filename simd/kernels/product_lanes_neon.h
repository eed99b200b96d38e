/* product_lanes.h with NEON: the floats of lanes.h, and the bits of pairs of BF16. */
#ifndef MCV_SIMD_KERNELS_PRODUCT_LANES_NEON_H
#define MCV_SIMD_KERNELS_PRODUCT_LANES_NEON_H

#include "simd/kernels/lanes.h"

#if defined(__aarch64__)

typedef struct mcv_ints {
    int32x4_t a, b, c, d;
} mcv_ints;

MCV_INLINE mcv_ints mcv_ints_load(const void *p) {
    const uint8_t *bytes = p;
    return (mcv_ints){vreinterpretq_s32_u8(vld1q_u8(bytes)), vreinterpretq_s32_u8(vld1q_u8(bytes + 16)),
                      vreinterpretq_s32_u8(vld1q_u8(bytes + 32)), vreinterpretq_s32_u8(vld1q_u8(bytes + 48))};
}
MCV_INLINE mcv_ints mcv_ints_set(int32_t a) {
    return (mcv_ints){vdupq_n_s32(a), vdupq_n_s32(a), vdupq_n_s32(a), vdupq_n_s32(a)};
}
MCV_INLINE mcv_ints mcv_ints_and(mcv_ints x, mcv_ints y) {
    return (mcv_ints){vandq_s32(x.a, y.a), vandq_s32(x.b, y.b), vandq_s32(x.c, y.c), vandq_s32(x.d, y.d)};
}
MCV_INLINE mcv_ints mcv_ints_shift_left(mcv_ints x, int bits) {
    int32x4_t by = vdupq_n_s32(bits);
    return (mcv_ints){vshlq_s32(x.a, by), vshlq_s32(x.b, by), vshlq_s32(x.c, by), vshlq_s32(x.d, by)};
}
MCV_INLINE mcv_floats mcv_floats_from_bits(mcv_ints x) {
    return (mcv_floats){vreinterpretq_f32_s32(x.a), vreinterpretq_f32_s32(x.b), vreinterpretq_f32_s32(x.c),
                        vreinterpretq_f32_s32(x.d)};
}

#endif
#endif
