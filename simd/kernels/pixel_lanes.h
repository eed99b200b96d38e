/* Samples of 8 bits on vector registers: what the kernels of pictures are written with.
 *
 *     mcv_bytes: MCV_LANES bytes. mcv_bytes_load(p), _load_part(p, count): the first count, zeros behind; _store(p, a),
 *     _store_part(p, a, count); mcv_bytes_transpose(x): 16 of them, as a matrix
 *     mcv_sums: MCV_LANES integers of 32 bits. mcv_sums_set(x): x in each lane; _add(a, p, w): a + w times each of the
 *     bytes at p; _clip(a): resize's clip
 *     mcv_floats_load_rgb(p, c): sample c of each of the MCV_LANES pixels of 3 bytes at p */
#ifndef MCV_SIMD_KERNELS_PIXEL_LANES_H
#define MCV_SIMD_KERNELS_PIXEL_LANES_H

#include "simd/kernels/lanes.h"

#if defined(__AVX2__)

typedef __m128i mcv_bytes;

MCV_INLINE mcv_bytes mcv_bytes_load(const uint8_t *p) {
    return _mm_loadu_si128((const __m128i *)p);
}
MCV_INLINE void mcv_bytes_store(uint8_t *p, mcv_bytes a) {
    _mm_storeu_si128((__m128i *)p, a);
}

/* Row i of a matrix of 16 x 16 and row i + 8 become rows 2 i and 2 i + 1 of one with pairs of bytes: four times, and
 * rows are columns. */
MCV_INLINE void mcv_bytes_transpose(mcv_bytes x[MCV_LANES]) {
    for (int step = 0; step < 4; step++) {
        mcv_bytes y[MCV_LANES];
        for (int i = 0; i < 8; i++) {
            y[2 * i] = _mm_unpacklo_epi8(x[i], x[i + 8]);
            y[2 * i + 1] = _mm_unpackhi_epi8(x[i], x[i + 8]);
        }
        memcpy(x, y, sizeof y);
    }
}

#elif defined(__aarch64__)

typedef uint8x16_t mcv_bytes;

MCV_INLINE mcv_bytes mcv_bytes_load(const uint8_t *p) {
    return vld1q_u8(p);
}
MCV_INLINE void mcv_bytes_store(uint8_t *p, mcv_bytes a) {
    vst1q_u8(p, a);
}
MCV_INLINE void mcv_bytes_transpose(mcv_bytes x[MCV_LANES]) {
    for (int step = 0; step < 4; step++) {
        mcv_bytes y[MCV_LANES];
        for (int i = 0; i < 8; i++) {
            y[2 * i] = vzip1q_u8(x[i], x[i + 8]);
            y[2 * i + 1] = vzip2q_u8(x[i], x[i + 8]);
        }
        memcpy(x, y, sizeof y);
    }
}

#endif

#if defined(__AVX512F__)

typedef __m512i mcv_sums;

MCV_INLINE mcv_sums mcv_sums_set(int32_t x) {
    return _mm512_set1_epi32(x);
}
MCV_INLINE mcv_sums mcv_sums_add(mcv_sums a, const uint8_t *p, int32_t w) {
    return _mm512_add_epi32(a, _mm512_mullo_epi32(_mm512_cvtepu8_epi32(mcv_bytes_load(p)), _mm512_set1_epi32(w)));
}
MCV_INLINE mcv_bytes mcv_sums_clip(mcv_sums a) {
    return _mm512_cvtusepi32_epi8(_mm512_max_epi32(_mm512_srai_epi32(a, MCV_RESIZE_BITS), _mm512_setzero_si512()));
}
MCV_INLINE mcv_floats mcv_floats_load_rgb(const uint8_t *p, size_t c) {
    __m512i spread = _mm512_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
    __m512i pixels = _mm512_permutexvar_epi32(spread, _mm512_castps_si512(_mm512_maskz_loadu_ps(0xfff, p)));
    __m512i sample = _mm512_set1_epi32((int)c), place = _mm512_set4_epi32(9, 6, 3, 0);
    return _mm512_cvtepi32_ps(_mm512_maskz_shuffle_epi8(0x1111111111111111u, pixels, _mm512_add_epi32(place, sample)));
}

#elif defined(__AVX2__)

typedef struct mcv_sums {
    __m256i low, high;
} mcv_sums;

MCV_INLINE mcv_sums mcv_sums_set(int32_t x) {
    return (mcv_sums){_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}
MCV_INLINE __m256i mcv_eight_u8(const uint8_t *p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}
MCV_INLINE mcv_sums mcv_sums_add(mcv_sums a, const uint8_t *p, int32_t w) {
    __m256i weight = _mm256_set1_epi32(w);
    return (mcv_sums){_mm256_add_epi32(a.low, _mm256_mullo_epi32(mcv_eight_u8(p), weight)),
                      _mm256_add_epi32(a.high, _mm256_mullo_epi32(mcv_eight_u8(p + 8), weight))};
}
MCV_INLINE mcv_bytes mcv_sums_clip(mcv_sums a) {
    __m256i low = _mm256_srai_epi32(a.low, MCV_RESIZE_BITS), high = _mm256_srai_epi32(a.high, MCV_RESIZE_BITS);
    __m256i halves = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
    return _mm_packus_epi16(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}
/* Eight pixels: the second half of the register has its four pixels behind four other bytes. */
MCV_INLINE __m256 mcv_eight_rgb(const uint8_t *p, size_t c) {
    __m256i pixels = _mm256_set_m128i(mcv_bytes_load(p + 8), mcv_bytes_load(p));
    __m256i place = _mm256_setr_epi32(0, 3, 6, 9, 4, 7, 10, 13), sample = _mm256_set1_epi32((int)c | (int)0x80808000);
    return _mm256_cvtepi32_ps(_mm256_shuffle_epi8(pixels, _mm256_add_epi32(place, sample)));
}
MCV_INLINE mcv_floats mcv_floats_load_rgb(const uint8_t *p, size_t c) {
    return (mcv_floats){mcv_eight_rgb(p, c), mcv_eight_rgb(p + 24, c)};
}

#elif defined(__aarch64__)

typedef struct mcv_sums {
    int32x4_t a, b, c, d;
} mcv_sums;

MCV_INLINE mcv_sums mcv_sums_set(int32_t x) {
    return (mcv_sums){vdupq_n_s32(x), vdupq_n_s32(x), vdupq_n_s32(x), vdupq_n_s32(x)};
}
MCV_INLINE int32x4_t mcv_four_u16(uint16x4_t x) {
    return vreinterpretq_s32_u32(vmovl_u16(x));
}
MCV_INLINE mcv_sums mcv_sums_add(mcv_sums a, const uint8_t *p, int32_t w) {
    mcv_bytes bytes = mcv_bytes_load(p);
    uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_u8(vget_high_u8(bytes));
    return (mcv_sums){
        vmlaq_n_s32(a.a, mcv_four_u16(vget_low_u16(low)), w), vmlaq_n_s32(a.b, mcv_four_u16(vget_high_u16(low)), w),
        vmlaq_n_s32(a.c, mcv_four_u16(vget_low_u16(high)), w), vmlaq_n_s32(a.d, mcv_four_u16(vget_high_u16(high)), w)};
}
/* 22 bits are shifted in two steps: a narrowing shift takes 16 at most. Below 0 becomes 0. */
MCV_INLINE uint16x8_t mcv_eight_clip(int32x4_t a, int32x4_t b) {
    return vcombine_u16(vqshrun_n_s32(a, 16), vqshrun_n_s32(b, 16));
}
MCV_INLINE mcv_bytes mcv_sums_clip(mcv_sums a) {
    return vcombine_u8(vqshrn_n_u16(mcv_eight_clip(a.a, a.b), MCV_RESIZE_BITS - 16),
                       vqshrn_n_u16(mcv_eight_clip(a.c, a.d), MCV_RESIZE_BITS - 16));
}
MCV_INLINE mcv_floats mcv_floats_load_rgb(const uint8_t *p, size_t c) {
    uint8x16x3_t samples = vld3q_u8(p);
    uint16x8_t low = vmovl_u8(vget_low_u8(samples.val[c])), high = vmovl_u8(vget_high_u8(samples.val[c]));
    return (mcv_floats){vcvtq_f32_s32(mcv_four_u16(vget_low_u16(low))), vcvtq_f32_s32(mcv_four_u16(vget_high_u16(low))),
                        vcvtq_f32_s32(mcv_four_u16(vget_low_u16(high))),
                        vcvtq_f32_s32(mcv_four_u16(vget_high_u16(high)))};
}

#endif

#if defined(__AVX2__) || defined(__aarch64__)

MCV_INLINE mcv_bytes mcv_bytes_load_part(const uint8_t *p, size_t count) {
    uint8_t all[MCV_LANES] = {0};
    memcpy(all, p, count);
    return mcv_bytes_load(all);
}
MCV_INLINE void mcv_bytes_store_part(uint8_t *p, mcv_bytes a, size_t count) {
    uint8_t all[MCV_LANES];
    mcv_bytes_store(all, a);
    memcpy(p, all, count);
}

#endif
#endif
