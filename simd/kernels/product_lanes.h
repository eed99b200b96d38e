/* The registers of matrix products: MCV_LANES floats, or as many quadruples of bytes, one for each output of a panel.
 *
 * Included by the variants of an instruction set only: an operation is one instruction with AVX-512, two with AVX2,
 * four with NEON. */
#ifndef MCV_SIMD_KERNELS_PRODUCT_LANES_H
#define MCV_SIMD_KERNELS_PRODUCT_LANES_H

#include <string.h>

#include "simd/kernels/kernels.h"

#ifndef MCV_INLINE
#define MCV_INLINE static inline __attribute__((always_inline))
#endif

#if defined(__aarch64__)

#include "simd/kernels/product_lanes_neon.h"

#elif defined(__AVX512F__)

#include <immintrin.h>

typedef __m512 mcv_floats;
typedef __m512i mcv_ints;

MCV_INLINE mcv_floats mcv_floats_load(const float *p) {
    return _mm512_loadu_ps(p);
}
MCV_INLINE mcv_floats mcv_floats_load_f16(const uint16_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
MCV_INLINE void mcv_floats_store(float *p, mcv_floats a) {
    _mm512_storeu_ps(p, a);
}
MCV_INLINE mcv_floats mcv_floats_set(float a) {
    return _mm512_set1_ps(a);
}
MCV_INLINE mcv_floats mcv_floats_add(mcv_floats a, mcv_floats b) {
    return _mm512_add_ps(a, b);
}
MCV_INLINE mcv_floats mcv_floats_multiply(mcv_floats a, mcv_floats b) {
    return _mm512_mul_ps(a, b);
}
MCV_INLINE mcv_floats mcv_floats_fma(mcv_floats a, mcv_floats b, mcv_floats c) {
    return _mm512_fmadd_ps(a, b, c);
}
MCV_INLINE mcv_floats mcv_floats_from_ints(mcv_ints a) {
    return _mm512_cvtepi32_ps(a);
}
MCV_INLINE mcv_ints mcv_ints_load(const void *p) {
    return _mm512_loadu_si512(p);
}
MCV_INLINE mcv_ints mcv_ints_load_u8(const uint8_t *p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}
MCV_INLINE mcv_ints mcv_ints_set(int32_t a) {
    return _mm512_set1_epi32(a);
}
MCV_INLINE mcv_ints mcv_ints_and(mcv_ints a, mcv_ints b) {
    return _mm512_and_si512(a, b);
}
MCV_INLINE mcv_ints mcv_ints_shift_right(mcv_ints a, int bits) {
    return _mm512_srli_epi32(a, (unsigned)bits);
}
MCV_INLINE mcv_ints mcv_ints_shift_left(mcv_ints a, int bits) {
    return _mm512_slli_epi32(a, (unsigned)bits);
}
MCV_INLINE mcv_floats mcv_floats_from_bits(mcv_ints a) {
    return _mm512_castsi512_ps(a);
}
MCV_INLINE mcv_ints mcv_ints_add(mcv_ints a, mcv_ints b) {
    return _mm512_add_epi32(a, b);
}
MCV_INLINE mcv_ints mcv_ints_multiply(mcv_ints a, mcv_ints b) {
    return _mm512_mullo_epi32(a, b);
}
MCV_INLINE mcv_ints mcv_shorts_shift_left(mcv_ints a, int bits) {
    return _mm512_slli_epi16(a, (unsigned)bits);
}
MCV_INLINE mcv_ints mcv_shorts_shift_right(mcv_ints a, int bits) {
    return _mm512_srai_epi16(a, (unsigned)bits);
}
MCV_INLINE mcv_ints mcv_shorts_add(mcv_ints a, mcv_ints b) {
    return _mm512_add_epi16(a, b);
}
MCV_INLINE mcv_ints mcv_shorts_dot(mcv_ints a, mcv_ints b) {
    return _mm512_madd_epi16(a, b);
}
MCV_INLINE mcv_ints mcv_bytes_dot(mcv_ints unsigned_bytes, mcv_ints signed_bytes) {
    return _mm512_maddubs_epi16(unsigned_bytes, signed_bytes);
}

#else

#include <immintrin.h>

typedef struct mcv_floats {
    __m256 low, high;
} mcv_floats;
typedef struct mcv_ints {
    __m256i low, high;
} mcv_ints;

MCV_INLINE mcv_floats mcv_floats_load(const float *p) {
    return (mcv_floats){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
MCV_INLINE mcv_floats mcv_floats_load_f16(const uint16_t *p) {
    return (mcv_floats){_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)),
                        _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)))};
}
MCV_INLINE void mcv_floats_store(float *p, mcv_floats a) {
    _mm256_storeu_ps(p, a.low);
    _mm256_storeu_ps(p + 8, a.high);
}
MCV_INLINE mcv_floats mcv_floats_set(float a) {
    return (mcv_floats){_mm256_set1_ps(a), _mm256_set1_ps(a)};
}
MCV_INLINE mcv_floats mcv_floats_add(mcv_floats a, mcv_floats b) {
    return (mcv_floats){_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
MCV_INLINE mcv_floats mcv_floats_multiply(mcv_floats a, mcv_floats b) {
    return (mcv_floats){_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
MCV_INLINE mcv_floats mcv_floats_fma(mcv_floats a, mcv_floats b, mcv_floats c) {
    return (mcv_floats){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
MCV_INLINE mcv_floats mcv_floats_from_ints(mcv_ints a) {
    return (mcv_floats){_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)};
}
MCV_INLINE mcv_ints mcv_ints_load(const void *p) {
    return (mcv_ints){_mm256_loadu_si256(p), _mm256_loadu_si256((const __m256i *)p + 1)};
}
MCV_INLINE mcv_ints mcv_ints_load_u8(const uint8_t *p) {
    return (mcv_ints){_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)),
                      _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(p + 8)))};
}
MCV_INLINE mcv_ints mcv_ints_set(int32_t a) {
    return (mcv_ints){_mm256_set1_epi32(a), _mm256_set1_epi32(a)};
}
MCV_INLINE mcv_ints mcv_ints_and(mcv_ints a, mcv_ints b) {
    return (mcv_ints){_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)};
}
MCV_INLINE mcv_ints mcv_ints_shift_right(mcv_ints a, int bits) {
    return (mcv_ints){_mm256_srli_epi32(a.low, bits), _mm256_srli_epi32(a.high, bits)};
}
MCV_INLINE mcv_ints mcv_ints_shift_left(mcv_ints a, int bits) {
    return (mcv_ints){_mm256_slli_epi32(a.low, bits), _mm256_slli_epi32(a.high, bits)};
}
MCV_INLINE mcv_floats mcv_floats_from_bits(mcv_ints a) {
    return (mcv_floats){_mm256_castsi256_ps(a.low), _mm256_castsi256_ps(a.high)};
}
MCV_INLINE mcv_ints mcv_ints_add(mcv_ints a, mcv_ints b) {
    return (mcv_ints){_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
MCV_INLINE mcv_ints mcv_ints_multiply(mcv_ints a, mcv_ints b) {
    return (mcv_ints){_mm256_mullo_epi32(a.low, b.low), _mm256_mullo_epi32(a.high, b.high)};
}
MCV_INLINE mcv_ints mcv_shorts_shift_left(mcv_ints a, int bits) {
    return (mcv_ints){_mm256_slli_epi16(a.low, bits), _mm256_slli_epi16(a.high, bits)};
}
MCV_INLINE mcv_ints mcv_shorts_shift_right(mcv_ints a, int bits) {
    return (mcv_ints){_mm256_srai_epi16(a.low, bits), _mm256_srai_epi16(a.high, bits)};
}
MCV_INLINE mcv_ints mcv_shorts_add(mcv_ints a, mcv_ints b) {
    return (mcv_ints){_mm256_add_epi16(a.low, b.low), _mm256_add_epi16(a.high, b.high)};
}
MCV_INLINE mcv_ints mcv_shorts_dot(mcv_ints a, mcv_ints b) {
    return (mcv_ints){_mm256_madd_epi16(a.low, b.low), _mm256_madd_epi16(a.high, b.high)};
}
MCV_INLINE mcv_ints mcv_bytes_dot(mcv_ints unsigned_bytes, mcv_ints signed_bytes) {
    return (mcv_ints){_mm256_maddubs_epi16(unsigned_bytes.low, signed_bytes.low),
                      _mm256_maddubs_epi16(unsigned_bytes.high, signed_bytes.high)};
}

#endif

/* Statements once for each row and each panel of a tile; `r` and `p` are constants there, `rows` is one after inlining.
 * Compilers keep an array in registers only if they never see a loop over it. */
#define MCV_EACH_ROW(...)                                                                                              \
    MCV_ONCE(r, 0, rows, __VA_ARGS__)                                                                                  \
    MCV_ONCE(r, 1, rows, __VA_ARGS__)                                                                                  \
    MCV_ONCE(r, 2, rows, __VA_ARGS__)                                                                                  \
    MCV_ONCE(r, 3, rows, __VA_ARGS__)                                                                                  \
    MCV_ONCE(r, 4, rows, __VA_ARGS__)                                                                                  \
    MCV_ONCE(r, 5, rows, __VA_ARGS__)                                                                                  \
    MCV_ONCE(r, 6, rows, __VA_ARGS__)                                                                                  \
    MCV_ONCE(r, 7, rows, __VA_ARGS__)                                                                                  \
    MCV_ONCE(r, 8, rows, __VA_ARGS__)                                                                                  \
    MCV_ONCE(r, 9, rows, __VA_ARGS__)                                                                                  \
    MCV_ONCE(r, 10, rows, __VA_ARGS__)                                                                                 \
    MCV_ONCE(r, 11, rows, __VA_ARGS__)
#define MCV_EACH_PANEL(...)                                                                                            \
    MCV_ONCE(p, 0, TILE_PANELS, __VA_ARGS__)                                                                           \
    MCV_ONCE(p, 1, TILE_PANELS, __VA_ARGS__)
#define MCV_ONCE(name, value, end, ...)                                                                                \
    if (value < (end)) {                                                                                               \
        enum { name = value };                                                                                         \
        __VA_ARGS__                                                                                                    \
    }
enum { MCV_TILE_ROWS = 12, MCV_TILE_PANELS = 2 /* at most */ };

/* Pairs of BF16: the first of each pair, then the second. */
MCV_INLINE void mcv_floats_load_bf16_pairs(mcv_floats pair[2], const uint16_t *p) {
    mcv_ints both = mcv_ints_load(p);
    pair[0] = mcv_floats_from_bits(mcv_ints_shift_left(both, 16));
    pair[1] = mcv_floats_from_bits(mcv_ints_and(both, mcv_ints_set((int32_t)0xffff0000)));
}

/* Four bytes that every output is multiplied with. */
MCV_INLINE mcv_ints mcv_ints_broadcast(const void *four_bytes) {
    int32_t value;
    memcpy(&value, four_bytes, sizeof value);
    return mcv_ints_set(value);
}

/* The end of `count` (at most MCV_LANES) outputs: bias, then what was there before. */
static inline void mcv_store_outputs(const float total[MCV_LANES], const float *bias, bool accumulate, float *y,
                                     size_t count) {
    float before[MCV_LANES] = {0}, offset[MCV_LANES] = {0};
    bool whole = count == MCV_LANES;
    if (!whole && bias)
        memcpy(offset, bias, count * sizeof *bias);
    if (!whole && accumulate)
        memcpy(before, y, count * sizeof *y);
    mcv_floats sum = mcv_floats_load(total);
    if (bias)
        sum = mcv_floats_add(sum, mcv_floats_load(whole ? bias : offset));
    if (accumulate)
        sum = mcv_floats_add(mcv_floats_load(whole ? y : before), sum);
    mcv_floats_store(whole ? y : before, sum);
    if (!whole)
        memcpy(y, before, count * sizeof *y);
}

#endif
