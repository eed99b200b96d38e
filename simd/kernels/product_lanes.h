/* The registers of matrix products: MCV_LANES floats, or as many quadruples of bytes, one for each output of a panel.
 *
 * Included by the variants of an instruction set only: an operation is one instruction with AVX-512, two with AVX2,
 * four with NEON. mcv_floats is that of lanes.h. mcv_ints holds 16 int32 or 32 int16; it is a vector of int32 for the
 * compiler, which keeps sums in place only if their type never changes. */
#ifndef MCV_SIMD_KERNELS_PRODUCT_LANES_H
#define MCV_SIMD_KERNELS_PRODUCT_LANES_H

#include "simd/kernels/lanes.h"

#if defined(__AVX2__) || defined(__aarch64__)

#if defined(__AVX512F__)
#include "simd/kernels/product_lanes_avx512.h"
#elif defined(__AVX2__)
#include "simd/kernels/product_lanes_avx2.h"
#elif defined(__aarch64__)
#include "simd/kernels/product_lanes_neon.h"
#endif

/* Statements once for each row and each panel of a tile; `r` and `p` are constants there, `rows` and `panels` are after
 * inlining. Compilers keep an array in registers only if they never see a loop over it. */
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
    MCV_ONCE(p, 0, panels, __VA_ARGS__)                                                                                \
    MCV_ONCE(p, 1, panels, __VA_ARGS__)
#define MCV_ONCE(name, value, end, ...)                                                                                \
    if (value < (end)) {                                                                                               \
        enum { name = value };                                                                                         \
        __VA_ARGS__                                                                                                    \
    }
enum { MCV_TILE_ROWS = 12, MCV_TILE_PANELS = 2 /* at most */ };

/* The first of each pair of BF16, or the second. */
MCV_INLINE mcv_floats mcv_floats_load_bf16_of_pairs(const uint16_t *p, const int second) {
    mcv_ints both = mcv_ints_load(p);
    return mcv_floats_from_bits(second ? mcv_ints_and(both, mcv_ints_set((int32_t)0xffff0000))
                                       : mcv_ints_shift_left(both, 16));
}

/* Four bytes that every output is multiplied with. */
MCV_INLINE mcv_ints mcv_ints_broadcast(const void *four_bytes) {
    int32_t value;
    memcpy(&value, four_bytes, sizeof value);
    return mcv_ints_set(value);
}

/* The end of `count` (at most MCV_LANES) outputs: bias, then what was there before. */
MCV_INLINE void mcv_store_outputs(const float total[MCV_LANES], const float *bias, bool accumulate, float *y,
                                  size_t count) {
    mcv_floats sum = mcv_floats_load(total);
    if (count == MCV_LANES) {
        if (bias)
            sum = mcv_floats_add(sum, mcv_floats_load(bias));
        mcv_floats_store(y, accumulate ? mcv_floats_add(mcv_floats_load(y), sum) : sum);
    } else {
        if (bias)
            sum = mcv_floats_add(sum, mcv_floats_load_part(bias, count));
        mcv_floats_store_part(y, accumulate ? mcv_floats_add(mcv_floats_load_part(y, count), sum) : sum, count);
    }
}

#endif
#endif
