/* lanes.h with AVX2, FMA, F16C: two registers. */
#ifndef MCV_SIMD_KERNELS_LANES_AVX2_H
#define MCV_SIMD_KERNELS_LANES_AVX2_H

#include "simd/kernels/kernel_math.h"

#if defined(__AVX2__) && !defined(__AVX512F__)

#include <immintrin.h>

typedef struct mcv_floats {
    __m256 low, high;
} mcv_floats;
typedef mcv_floats mcv_mask; /* all bits of a lane, or none */

/* Defines mcv_floats_NAME(a, b) by the instruction for one register. */
#define MCV_UNARY(name, instruction)                                                                                   \
    MCV_INLINE mcv_floats mcv_floats_##name(mcv_floats a) {                                                            \
        return (mcv_floats){instruction(a.low), instruction(a.high)};                                                  \
    }
#define MCV_BINARY(name, instruction)                                                                                  \
    MCV_INLINE mcv_floats mcv_floats_##name(mcv_floats a, mcv_floats b) {                                              \
        return (mcv_floats){instruction(a.low, b.low), instruction(a.high, b.high)};                                   \
    }

/* For masked loads and stores: the first `count` lanes. */
MCV_INLINE __m256i mcv_mask_half(size_t count, size_t first) {
    static const int32_t BITS[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(BITS + 16 - count + first));
}
MCV_INLINE mcv_floats mcv_floats_load(const float *p) {
    return (mcv_floats){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
MCV_INLINE mcv_floats mcv_floats_load_part(const float *p, size_t count) {
    return (mcv_floats){_mm256_maskload_ps(p, mcv_mask_half(count, 0)),
                        _mm256_maskload_ps(p + 8, mcv_mask_half(count, 8))};
}
MCV_INLINE void mcv_floats_store(float *p, mcv_floats a) {
    _mm256_storeu_ps(p, a.low);
    _mm256_storeu_ps(p + 8, a.high);
}
MCV_INLINE void mcv_floats_store_part(float *p, mcv_floats a, size_t count) {
    _mm256_maskstore_ps(p, mcv_mask_half(count, 0), a.low);
    _mm256_maskstore_ps(p + 8, mcv_mask_half(count, 8), a.high);
}
MCV_INLINE __m256 mcv_eight_bf16(const uint16_t *p) {
    __m256i bits = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
}
MCV_INLINE mcv_floats mcv_floats_load_bf16(const uint16_t *p) {
    return (mcv_floats){mcv_eight_bf16(p), mcv_eight_bf16(p + 8)};
}
MCV_INLINE mcv_floats mcv_floats_load_f16(const uint16_t *p) {
    return (mcv_floats){_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)),
                        _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)))};
}
MCV_INLINE __m256 mcv_eight_i8(const int8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
MCV_INLINE mcv_floats mcv_floats_load_i8(const int8_t *p) {
    return (mcv_floats){mcv_eight_i8(p), mcv_eight_i8(p + 8)};
}
MCV_INLINE mcv_floats mcv_floats_set(float a) {
    return (mcv_floats){_mm256_set1_ps(a), _mm256_set1_ps(a)};
}
MCV_INLINE mcv_floats mcv_floats_first(mcv_floats a, size_t count) {
    return (mcv_floats){_mm256_and_ps(a.low, _mm256_castsi256_ps(mcv_mask_half(count, 0))),
                        _mm256_and_ps(a.high, _mm256_castsi256_ps(mcv_mask_half(count, 8)))};
}
MCV_BINARY(add, _mm256_add_ps)
MCV_BINARY(subtract, _mm256_sub_ps)
MCV_BINARY(multiply, _mm256_mul_ps)
MCV_BINARY(divide, _mm256_div_ps)
MCV_INLINE mcv_floats mcv_floats_fma(mcv_floats a, mcv_floats b, mcv_floats c) {
    return (mcv_floats){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
#define MCV_NEGATE(a) _mm256_xor_ps(a, _mm256_set1_ps(-0.0f))
#define MCV_ABS(a) _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a)
#define MCV_COPYSIGN(a, b) _mm256_or_ps(MCV_ABS(a), _mm256_and_ps(b, _mm256_set1_ps(-0.0f)))
#define MCV_ROUND(a) _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define MCV_LARGER(a, b) _mm256_max_ps(b, a) /* the second operand where one is NaN */
#define MCV_LESS(a, b) _mm256_cmp_ps(a, b, _CMP_LT_OQ)
#define MCV_LESS_EQUAL(a, b) _mm256_cmp_ps(a, b, _CMP_LE_OQ)
MCV_UNARY(negate, MCV_NEGATE)
MCV_UNARY(abs, MCV_ABS)
MCV_BINARY(copysign, MCV_COPYSIGN)
MCV_UNARY(round, MCV_ROUND)
MCV_BINARY(larger, MCV_LARGER)
MCV_BINARY(less, MCV_LESS)
MCV_BINARY(less_equal, MCV_LESS_EQUAL)
MCV_INLINE __m256 mcv_eight_scale(__m256 a, __m256 n) {
    __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}
MCV_BINARY(scale, mcv_eight_scale)
MCV_INLINE mcv_floats mcv_floats_select(mcv_mask mask, mcv_floats a, mcv_floats b) {
    return (mcv_floats){_mm256_blendv_ps(b.low, a.low, mask.low), _mm256_blendv_ps(b.high, a.high, mask.high)};
}
MCV_INLINE float mcv_floats_tree_sum(mcv_floats a) {
    __m256 eight = _mm256_add_ps(a.low, a.high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
MCV_INLINE float mcv_floats_largest(mcv_floats a) {
    __m256 eight = _mm256_max_ps(a.low, a.high);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
#undef MCV_UNARY
#undef MCV_BINARY
#undef MCV_NEGATE
#undef MCV_ABS
#undef MCV_COPYSIGN
#undef MCV_ROUND
#undef MCV_LARGER
#undef MCV_LESS
#undef MCV_LESS_EQUAL

MCV_INLINE mcv_floats mcv_floats_load_bf16_part(const uint16_t *p, size_t count) {
    uint16_t all[MCV_LANES] = {0};
    memcpy(all, p, count * sizeof *p);
    return mcv_floats_load_bf16(all);
}
MCV_INLINE mcv_floats mcv_floats_load_f16_part(const uint16_t *p, size_t count) {
    uint16_t all[MCV_LANES] = {0};
    memcpy(all, p, count * sizeof *p);
    return mcv_floats_load_f16(all);
}
MCV_INLINE mcv_floats mcv_floats_load_i8_part(const int8_t *p, size_t count) {
    int8_t all[MCV_LANES] = {0};
    memcpy(all, p, count);
    return mcv_floats_load_i8(all);
}

#endif
#endif
