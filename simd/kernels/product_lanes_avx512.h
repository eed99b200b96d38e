/* product_lanes.h with AVX-512 F and BW. */
#ifndef MCV_SIMD_KERNELS_PRODUCT_LANES_AVX512_H
#define MCV_SIMD_KERNELS_PRODUCT_LANES_AVX512_H

#include "simd/kernels/lanes.h"

#if defined(__AVX512F__)

typedef int32_t mcv_ints __attribute__((vector_size(64)));

/* mcv_NAME(a, b) by its instruction, and mcv_NAME(a, bits) of shifts. */
#define MCV_BINARY(name, instruction)                                                                                  \
    MCV_INLINE mcv_ints mcv_##name(mcv_ints a, mcv_ints b) {                                                           \
        return (mcv_ints)instruction((__m512i)a, (__m512i)b);                                                          \
    }
#define MCV_SHIFT(name, instruction)                                                                                   \
    MCV_INLINE mcv_ints mcv_##name(mcv_ints a, int bits) {                                                             \
        return (mcv_ints)instruction((__m512i)a, (unsigned)bits);                                                      \
    }
MCV_BINARY(ints_and, _mm512_and_si512)
MCV_BINARY(ints_or, _mm512_or_si512)
MCV_BINARY(ints_add, _mm512_add_epi32)
MCV_BINARY(ints_multiply, _mm512_mullo_epi32)
MCV_BINARY(ints_larger, _mm512_max_epi32)
MCV_BINARY(shorts_add, _mm512_add_epi16)
MCV_BINARY(shorts_dot, _mm512_madd_epi16)
MCV_BINARY(bytes_dot, _mm512_maddubs_epi16)    /* unsigned with signed */
MCV_BINARY(bytes_look_up, _mm512_shuffle_epi8) /* bytes of a (mcv_ints_repeat) by indices below 16 */
MCV_BINARY(bytes_subtract, _mm512_sub_epi8)
MCV_SHIFT(ints_shift_left, _mm512_slli_epi32)
MCV_SHIFT(ints_shift_right, _mm512_srli_epi32)
MCV_SHIFT(shorts_shift_left, _mm512_slli_epi16)
MCV_SHIFT(shorts_shift_right, _mm512_srai_epi16)
#undef MCV_BINARY
#undef MCV_SHIFT

/* 16 levels, to be looked up. */
typedef __m512i mcv_levels;
MCV_INLINE mcv_levels mcv_levels_load(const int16_t levels[16]) {
    return _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)levels));
}
/* The levels that the lowest four bits of each byte name: those of even bytes in 16 bits each, those of odd ones. The
 * instruction looks at five bits, the fifth chooses one of two equal halves. */
MCV_INLINE void mcv_shorts_look_up(mcv_levels levels, mcv_ints bytes, mcv_ints pair[2]) {
    pair[0] = (mcv_ints)_mm512_permutexvar_epi16((__m512i)bytes, levels);
    pair[1] = (mcv_ints)_mm512_permutexvar_epi16((__m512i)mcv_ints_shift_right(bytes, 8), levels);
}

/* sum + the products of two pairs of 16 bits. */
MCV_INLINE mcv_ints mcv_ints_add_shorts(mcv_ints sum, mcv_ints a, mcv_ints b) {
#if defined(__AVX512VNNI__)
    return (mcv_ints)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
#else
    return mcv_ints_add(sum, mcv_shorts_dot(a, b));
#endif
}

#if defined(__AVX512VNNI__)
/* sum + the products of four unsigned with four signed bytes. */
MCV_INLINE mcv_ints mcv_ints_add_dot(mcv_ints sum, mcv_ints unsigned_bytes, mcv_ints signed_bytes) {
    return (mcv_ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)unsigned_bytes, (__m512i)signed_bytes);
}
/* sum + the products of two pairs of 16 bits. */
MCV_INLINE mcv_ints mcv_ints_add_pairs(mcv_ints a, mcv_ints b, mcv_ints sum) {
    return (mcv_ints)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
}
#endif

#if defined(__AVX512BF16__)
/* sum + the products of two pairs of BF16. */
MCV_INLINE mcv_floats mcv_floats_add_pairs(mcv_ints a, mcv_ints b, mcv_floats sum) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}
/* `count` floats as BF16. */
MCV_INLINE void mcv_round_to_bf16(uint16_t *to, const float *from, size_t count) {
    for (size_t i = 0; i < count; i += MCV_LANES) {
        size_t step = mcv_step(count - i);
        __m256i bits = (__m256i)_mm512_cvtneps_pbh(mcv_floats_load_step(from + i, step));
        _mm256_mask_storeu_epi16(to + i, mcv_mask_first(step), bits);
    }
}
#endif

MCV_INLINE mcv_ints mcv_ints_load(const void *p) {
    return (mcv_ints)_mm512_loadu_si512(p);
}
/* 16 bytes, again and again. */
MCV_INLINE mcv_ints mcv_ints_repeat(const void *p) {
    return (mcv_ints)_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)p));
}
MCV_INLINE mcv_ints mcv_ints_load_u8(const uint8_t *p) {
    return (mcv_ints)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}
MCV_INLINE mcv_ints mcv_ints_load_i8(const int8_t *p) {
    return (mcv_ints)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p));
}
MCV_INLINE mcv_ints mcv_ints_set(int32_t a) {
    return (mcv_ints)_mm512_set1_epi32(a);
}
MCV_INLINE mcv_floats mcv_floats_from_ints(mcv_ints a) {
    return _mm512_cvtepi32_ps((__m512i)a);
}
MCV_INLINE mcv_floats mcv_floats_from_bits(mcv_ints a) {
    return (mcv_floats)a;
}
MCV_INLINE mcv_ints mcv_ints_from_bits(mcv_floats a) {
    return (mcv_ints)a;
}
/* To the nearest integer, ties to even. */
MCV_INLINE mcv_ints mcv_ints_round(mcv_floats a) {
    return (mcv_ints)_mm512_cvtps_epi32(a);
}
/* The first `count` as bytes, which they fit. */
MCV_INLINE void mcv_ints_store_bytes(int8_t *p, mcv_ints a, size_t count) {
    if (count == MCV_LANES)
        _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8((__m512i)a));
    else
        _mm512_mask_cvtepi32_storeu_epi8(p, mcv_mask_first(count), (__m512i)a);
}
MCV_INLINE int32_t mcv_ints_largest(mcv_ints a) {
    return _mm512_reduce_max_epi32((__m512i)a);
}
MCV_INLINE int32_t mcv_ints_sum(mcv_ints a) {
    return _mm512_reduce_add_epi32((__m512i)a);
}

#endif
#endif
