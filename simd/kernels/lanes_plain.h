/* lanes.h in plain C: an array. */
#ifndef MCV_SIMD_KERNELS_LANES_PLAIN_H
#define MCV_SIMD_KERNELS_LANES_PLAIN_H

#include "simd/kernels/kernel_math.h"

#if !defined(__AVX2__) && !defined(__aarch64__)

#include "core/tensor.h"

typedef struct mcv_floats {
    float lane[MCV_LANES];
} mcv_floats;
typedef struct mcv_mask {
    bool lane[MCV_LANES];
} mcv_mask;

/* Defines mcv_TYPE_NAME(a, b) by an expression for lane i. */
#define MCV_EACH(type, name, arguments, expression)                                                                    \
    MCV_INLINE type mcv_floats_##name arguments {                                                                      \
        type y;                                                                                                        \
        for (size_t i = 0; i < MCV_LANES; i++)                                                                         \
            y.lane[i] = expression;                                                                                    \
        return y;                                                                                                      \
    }
MCV_EACH(mcv_floats, load, (const float *p), p[i])
MCV_EACH(mcv_floats, load_part, (const float *p, size_t count), i < count ? p[i] : 0)
MCV_EACH(mcv_floats, load_bf16, (const uint16_t *p), mcv_f32_from_bf16(p[i]))
MCV_EACH(mcv_floats, load_bf16_part, (const uint16_t *p, size_t count), i < count ? mcv_f32_from_bf16(p[i]) : 0)
MCV_EACH(mcv_floats, load_f16, (const uint16_t *p), mcv_f32_from_f16(p[i]))
MCV_EACH(mcv_floats, load_f16_part, (const uint16_t *p, size_t count), i < count ? mcv_f32_from_f16(p[i]) : 0)
MCV_EACH(mcv_floats, load_i8, (const int8_t *p), p[i])
MCV_EACH(mcv_floats, load_i8_part, (const int8_t *p, size_t count), i < count ? p[i] : 0)
MCV_EACH(mcv_floats, set, (float a), a)
MCV_EACH(mcv_floats, first, (mcv_floats a, size_t count), i < count ? a.lane[i] : 0)
MCV_EACH(mcv_floats, add, (mcv_floats a, mcv_floats b), a.lane[i] + b.lane[i])
MCV_EACH(mcv_floats, subtract, (mcv_floats a, mcv_floats b), a.lane[i] - b.lane[i])
MCV_EACH(mcv_floats, multiply, (mcv_floats a, mcv_floats b), a.lane[i] * b.lane[i])
MCV_EACH(mcv_floats, divide, (mcv_floats a, mcv_floats b), a.lane[i] / b.lane[i])
MCV_EACH(mcv_floats, fma, (mcv_floats a, mcv_floats b, mcv_floats c), fmaf(a.lane[i], b.lane[i], c.lane[i]))
MCV_EACH(mcv_floats, negate, (mcv_floats a), -a.lane[i])
MCV_EACH(mcv_floats, abs, (mcv_floats a), fabsf(a.lane[i]))
MCV_EACH(mcv_floats, copysign, (mcv_floats a, mcv_floats b), copysignf(a.lane[i], b.lane[i]))
MCV_EACH(mcv_floats, round, (mcv_floats a), rintf(a.lane[i]))
MCV_EACH(mcv_floats, larger, (mcv_floats a, mcv_floats b), b.lane[i] > a.lane[i] ? b.lane[i] : a.lane[i])
MCV_EACH(mcv_floats, scale, (mcv_floats a, mcv_floats n),
         n.lane[i] >= -126 && n.lane[i] <= 127 ? a.lane[i] * mcv_power_of_two((int32_t)n.lane[i]) : a.lane[i])
MCV_EACH(mcv_mask, less, (mcv_floats a, mcv_floats b), a.lane[i] < b.lane[i])
MCV_EACH(mcv_mask, less_equal, (mcv_floats a, mcv_floats b), a.lane[i] <= b.lane[i])
MCV_EACH(mcv_floats, select, (mcv_mask mask, mcv_floats a, mcv_floats b), mask.lane[i] ? a.lane[i] : b.lane[i])
#undef MCV_EACH

MCV_INLINE void mcv_floats_store_part(float *p, mcv_floats a, size_t count) {
    memcpy(p, a.lane, count * sizeof *p);
}
MCV_INLINE void mcv_floats_store(float *p, mcv_floats a) {
    mcv_floats_store_part(p, a, MCV_LANES);
}
MCV_INLINE float mcv_floats_tree_sum(mcv_floats a) {
    return mcv_tree_sum(a.lane);
}
MCV_INLINE float mcv_floats_largest(mcv_floats a) {
    float largest = a.lane[0];
    for (size_t i = 1; i < MCV_LANES; i++)
        largest = a.lane[i] > largest ? a.lane[i] : largest;
    return largest;
}

#endif
#endif
