/* lanes.h with AVX-512 F, BW, DQ and VL: one register. */
#ifndef MCV_SIMD_KERNELS_LANES_AVX512_H
#define MCV_SIMD_KERNELS_LANES_AVX512_H

#include "simd/kernels/kernel_math.h"

#if defined(__AVX512F__)

#include <immintrin.h>

typedef __m512 mcv_floats;
typedef __mmask16 mcv_mask;

MCV_INLINE mcv_mask mcv_mask_first(size_t count) {
    return (mcv_mask)((1u << count) - 1);
}
MCV_INLINE mcv_floats mcv_floats_load(const float *p) {
    return _mm512_loadu_ps(p);
}
MCV_INLINE mcv_floats mcv_floats_load_part(const float *p, size_t count) {
    return _mm512_maskz_loadu_ps(mcv_mask_first(count), p);
}
MCV_INLINE void mcv_floats_store(float *p, mcv_floats a) {
    _mm512_storeu_ps(p, a);
}
MCV_INLINE void mcv_floats_store_part(float *p, mcv_floats a, size_t count) {
    _mm512_mask_storeu_ps(p, mcv_mask_first(count), a);
}
MCV_INLINE mcv_floats mcv_floats_widen_bf16(__m256i bits) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
MCV_INLINE mcv_floats mcv_floats_load_bf16(const uint16_t *p) {
    return mcv_floats_widen_bf16(_mm256_loadu_si256((const __m256i *)p));
}
MCV_INLINE mcv_floats mcv_floats_load_bf16_part(const uint16_t *p, size_t count) {
    return mcv_floats_widen_bf16(_mm256_maskz_loadu_epi16(mcv_mask_first(count), p));
}
MCV_INLINE mcv_floats mcv_floats_load_f16(const uint16_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
MCV_INLINE mcv_floats mcv_floats_load_f16_part(const uint16_t *p, size_t count) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mcv_mask_first(count), p));
}
MCV_INLINE mcv_floats mcv_floats_load_i8(const int8_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
MCV_INLINE mcv_floats mcv_floats_load_i8_part(const int8_t *p, size_t count) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mcv_mask_first(count), p)));
}
MCV_INLINE mcv_floats mcv_floats_set(float a) {
    return _mm512_set1_ps(a);
}
MCV_INLINE mcv_floats mcv_floats_first(mcv_floats a, size_t count) {
    return _mm512_maskz_mov_ps(mcv_mask_first(count), a);
}
MCV_INLINE mcv_floats mcv_floats_add(mcv_floats a, mcv_floats b) {
    return _mm512_add_ps(a, b);
}
MCV_INLINE mcv_floats mcv_floats_subtract(mcv_floats a, mcv_floats b) {
    return _mm512_sub_ps(a, b);
}
MCV_INLINE mcv_floats mcv_floats_multiply(mcv_floats a, mcv_floats b) {
    return _mm512_mul_ps(a, b);
}
MCV_INLINE mcv_floats mcv_floats_divide(mcv_floats a, mcv_floats b) {
    return _mm512_div_ps(a, b);
}
MCV_INLINE mcv_floats mcv_floats_fma(mcv_floats a, mcv_floats b, mcv_floats c) {
    return _mm512_fmadd_ps(a, b, c);
}
MCV_INLINE mcv_floats mcv_floats_negate(mcv_floats a) {
    return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f));
}
MCV_INLINE mcv_floats mcv_floats_abs(mcv_floats a) {
    return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a);
}
MCV_INLINE mcv_floats mcv_floats_copysign(mcv_floats a, mcv_floats b) {
    return _mm512_or_ps(mcv_floats_abs(a), _mm512_and_ps(b, _mm512_set1_ps(-0.0f)));
}
MCV_INLINE mcv_floats mcv_floats_round(mcv_floats a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
MCV_INLINE mcv_floats mcv_floats_larger(mcv_floats a, mcv_floats b) {
    return _mm512_max_ps(b, a); /* the second operand where one is NaN */
}
MCV_INLINE mcv_floats mcv_floats_scale(mcv_floats a, mcv_floats n) {
    return _mm512_scalef_ps(a, n);
}
MCV_INLINE mcv_mask mcv_floats_less(mcv_floats a, mcv_floats b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
MCV_INLINE mcv_mask mcv_floats_less_equal(mcv_floats a, mcv_floats b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
}
MCV_INLINE mcv_floats mcv_floats_select(mcv_mask mask, mcv_floats a, mcv_floats b) {
    return _mm512_mask_mov_ps(b, mask, a);
}
MCV_INLINE float mcv_floats_tree_sum(mcv_floats a) {
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
MCV_INLINE float mcv_floats_largest(mcv_floats a) {
    __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

#endif
#endif
