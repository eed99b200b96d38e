/* What the variants of gemm_blocks share. */
#ifndef MCV_SIMD_KERNELS_GEMM_BLOCKS_H
#define MCV_SIMD_KERNELS_GEMM_BLOCKS_H

#include "simd/kernels/kernels.h"

/* k whose codes lie together, and the bytes of a panel that they take. */
enum { MCV_CHUNK = 16 };
#define MCV_CHUNK_BYTES(bits) (MCV_CHUNK / 8 * MCV_LANES * (bits))

/* The sum of a group of a row's activations. */
static inline int32_t mcv_group_sum(const mcv_gemm_blocks_args *a, size_t row, size_t g) {
    if (a->block == a->group)
        return a->sum[row * (a->k / a->block) + g];
    const int32_t *sum = a->sum + (row * a->k + g * a->group) / 16;
    return a->group == 16 ? sum[0] : sum[0] + sum[1];
}

#endif
