/* Linear layers with packed weights: the layouts of kernels.h, quantized when they are packed or already in the file.
 */
#ifndef MCV_SIMD_ENGINE_PACKED_H
#define MCV_SIMD_ENGINE_PACKED_H

#include "core/arena.h"
#include "core/threads.h"
#include "formats/safetensors.h"
#include "ref/nn.h"
#include "simd/kernels/kernels.h"

/* What a layer's weights are packed for: gemm_f32, gemm_bf16, ... */
typedef enum mcv_layout {
    MCV_LAYOUT_F32,
    MCV_LAYOUT_BF16,
    MCV_LAYOUT_INT8,
    MCV_LAYOUT_INT4,
    MCV_LAYOUT_BLOCKS,
    MCV_LAYOUT_F16,
    MCV_LAYOUT_NF4,
    MCV_LAYOUTS
} mcv_layout;

/* The arrays that weights are packed into, by their names in kernels.h. */
typedef enum mcv_part_name {
    MCV_PART_W,
    MCV_PART_W_SCALE,
    MCV_PART_W_SUM,
    MCV_PART_W_ZERO,
    MCV_PART_W_GROUP_SCALE,
    MCV_PART_W_MIN,
    MCV_PART_W_GROUP_MIN,
    MCV_PARTS
} mcv_part_name;

/* One of them, panel by panel. */
typedef struct mcv_packed_part {
    size_t panel_bytes; /* 0: the layer has no such part */
    unsigned char *data;
} mcv_packed_part;

/* A linear layer. */
typedef struct mcv_packed {
    const char *name; /* the module's, for taps */
    mcv_layout layout;
    size_t n, k;             /* out_features, in_features */
    size_t group, sum_group; /* of the activations that it reads, as quantize_rows has them; 0: floats */
    /* Of MCV_LAYOUT_BLOCKS, as in mcv_gemm_blocks_args, where block is what group is above. */
    size_t block_group;
    int bits, zero;
    const int8_t *levels;   /* NULL: none */
    int16_t nf4_levels[16]; /* of MCV_LAYOUT_NF4 */
    mcv_packed_part parts[MCV_PARTS];
    const float *bias; /* NULL: none */
} mcv_packed;

/* Where packed weights come from and go to. */
typedef struct mcv_packer {
    mcv_pool *pool;
    mcv_arena *arena;            /* what is packed */
    size_t group;                /* weights that share a scale in INT4: 32, 64 or 128 */
    const mcv_safetensors *kept; /* what an earlier run has packed; NULL: nothing */
    unsigned char *kept_data;    /* [kept_bytes], where its data is copied to; NULL: nothing was taken yet */
    size_t kept_bytes;
    mcv_safetensors_writer *writer; /* keeps what is packed; NULL: nobody does */
    int widened;                    /* layers so far that were to run as stored, but no kernel knows their type */
    int bf16;                       /* layers so far whose weights are BF16 */
} mcv_packer;

/* Packs a layer's weights, rows spread over the threads; BF16 and F16 ones stay what they are where F32 is asked for,
 * which are the same numbers. Or takes them from what is kept: MCV_DIFFERS where that was made from other weights or in
 * another way. name and bias stay the layer's. key: what the layer is kept as, its module's path. MCV_UNSUPPORTED: more
 * in_features than INT8 sums hold (of INT4 and of blocks, too, for whose kernels it is a limit).
 */
mcv_status mcv_pack_linear(mcv_packer *packer, const char *key, const Linear *linear, mcv_precision precision,
                           mcv_packed *packed);

/* Copies the data of packer->kept to where layers that were taken from it expect it, after the last of them: a file
 * that does not fit is refused unread. One piece of our own memory comes in large pages, from which weights are read
 * faster. What the file's pages take is given back at once. */
void mcv_kept_copy(const mcv_packer *packer);

/* Bytes of a layer's packed weights. */
size_t mcv_packed_bytes(const mcv_packed *packed);

/* Panels of MCV_LANES rows, the last one filled up with zeros. */
static inline size_t mcv_panels(size_t n) {
    return (n + MCV_LANES - 1) / MCV_LANES;
}

static inline size_t mcv_round_up(size_t value, size_t step) {
    return (value + step - 1) / step * step;
}

#endif
