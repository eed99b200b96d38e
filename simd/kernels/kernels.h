/* The kernels of the fast engine: what each computes, to the last bit.
 *
 * This is the only place where a kernel's contract is written in words; contract/NAME_contract.c is the same in plain
 * C. A variant in BITS class gives the contract's bits for every input (a NaN for a NaN: payloads differ by CPU),
 * whatever the width of its registers. That is possible because every order of operations is fixed by the indices
 * alone:
 *
 * - Products of matrices: one chain of fused multiply-adds an output, over ascending k; a lane holds an output, so that
 *   no sum is ever split over lanes. Chains are MCV_K_BLOCK long; their results are added up in ascending order.
 * - Sums over a row: MCV_LANES partial sums, element i goes to sum i % MCV_LANES, then the tree of mcv_tree_sum.
 * - Integer dot products are exact; scales are applied in a fixed order.
 * - exp, tanh and erf are the polynomials of kernel_math.h, with fused multiply-adds where it writes fmaf.
 *
 * All floats are rounded to nearest, denormals are kept. Sizes may be 0 where nothing else is said. Outputs do not
 * overlap inputs unless they are the same address. Pointers need the alignment of their type, no more; packed weights
 * and scratch are aligned to 64 bytes. A kernel reads and writes only what its arguments name. */
#ifndef MCV_SIMD_KERNELS_KERNELS_H
#define MCV_SIMD_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MCV_LANES = 16,                 /* outputs a panel of packed weights, partial sums of a reduction */
    MCV_K_BLOCK = 256,              /* the length of a chain of multiply-adds */
    MCV_K_PADDING = 64,             /* rows of int8 are padded with zeros to a multiple of it */
    MCV_KEY_BLOCK = 64,             /* keys that attention takes in at a time */
    MCV_MAX_HEAD_DIM = 256,         /* of attention */
    MCV_MOST_LEVEL = 127 * 257,     /* of gemm_nf4: 256 times a signed byte and another one */
    MCV_RESIZE_BITS = 22,           /* behind the point of the weights of a resize */
    MCV_SCRATCH_BYTES = 512 * 1024, /* what a kernel may use of the memory that its caller gives it */
};

/* How many groups k elements are; the last may be short. `group` may be 0 where k is. */
static inline size_t mcv_groups(size_t k, size_t group) {
    return group ? (k + group - 1) / group : 0;
}

/* ---- Matrix products ---------------------------------------------------------------------------------------- */

/* y[m][n] = x[m] . w[n] (+ bias[n]) (+ y[m][n] before).
 *
 * Packed weights are panels of MCV_LANES rows of W, [ceil(n / 16)], missing rows are zeros:
 *     gemm_f32:                  float    [k][16]
 *     gemm_bf16, gemm_bf16_fast: uint16_t [ceil(k / 2)][16][2], a pair of neighbouring k lies side by side; an odd k
 *                                ends in a zero
 *     gemm_f16:                  uint16_t [k][16], F16 bits
 * so that a slice of W's rows that starts at a multiple of 16 is a slice of the memory.
 *
 * Contract of an output (gemm_f32, gemm_bf16, gemm_f16): total = 0; for each block of MCV_K_BLOCK k: chain = 0, chain =
 * fmaf(x[k], w[k], chain) for k ascending, total = total + chain. Then total + bias where there is one, then y + total
 * where `accumulate` is set. BF16 and F16 weights are widened first, which is exact. An output does not depend on m: a
 * matrix-vector product is a row of the matrix-matrix product. k = 0 gives bias or 0. Error: |total - exact| <=
 * gamma(MCV_K_BLOCK + ceil(k / MCV_K_BLOCK)) * sum |x w|, gamma(i) = i u / (1 - i u), u = 2^-24 (Higham, Accuracy and
 * Stability of Numerical Algorithms, 2nd ed., section 3.1).
 *
 * gemm_bf16_fast is what instruction sets have pairs of BF16 for. It is of class BOUND, and taken only where asked for:
 * each x is rounded to BF16 first (r, to nearest, ties to even), products are added up in any order, each addition
 * rounded by less than a unit in the last place (2 u), and what is smaller than 2^-126, input or result, may count as
 * 0: |y - exact of r| <= gamma(k + 5) * (sum |r w| + |bias| + |y before|) + 2^-126 * (sum |r| + sum |w| + 2 k + 4)
 * where sum |r w| + |bias| + |y before| is below FLT_MAX / 2; elsewhere y may be anything. The contract is gemm_bf16's
 * of r. That x was rounded costs 2^-8 sum |x w| at most. An output does not depend on n, but may on m. */
typedef struct mcv_gemm_args {
    size_t m, n, k;
    const float *x; /* [m], rows ldx apart */
    size_t ldx;
    const void *w;     /* packed */
    const float *bias; /* [n]; NULL: none */
    float *y;          /* [m], rows ldy apart */
    size_t ldy;
    bool accumulate;
    void *scratch; /* MCV_SCRATCH_BYTES */
} mcv_gemm_args;

/* Rows of int8 with scales, by groups of `group` k, and sums, by groups of `sum_group` (the last may be short).
 * `group` is a multiple of `sum_group`; both are positive, or 0 where k is.
 * Contract, per row and group: largest = max |x|. Where it is finite and not 0: scale = largest / 127, q = x * (127 /
 * largest) rounded to nearest, ties to even, and to +-127 if beyond. Where it is 0: scale 0, q 0. Where an x is NaN or
 * infinite, or 127 / largest is (largest is below 127 / FLT_MAX): scale NaN in the former case, 0 in the latter, q 0.
 * sum = the sum of q. */
typedef struct mcv_quantize_rows_args {
    size_t m, k, group, sum_group;
    const float *x; /* [m], rows ldx apart */
    size_t ldx;
    int8_t *q; /* [m], rows ldq apart; written up to ldq, with zeros behind k */
    size_t ldq;
    float *scale; /* [m][ceil(k / group)] */
    int32_t *sum; /* [m][ceil(k / sum_group)] */
} mcv_quantize_rows_args;

/* y[m][n] = scale[m] * w_scale[n] * (q[m] . w[n]) ...
 *
 * Packed weights: int8_t [ceil(n / 16)][padded k / 4][16][4], four neighbouring k side by side, k padded with zeros to
 * a multiple of MCV_K_PADDING; values in [-127, 127]. k <= 131072 keeps sums in int32. Contract of an output: total =
 * (float)dot * (scale[m] * w_scale[n]); then bias and accumulate as in mcv_gemm_args. */
typedef struct mcv_gemm_int8_args {
    size_t m, n, k;
    const int8_t *q; /* [m], rows ldq apart; quantize_rows with group = sum_group = k, padded to MCV_K_PADDING */
    size_t ldq;
    const float *scale; /* [m] */
    const int32_t *sum; /* [m] */
    const int8_t *w;
    const float *w_scale; /* [ceil(n / 16) * 16] */
    const int32_t *w_sum; /* [ceil(n / 16) * 16]: the sum of each row of W */
    const float *bias;
    float *y;
    size_t ldy;
    bool accumulate;
    void *scratch;
} mcv_gemm_int8_args;

/* The same with weights of 4 bits and a scale for each group of k.
 *
 * Packed weights: uint8_t [ceil(n / 16)][groups][group / 8][16][4]; group is 32, 64 or 128. Of the eight k of a byte
 * quadruple, byte j has k + j in its low nibble and k + 4 + j in its high one. A weight is nibble - zero.
 *     w_scale: F16 bits [ceil(n / 16)][groups][16]
 *     w_zero:  uint8_t  [ceil(n / 16)][groups][16], 0 to 16; NULL: all are 8
 * q, scale and sum are quantize_rows' with the same group and sum_group, q padded to whole groups.
 * Contract of an output: total = 0; for each group ascending: dot = sum of nibble * q - zero * sum, exact in int32;
 * total = fmaf((float)dot, w_scale * scale, total). Then bias and accumulate as in mcv_gemm_args. */
typedef struct mcv_gemm_int4_args {
    size_t m, n, k, group;
    const int8_t *q;
    size_t ldq;
    const float *scale; /* [m][groups] */
    const int32_t *sum; /* [m][groups] */
    const uint8_t *w;
    const uint16_t *w_scale;
    const uint8_t *w_zero;
    const float *bias;
    float *y;
    size_t ldy;
    bool accumulate;
    void *scratch;
} mcv_gemm_int4_args;

/* The same with weights in blocks of two levels, which is what the types of GGUF come to: a weight of block b and group
 * g is d[b] * sc[g] * (code - zero) - dmin[b] * mn[g]; where there are levels (of codes of 4 bits alone), levels[code]
 * stands in place of code - zero.
 *
 * group is 16 or 32; block is 256, or block is group and there are no sc and mn (both are 1). k is a multiple of block.
 * Packed codes have the same order of outputs and k as above, uint8_t [ceil(n / 16)][k / 16], then for each 16 k:
 *     bits 4: [2][16][4]: of the first eight k and of the last, byte j has k + j in its low nibble, k + 4 + j in its
 *             high one
 *     bits 6: [3][16][4]: the lower four bits of the codes as above; then byte j has the upper two bits of k + j,
 *             k + 4 + j, k + 8 + j, k + 12 + j, from its lowest bits upwards
 *     bits 8: [4][16][4]: byte j has k + j, of each four k
 * Codes are unsigned; zero is in [0, 128]. Missing outputs hold anything that can be read. q and scale are
 * quantize_rows' with group = block, q at least k long; sum has sum_group = 16 where block is 256, which serves groups
 * of 16 and 32, else sum_group = block.
 *
 * Contract of an output: total = 0; for each block ascending: dot = the sum of sc * (code - zero) * q, low = minus the
 * sum of mn * q, both over the block and exact in int32; inner = (float)dot * d, or fmaf((float)dot, d, (float)low *
 * dmin) where there are minima; total = fmaf(inner, scale, total). Then bias and accumulate as in mcv_gemm_args.
 * Error: gamma(blocks + 2) * sum over blocks of scale * (|dot d| + |low dmin|). */
typedef struct mcv_gemm_blocks_args {
    size_t m, n, k, block, group;
    int bits, zero;
    const int8_t *levels; /* [16]; NULL: codes are numbers */
    const int8_t *q;
    size_t ldq;
    const float *scale; /* [m][k / block] */
    const int32_t *sum; /* [m][k / sum_group] */
    const uint8_t *w;
    const uint16_t *w_scale;     /* d: F16 bits [ceil(n / 16)][k / block][16] */
    const int8_t *w_group_scale; /* sc: [ceil(n / 16)][k / group][16]; NULL where block is group */
    const uint16_t *w_min;       /* dmin: F16 bits [ceil(n / 16)][k / block][16]; NULL: no minima */
    const uint8_t *w_group_min;  /* mn: [ceil(n / 16)][k / group][16]; NULL where block is group or there is no w_min */
    const float *bias;
    float *y;
    size_t ldy;
    bool accumulate;
    void *scratch;
} mcv_gemm_blocks_args;

/* The same with weights of 4 bits that say which of 16 levels they are, which is what NF4 of bitsandbytes comes to: a
 * weight of group g is levels[code] * w_scale[g].
 *
 * group is a multiple of 16, 512 at most, k a multiple of group. Codes are packed as in gemm_int4; levels are in
 * [-MCV_MOST_LEVEL, MCV_MOST_LEVEL]. q and scale are quantize_rows' with the same group.
 * Contract of an output: total = 0; for each group ascending: dot = sum of levels[code] * q, exact in int32; total =
 * fmaf((float)dot, w_scale * scale, total). Then bias and accumulate as in mcv_gemm_args. */
typedef struct mcv_gemm_nf4_args {
    size_t m, n, k, group;
    const int16_t *levels; /* [16] */
    const int8_t *q;
    size_t ldq;
    const float *scale; /* [m][k / group] */
    const uint8_t *w;
    const float *w_scale; /* [ceil(n / 16)][k / group][16] */
    const float *bias;
    float *y;
    size_t ldy;
    bool accumulate;
    void *scratch;
} mcv_gemm_nf4_args;

/* ---- Attention ---------------------------------------------------------------------------------------------- */

/* What keys and values are kept as. */
typedef enum mcv_kv_type { MCV_KV_F32, MCV_KV_BF16, MCV_KV_INT8, MCV_KV_TYPES } mcv_kv_type;

/* A block of MCV_KEY_BLOCK keys and values of one head, elements by mcv_kv_type (float, BF16 bits, int8_t):
 *     k: [4][head_dim][16], the keys 16 i to 16 i + 15 are a panel; k_scale [64] (int8 only)
 *     v: [64][head_dim];                                             v_scale [64] (int8 only)
 * Places behind the last key hold anything. */
typedef struct mcv_kv_block {
    const void *k, *v;
    const float *k_scale, *v_scale;
} mcv_kv_block;

/* y[i] = softmax(scale * q[i] . k) v over the keys before visible[i], one head.
 *
 * Contract, per query; m = -inf, l = 0, o = 0 at first; then for each block that has a visible key:
 *     s[j] = (chain of fmaf(q[d], k[j][d], chain), d ascending from 0) * scale, or * (k_scale[j] * scale) for int8
 *     m' = max(m, the visible s), a = mcv_expf(m - m'), p[j] = mcv_expf(s[j] - m')
 *     l = fmaf(l, a, t), t: 16 partial sums of p (j % 16), each added up from 0 in ascending order, then mcv_tree_sum
 *     o[d] = o[d] * a; then o[d] = fmaf(p[j], v[j][d], o[d]) for the visible j ascending, with p[j] * v_scale[j] for
 * int8 In the end y[d] = o[d] / l; 0 where nothing is visible. Blocks are counted from the first key, so a result does
 * not depend on how many queries are asked at a time. */
typedef struct mcv_attention_args {
    size_t queries, head_dim; /* head_dim <= MCV_MAX_HEAD_DIM */
    const float *q;           /* [queries], rows ldq apart */
    size_t ldq;
    float scale;
    mcv_kv_type type;
    const mcv_kv_block *blocks; /* [ceil(max visible / MCV_KEY_BLOCK)] */
    const uint32_t *visible;    /* [queries] */
    float *y;                   /* [queries], rows ldy apart */
    size_t ldy;
    void *scratch; /* MCV_SCRATCH_BYTES */
} mcv_attention_args;

/* ---- Rows --------------------------------------------------------------------------------------------------- */

/* rms_norm:   mean = sum(x x) / columns; y = (x * (1 / sqrtf(mean + eps))) * weight
 * layer_norm: mean = sum(x) / columns, c = x - mean; variance = sum(c c) / columns;
 *             y = fmaf(c * (1 / sqrtf(variance + eps)), weight, bias)
 * Sums: 16 partial sums, fmaf(x, x, partial) or partial + x, then mcv_tree_sum. columns > 0. y may be x. */
typedef struct mcv_norm_args {
    size_t rows, columns;
    const float *x; /* [rows], rows ldx apart */
    size_t ldx;
    const float *weight; /* [columns] */
    const float *bias;   /* [columns]; of layer_norm only */
    float eps;
    float *y; /* [rows], rows ldy apart */
    size_t ldy;
} mcv_norm_args;

/* y = mcv_expf(x - max) / sum, the sum as in mcv_norm_args. columns > 0. y may be x. */
typedef struct mcv_softmax_args {
    size_t rows, columns;
    const float *x;
    size_t ldx;
    float *y;
    size_t ldy;
} mcv_softmax_args;

/* Rotates the pairs (a, b) = (x[d], x[d + head_dim / 2]) of each head, in place:
 * x[d] = fmaf(a, cos[d], -(b * sin[d])), x[d + head_dim / 2] = fmaf(b, cos[d], a * sin[d]). */
typedef struct mcv_rope_args {
    size_t rows, heads, head_dim;
    float *x; /* [rows][heads][head_dim], rows ldx apart */
    size_t ldx;
    const float *cos, *sin; /* [rows][head_dim / 2] */
} mcv_rope_args;

/* ---- Elements ----------------------------------------------------------------------------------------------- */

typedef enum mcv_activation {
    MCV_SILU,      /* mcv_siluf */
    MCV_GELU,      /* mcv_geluf, with erf */
    MCV_GELU_TANH, /* mcv_gelu_tanhf */
    MCV_RELU,      /* x <= 0 ? 0 : x */
    MCV_ACTIVATIONS
} mcv_activation;

/* y = activation(x). y may be x. */
typedef struct mcv_activate_args {
    mcv_activation activation;
    size_t count;
    const float *x;
    float *y;
} mcv_activate_args;

/* silu_multiply: y = mcv_siluf(a) * b. add: y = a + b. y may be a or b. */
typedef struct mcv_multiply_args {
    size_t count;
    const float *a, *b;
    float *y;
} mcv_multiply_args;

/* ---- Pictures and tables ------------------------------------------------------------------------------------ */

/* A pass of Pillow's resize (Resample.c): an output is a sum of neighbouring samples times weights in fixed point,
 *     clip(half + sum over j < count[i] of weights[i * stride + j] * sample number first[i] + j),
 *     half = 2^(MCV_RESIZE_BITS - 1), clip(s) = 0 for s < 0, else the smaller one of s / 2^MCV_RESIZE_BITS (rounded
 *     down) and 255.
 * resize_width: i is a pixel of y, [rows][columns][3], the samples are those of its row of x, channel by channel.
 * resize_height: i is a row of y, [rows][columns][3], the samples are those of the same place in other rows of x.
 * Sums are exact: the absolute weights of an output add up to less than 2^(MCV_RESIZE_BITS + 1). first and first +
 * count do not become smaller from one i to the next. */
typedef struct mcv_resize_args {
    size_t rows, columns; /* of y */
    const uint8_t *x;     /* rows ldx bytes apart */
    size_t ldx;
    const int32_t *first, *count; /* [columns] of resize_width, [rows] of resize_height; not negative */
    const int32_t *weights;       /* rows `stride` apart */
    size_t stride;
    uint8_t *y; /* rows ldy bytes apart */
    size_t ldy;
} mcv_resize_args;

/* A picture's patches as rows of floats: of patch (r, i), row r * grid_w + i of y,
 *     y[(c * patch + v) * patch + h] = (x / 255 - mean[c]) / std[c],
 *     x = sample (c, r * patch + v, i * patch + h) of the picture [3][grid_h * patch][grid_w * patch],
 * each of the three operations rounded to FP32. */
typedef struct mcv_unfold_args {
    size_t grid_h, grid_w, patch;
    const uint8_t *x;
    size_t channel_step, row_step, column_step; /* bytes from a sample to the next one; RGB: 1, a row's, 3 */
    float mean[3], std[3];
    float *y; /* [grid_h * grid_w], rows ldy apart */
    size_t ldy;
} mcv_unfold_args;

/* What a table is kept as. */
typedef enum mcv_table_type { MCV_TABLE_F32, MCV_TABLE_BF16, MCV_TABLE_F16, MCV_TABLE_TYPES } mcv_table_type;

/* y[i] = row ids[i] of a table, elements by mcv_table_type (float, BF16 bits, F16 bits), widened. */
typedef struct mcv_embed_args {
    size_t rows, columns;
    const int32_t *ids; /* [rows] */
    const void *table;  /* [more than any id][columns] */
    mcv_table_type type;
    float *y; /* [rows], rows ldy apart */
    size_t ldy;
} mcv_embed_args;

/* ---- The table ---------------------------------------------------------------------------------------------- */

typedef enum mcv_kernel_class { MCV_CLASS_BITS, MCV_CLASS_BOUND } mcv_kernel_class;

/* One function a kernel: those of a target, or of what stands in for it. */
typedef struct mcv_kernels {
    const char *target;
#define KERNEL(name, class, arguments) void (*name)(const arguments *);
#include "simd/kernels/kernels.def"
} mcv_kernels;

#define KERNEL(name, class, arguments)                                                                                 \
    typedef arguments mcv_##name##_arguments;                                                                          \
    void mcv_##name##_contract(const arguments *a);
#include "simd/kernels/kernels.def"

#define VARIANT(name, target) void mcv_##name##_##target(const mcv_##name##_arguments *a);
#include "simd/kernels/kernels.def"

#endif
