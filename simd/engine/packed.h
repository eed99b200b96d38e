/* Linear layers with packed weights: the layouts of kernels.h, quantized when they are packed. */
#ifndef MCV_SIMD_ENGINE_PACKED_H
#define MCV_SIMD_ENGINE_PACKED_H

#include "core/arena.h"
#include "core/threads.h"
#include "formats/safetensors.h"
#include "ref/nn.h"
#include "simd/kernels/kernels.h"

/* A linear layer. Layouts: mcv_gemm_args, mcv_gemm_int8_args, mcv_gemm_int4_args. */
typedef struct mcv_packed {
    const char *name; /* the module's, for taps */
    mcv_precision precision;
    size_t n, k;  /* out_features, in_features */
    size_t group; /* of INT4; k for INT8 */
    const void *w;
    const float *w_scale;       /* INT8 */
    const int32_t *w_sum;       /* INT8 */
    const uint16_t *w_scale_16; /* INT4 */
    const float *bias;          /* NULL: none */
} mcv_packed;

/* Where packed weights come from and go to. */
typedef struct mcv_packer {
    mcv_pool *pool;
    mcv_arena *arena;               /* what is packed */
    size_t group;                   /* weights that share a scale in INT4: 32, 64 or 128 */
    const mcv_safetensors *kept;    /* what an earlier run has packed; NULL: nothing */
    mcv_safetensors_writer *writer; /* keeps what is packed; NULL: nobody does */
} mcv_packer;

/* Packs a layer's weights, rows spread over the threads; BF16 ones stay BF16 where F32 is asked for, which are the same
 * numbers. Or takes them from what is kept: MCV_DIFFERS where that was made from other weights or in another way.
 * name and bias stay the layer's. key: what the layer is kept as, its module's path.
 * MCV_UNSUPPORTED: more in_features than INT8 sums hold (of INT4, too, for whose kernels it is a limit). */
mcv_status mcv_pack_linear(const mcv_packer *packer, const char *key, const Linear *linear, mcv_precision precision,
                           mcv_packed *packed);

/* Panels of MCV_LANES rows, the last one filled up with zeros. */
static inline size_t mcv_panels(size_t n) {
    return (n + MCV_LANES - 1) / MCV_LANES;
}

static inline size_t mcv_round_up(size_t value, size_t step) {
    return (value + step - 1) / step * step;
}

#endif
