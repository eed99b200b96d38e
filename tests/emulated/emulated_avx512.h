/* AVX-512 for CPUs without it: put in front of a kernel's source (gcc -include), so that its intrinsics become those of
 * SIMDe, on AVX2 and FMA. What SIMDe 0.7.4 lacks is defined here; whoever uses another intrinsic
 * that it lacks adds it. */
#ifndef TESTS_EMULATED_EMULATED_AVX512_H
#define TESTS_EMULATED_EMULATED_AVX512_H

#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__) || defined(__AVX512F__)
#error "to be compiled for AVX2, FMA and F16C, which fuses multiply-adds as AVX-512 does"
#endif

#define SIMDE_ENABLE_NATIVE_ALIASES
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>
#pragma GCC diagnostic pop

#include <math.h>
#include <string.h>

/* The parts of a register, 0 below. */
static inline __m256i emulated_half(__m512i a, int i) {
    __m256i halves[2];
    memcpy(halves, &a, sizeof halves);
    return halves[i];
}
static inline __m512i emulated_join(__m256i low, __m256i high) {
    __m256i halves[2] = {low, high};
    __m512i a;
    memcpy(&a, halves, sizeof a);
    return a;
}
static inline __m512 emulated_join_ps(__m256 low, __m256 high) {
    __m256 halves[2] = {low, high};
    __m512 a;
    memcpy(&a, halves, sizeof a);
    return a;
}

/* A function of 16 elements from one of 8, whose upper eight come `step` into the argument. */
#define EMULATED_WIDEN(name, narrow)                                                                                   \
    static inline __m512i emulated_##name(__m128i a) {                                                                 \
        return emulated_join(narrow(a), narrow(_mm_srli_si128(a, 8)));                                                 \
    }
EMULATED_WIDEN(cvtepi8_epi32, _mm256_cvtepi8_epi32)
EMULATED_WIDEN(cvtepu8_epi32, _mm256_cvtepu8_epi32)
#undef EMULATED_WIDEN

static inline __m512i emulated_cvtepu16_epi32(__m256i a) {
    return emulated_join(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(a)),
                         _mm256_cvtepu16_epi32(_mm256_extracti128_si256(a, 1)));
}
static inline __m512 emulated_cvtepi32_ps(__m512i a) {
    return emulated_join_ps(_mm256_cvtepi32_ps(emulated_half(a, 0)), _mm256_cvtepi32_ps(emulated_half(a, 1)));
}
static inline __m512i emulated_cvtps_epi32(__m512 a) {
    __m256 halves[2];
    memcpy(halves, &a, sizeof halves);
    return emulated_join(_mm256_cvtps_epi32(halves[0]), _mm256_cvtps_epi32(halves[1]));
}
static inline __m512 emulated_cvtph_ps(__m256i a) {
    return emulated_join_ps(_mm256_cvtph_ps(_mm256_castsi256_si128(a)),
                            _mm256_cvtph_ps(_mm256_extracti128_si256(a, 1)));
}
static inline __m256 emulated_extractf32x8_ps(__m512 a, int i) {
    __m256 halves[2];
    memcpy(halves, &a, sizeof halves);
    return halves[i];
}

/* Loads and stores of `count` elements; those whose bit is not set are not touched. */
#define EMULATED_MASKED(register, type, count, suffix, load, store)                                                    \
    static inline register emulated_maskz_loadu_##suffix(uint64_t mask, const void *p) {                               \
        type all[count] = {0};                                                                                         \
        for (int i = 0; i < count; i++)                                                                                \
            if (mask >> i & 1)                                                                                         \
                memcpy(&all[i], (const type *)p + i, sizeof *all);                                                     \
        return load((const void *)all);                                                                                \
    }                                                                                                                  \
    static inline void emulated_mask_storeu_##suffix(void *p, uint64_t mask, register a) {                             \
        type all[count];                                                                                               \
        store((void *)all, a);                                                                                         \
        for (int i = 0; i < count; i++)                                                                                \
            if (mask >> i & 1)                                                                                         \
                memcpy((type *)p + i, &all[i], sizeof *all);                                                           \
    }
EMULATED_MASKED(__m512, float, 16, ps, _mm512_loadu_ps, _mm512_storeu_ps)
EMULATED_MASKED(__m256i, uint16_t, 16, epi16, _mm256_loadu_si256, _mm256_storeu_si256)
EMULATED_MASKED(__m128i, uint8_t, 16, epi8, _mm_loadu_si128, _mm_storeu_si128)
#undef EMULATED_MASKED

/* Lanes of 32 bits as an array. */
typedef struct emulated_lanes {
    int32_t lane[16];
} emulated_lanes;
static inline emulated_lanes emulated_lanes_of(__m512i a) {
    emulated_lanes lanes;
    memcpy(&lanes, &a, sizeof lanes);
    return lanes;
}
static inline void emulated_mask_cvtepi32_storeu_epi8(void *p, uint16_t mask, __m512i a) {
    emulated_lanes lanes = emulated_lanes_of(a);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1)
            ((int8_t *)p)[i] = (int8_t)lanes.lane[i];
}
static inline __m128i emulated_cvtepi32_epi8(__m512i a) {
    __m128i bytes;
    emulated_mask_cvtepi32_storeu_epi8(&bytes, 0xffff, a);
    return bytes;
}
static inline __m128i emulated_cvtusepi32_epi8(__m512i a) {
    emulated_lanes lanes = emulated_lanes_of(a);
    uint8_t bytes[16];
    __m128i all;
    for (int i = 0; i < 16; i++)
        bytes[i] = (uint32_t)lanes.lane[i] > 255 ? 255 : (uint8_t)lanes.lane[i];
    memcpy(&all, bytes, sizeof all);
    return all;
}
static inline __m512i emulated_srai_epi32(__m512i a, int count) {
    return emulated_join(_mm256_srai_epi32(emulated_half(a, 0), count), _mm256_srai_epi32(emulated_half(a, 1), count));
}
static inline int32_t emulated_reduce_add_epi32(__m512i a) {
    emulated_lanes lanes = emulated_lanes_of(a);
    uint32_t sum = 0;
    for (int i = 0; i < 16; i++)
        sum += (uint32_t)lanes.lane[i];
    return (int32_t)sum;
}
static inline int32_t emulated_reduce_max_epi32(__m512i a) {
    emulated_lanes lanes = emulated_lanes_of(a);
    int32_t largest = lanes.lane[0];
    for (int i = 1; i < 16; i++)
        largest = lanes.lane[i] > largest ? lanes.lane[i] : largest;
    return largest;
}

/* BF16 (Intel, Software Developer's Manual, volume 2, VDPBF16PS and VCVTNEPS2BF16): what is below 2^-126 is 0. */
static inline float emulated_flush(float a) {
    return fabsf(a) < 0x1p-126f ? copysignf(0, a) : a;
}
static inline float emulated_widen(uint16_t bf16) {
    uint32_t bits = (uint32_t)bf16 << 16;
    float a;
    memcpy(&a, &bits, sizeof a);
    return emulated_flush(a);
}
static inline uint16_t emulated_narrow(float a) {
    uint32_t bits;
    a = emulated_flush(a);
    memcpy(&bits, &a, sizeof bits);
    if (isnan(a))
        return (uint16_t)(bits >> 16 | 64);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
static inline __m512 emulated_dpbf16_ps(__m512 sum, __m512i a, __m512i b) {
    float sums[16];
    uint16_t first[32], second[32];
    memcpy(sums, &sum, sizeof sums);
    memcpy(first, &a, sizeof first);
    memcpy(second, &b, sizeof second);
    for (int i = 0; i < 16; i++)
        for (int j = 2 * i + 1; j >= 2 * i; j--)
            sums[i] = emulated_flush(emulated_flush(sums[i]) +
                                     emulated_flush(emulated_widen(first[j]) * emulated_widen(second[j])));
    memcpy(&sum, sums, sizeof sum);
    return sum;
}
static inline __m256i emulated_cvtneps_pbh(__m512 a) {
    float floats[16];
    uint16_t halves[16];
    __m256i all;
    memcpy(floats, &a, sizeof floats);
    for (int i = 0; i < 16; i++)
        halves[i] = emulated_narrow(floats[i]);
    memcpy(&all, halves, sizeof all);
    return all;
}

#undef _mm512_mask_cvtepi32_storeu_epi8
#define _mm512_mask_cvtepi32_storeu_epi8 emulated_mask_cvtepi32_storeu_epi8
#undef _mm512_cvtepi32_epi8
#define _mm512_cvtepi32_epi8 emulated_cvtepi32_epi8
#undef _mm512_dpbf16_ps
#define _mm512_dpbf16_ps(sum, a, b) emulated_dpbf16_ps(sum, (__m512i)(a), (__m512i)(b))
#undef _mm512_cvtneps_pbh
#define _mm512_cvtneps_pbh emulated_cvtneps_pbh
#undef _mm512_cvtusepi32_epi8
#define _mm512_cvtusepi32_epi8 emulated_cvtusepi32_epi8
#undef _mm512_srai_epi32
#define _mm512_srai_epi32 emulated_srai_epi32
#undef _mm512_reduce_add_epi32
#define _mm512_reduce_add_epi32 emulated_reduce_add_epi32
#undef _mm512_reduce_max_epi32
#define _mm512_reduce_max_epi32 emulated_reduce_max_epi32
#undef _mm512_cvtepi8_epi32
#define _mm512_cvtepi8_epi32 emulated_cvtepi8_epi32
#undef _mm512_cvtepu8_epi32
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32
#undef _mm512_cvtepu16_epi32
#define _mm512_cvtepu16_epi32 emulated_cvtepu16_epi32
#undef _mm512_cvtepi32_ps
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps
#undef _mm512_cvtps_epi32
#define _mm512_cvtps_epi32 emulated_cvtps_epi32
#undef _mm512_cvtph_ps
#define _mm512_cvtph_ps emulated_cvtph_ps
#undef _mm512_extractf32x8_ps
#define _mm512_extractf32x8_ps emulated_extractf32x8_ps
#undef _mm256_maskz_loadu_epi16
#define _mm256_maskz_loadu_epi16 emulated_maskz_loadu_epi16
#undef _mm256_mask_storeu_epi16
#define _mm256_mask_storeu_epi16 emulated_mask_storeu_epi16
#undef _mm_maskz_loadu_epi8
#define _mm_maskz_loadu_epi8 emulated_maskz_loadu_epi8
#undef _mm_mask_storeu_epi8
#define _mm_mask_storeu_epi8 emulated_mask_storeu_epi8
#undef _mm512_maskz_loadu_ps
#define _mm512_maskz_loadu_ps emulated_maskz_loadu_ps
#undef _mm512_mask_storeu_ps
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps
/* SIMDe has it, but gives the name to the form with a mask. */
#undef _mm512_madd_epi16
#define _mm512_madd_epi16(a, b) simde_mm512_madd_epi16(a, b)

/* What the sources ask the compiler. */
#define __AVX512F__ 1
#if defined(EMULATED_avx512vnni) || defined(EMULATED_avx512bf16) || defined(EMULATED_amx)
#define __AVX512VNNI__ 1
#endif
#if defined(EMULATED_avx512bf16) || defined(EMULATED_amx)
#define __AVX512BF16__ 1
#endif

#if defined(EMULATED_amx)
#include "tests/emulated/emulated_tiles.h"
#endif

#endif
