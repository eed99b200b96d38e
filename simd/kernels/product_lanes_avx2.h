/* product_lanes.h with AVX2 and F16C. */
#ifndef MCV_SIMD_KERNELS_PRODUCT_LANES_AVX2_H
#define MCV_SIMD_KERNELS_PRODUCT_LANES_AVX2_H

#include "simd/kernels/lanes.h"

#if defined(__AVX2__) && !defined(__AVX512F__)

typedef int32_t mcv_half_ints __attribute__((vector_size(32)));
typedef struct mcv_ints {
    mcv_half_ints low, high;
} mcv_ints;

/* mcv_NAME(a, b) by the instruction for one register, and mcv_NAME(a, bits) of shifts. */
#define MCV_BINARY(name, instruction)                                                                                  \
    MCV_INLINE mcv_ints mcv_##name(mcv_ints a, mcv_ints b) {                                                           \
        return (mcv_ints){(mcv_half_ints)instruction((__m256i)a.low, (__m256i)b.low),                                  \
                          (mcv_half_ints)instruction((__m256i)a.high, (__m256i)b.high)};                               \
    }
#define MCV_SHIFT(name, instruction)                                                                                   \
    MCV_INLINE mcv_ints mcv_##name(mcv_ints a, int bits) {                                                             \
        return (mcv_ints){(mcv_half_ints)instruction((__m256i)a.low, bits),                                            \
                          (mcv_half_ints)instruction((__m256i)a.high, bits)};                                          \
    }
MCV_BINARY(ints_and, _mm256_and_si256)
MCV_BINARY(ints_add, _mm256_add_epi32)
MCV_BINARY(ints_multiply, _mm256_mullo_epi32)
MCV_BINARY(shorts_add, _mm256_add_epi16)
MCV_BINARY(shorts_dot, _mm256_madd_epi16)
MCV_BINARY(bytes_dot, _mm256_maddubs_epi16) /* unsigned with signed */
MCV_SHIFT(ints_shift_left, _mm256_slli_epi32)
MCV_SHIFT(ints_shift_right, _mm256_srli_epi32)
MCV_SHIFT(shorts_shift_left, _mm256_slli_epi16)
MCV_SHIFT(shorts_shift_right, _mm256_srai_epi16)
#undef MCV_BINARY
#undef MCV_SHIFT

MCV_INLINE mcv_ints mcv_ints_load(const void *p) {
    const __m256i *half = p;
    return (mcv_ints){(mcv_half_ints)_mm256_loadu_si256(half), (mcv_half_ints)_mm256_loadu_si256(half + 1)};
}
MCV_INLINE mcv_ints mcv_ints_load_u8(const uint8_t *p) {
    return (mcv_ints){(mcv_half_ints)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)),
                      (mcv_half_ints)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(p + 8)))};
}
MCV_INLINE mcv_ints mcv_ints_set(int32_t a) {
    return (mcv_ints){(mcv_half_ints)_mm256_set1_epi32(a), (mcv_half_ints)_mm256_set1_epi32(a)};
}
MCV_INLINE mcv_floats mcv_floats_load_f16(const uint16_t *p) {
    return (mcv_floats){_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)),
                        _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)))};
}
MCV_INLINE mcv_floats mcv_floats_from_ints(mcv_ints a) {
    return (mcv_floats){_mm256_cvtepi32_ps((__m256i)a.low), _mm256_cvtepi32_ps((__m256i)a.high)};
}
MCV_INLINE mcv_floats mcv_floats_from_bits(mcv_ints a) {
    return (mcv_floats){(__m256)a.low, (__m256)a.high};
}

#endif
#endif
