/* What the benchmark of kernels times: a kernel with its arguments, cut into parts for threads. */
#ifndef MCV_CLI_KERNEL_WORK_H
#define MCV_CLI_KERNEL_WORK_H

#include "core/arena.h"
#include "simd/kernels/kernel_table.h"

typedef enum mcv_limit { MCV_LIMIT_F32, MCV_LIMIT_INT8, MCV_LIMIT_BF16, MCV_LIMIT_READ, MCV_LIMITS } mcv_limit;

/* A shape of a kernel. What m, n, k mean: products [m][k] by [n][k]; rows [m][k]; attention m queries, n keys, k
 * head_dim, `layers` heads; elements m k. resize_width: m rows from k pixels to n; resize_height: m rows of n pixels
 * from k rows; unfold: m rows of n patches of k x k pixels; embed_rows: m rows of k columns from a table of n. Products
 * with few rows take `layers` matrices in turn, so that they come from memory. */
typedef struct mcv_kernel_case {
    mcv_kernel kernel;
    mcv_limit limit;
    size_t m, n, k, layers, group;
    size_t block; /* of gemm_blocks, as the others */
    int bits;
    bool minima, levels; /* of gemm_blocks */
} mcv_kernel_case;

typedef struct mcv_kernel_work mcv_kernel_work;
struct mcv_kernel_work {
    const mcv_kernels *kernels;
    mcv_kernel_case shape;
    size_t parts;             /* what threads may split: panels, rows, heads */
    double operations, bytes; /* of all parts; bytes as the limit counts them */
    union {
        mcv_gemm_args gemm;
        mcv_gemm_int8_args int8;
        mcv_gemm_int4_args int4;
        mcv_gemm_blocks_args blocks;
        mcv_gemm_nf4_args nf4;
        mcv_quantize_rows_args quantize;
        mcv_attention_args attention;
        mcv_norm_args norm;
        mcv_softmax_args softmax;
        mcv_rope_args rope;
        mcv_activate_args activate;
        mcv_multiply_args multiply;
        mcv_resize_args resize;
        mcv_unfold_args unfold;
        mcv_embed_args embed;
    } arguments; /* of all parts, with the first layer's weights */
    /* Runs the parts [begin, end) with scratch memory of the calling thread. */
    void (*run)(const mcv_kernel_work *work, size_t begin, size_t end, void *scratch);
};

/* Arguments with random numbers. */
mcv_status mcv_kernel_work_make(mcv_kernel_work *work, const mcv_kernel_case *shape, const mcv_kernels *kernels,
                                mcv_arena *arena);

#endif
