/* product_lanes.h with AVX2. */
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
MCV_BINARY(ints_or, _mm256_or_si256)
MCV_BINARY(ints_add, _mm256_add_epi32)
MCV_BINARY(ints_multiply, _mm256_mullo_epi32)
MCV_BINARY(ints_larger, _mm256_max_epi32)
MCV_BINARY(shorts_add, _mm256_add_epi16)
MCV_BINARY(shorts_dot, _mm256_madd_epi16)
MCV_BINARY(bytes_dot, _mm256_maddubs_epi16)    /* unsigned with signed */
MCV_BINARY(bytes_look_up, _mm256_shuffle_epi8) /* bytes of a (mcv_ints_repeat) by indices below 16 */
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
/* 16 bytes, again and again. */
MCV_INLINE mcv_ints mcv_ints_repeat(const void *p) {
    mcv_half_ints half = (mcv_half_ints)_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)p));
    return (mcv_ints){half, half};
}
MCV_INLINE mcv_ints mcv_ints_load_u8(const uint8_t *p) {
    return (mcv_ints){(mcv_half_ints)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)),
                      (mcv_half_ints)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(p + 8)))};
}
MCV_INLINE mcv_ints mcv_ints_load_i8(const int8_t *p) {
    return (mcv_ints){(mcv_half_ints)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)),
                      (mcv_half_ints)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(p + 8)))};
}
MCV_INLINE mcv_ints mcv_ints_set(int32_t a) {
    return (mcv_ints){(mcv_half_ints)_mm256_set1_epi32(a), (mcv_half_ints)_mm256_set1_epi32(a)};
}
/* 16 levels, to be looked up: their lower and upper bytes. */
typedef struct mcv_levels {
    mcv_ints low, high;
} mcv_levels;
MCV_INLINE mcv_levels mcv_levels_load(const int16_t levels[16]) {
    int8_t low[16], high[16];
    for (int i = 0; i < 16; i++) {
        low[i] = (int8_t)(levels[i] & 255);
        high[i] = (int8_t)(levels[i] >> 8);
    }
    return (mcv_levels){mcv_ints_repeat(low), mcv_ints_repeat(high)};
}
/* Of each 16 bits the lower byte of a, the upper one of b. */
MCV_INLINE mcv_ints mcv_shorts_join(mcv_ints a, mcv_ints b) {
    const __m256i upper = _mm256_set1_epi16((short)0xff00);
    return (mcv_ints){(mcv_half_ints)_mm256_blendv_epi8((__m256i)a.low, (__m256i)b.low, upper),
                      (mcv_half_ints)_mm256_blendv_epi8((__m256i)a.high, (__m256i)b.high, upper)};
}
/* The levels that the lowest four bits of each byte name: those of even bytes in 16 bits each, those of odd ones. */
MCV_INLINE void mcv_shorts_look_up(mcv_levels levels, mcv_ints bytes, mcv_ints pair[2]) {
    mcv_ints code = mcv_ints_and(bytes, mcv_ints_set(0x0f0f0f0f));
    mcv_ints low = mcv_bytes_look_up(levels.low, code), high = mcv_bytes_look_up(levels.high, code);
    pair[0] = mcv_shorts_join(low, mcv_shorts_shift_left(high, 8));
    pair[1] = mcv_shorts_join(mcv_ints_shift_right(low, 8), high);
}

/* sum + the products of two pairs of 16 bits. */
MCV_INLINE mcv_ints mcv_ints_add_shorts(mcv_ints sum, mcv_ints a, mcv_ints b) {
    return mcv_ints_add(sum, mcv_shorts_dot(a, b));
}

MCV_INLINE mcv_floats mcv_floats_from_ints(mcv_ints a) {
    return (mcv_floats){_mm256_cvtepi32_ps((__m256i)a.low), _mm256_cvtepi32_ps((__m256i)a.high)};
}
MCV_INLINE mcv_floats mcv_floats_from_bits(mcv_ints a) {
    return (mcv_floats){(__m256)a.low, (__m256)a.high};
}
MCV_INLINE mcv_ints mcv_ints_from_bits(mcv_floats a) {
    return (mcv_ints){(mcv_half_ints)a.low, (mcv_half_ints)a.high};
}
/* To the nearest integer, ties to even. */
MCV_INLINE mcv_ints mcv_ints_round(mcv_floats a) {
    return (mcv_ints){(mcv_half_ints)_mm256_cvtps_epi32(a.low), (mcv_half_ints)_mm256_cvtps_epi32(a.high)};
}
/* The first `count` as bytes, which they fit. */
MCV_INLINE void mcv_ints_store_bytes(int8_t *p, mcv_ints a, size_t count) {
    __m256i shorts = _mm256_permute4x64_epi64(_mm256_packs_epi32((__m256i)a.low, (__m256i)a.high), 0xd8);
    __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(shorts), _mm256_extracti128_si256(shorts, 1));
    if (count == MCV_LANES)
        _mm_storeu_si128((__m128i *)p, bytes);
    else
        memcpy(p, &bytes, count);
}
MCV_INLINE int32_t mcv_ints_largest(mcv_ints a) {
    int32_t lane[MCV_LANES], largest = INT32_MIN;
    memcpy(lane, &a, sizeof lane);
    for (int i = 0; i < MCV_LANES; i++)
        largest = lane[i] > largest ? lane[i] : largest;
    return largest;
}
MCV_INLINE int32_t mcv_ints_sum(mcv_ints a) {
    int32_t lane[MCV_LANES], sum = 0;
    memcpy(lane, &a, sizeof lane);
    for (int i = 0; i < MCV_LANES; i++)
        sum += lane[i];
    return sum;
}

#endif
#endif
