/* Kernels over the threads of a pool. Threads split rows, columns or heads, never a sum, so that nothing depends on how
 * many there are. */
#ifndef MCV_SIMD_ENGINE_OPS_H
#define MCV_SIMD_ENGINE_OPS_H

#include "simd/engine/packed.h"

typedef struct mcv_ops {
    mcv_pool *pool;
    mcv_kernels kernels;
    unsigned char *scratch; /* [threads][MCV_SCRATCH_BYTES] */
} mcv_ops;

/* The int8 form of some rows, as quantize_rows has it. */
typedef struct mcv_int8_rows {
    size_t group, sum_group;
    int8_t *q;
    size_t ldq;
    float *scale;
    int32_t *sum;
} mcv_int8_rows;

enum { MCV_MOST_LINEARS = 3 /* of one input that are run together */ };

/* Activations that go into linear layers, [rows, columns]. Their int8 forms are made when a layer first wants them. */
typedef struct mcv_rows {
    size_t rows, columns;
    const float *x;
    int num_forms;
    mcv_int8_rows forms[MCV_MOST_LINEARS];
} mcv_rows;

static inline mcv_rows mcv_rows_of(const float *x, size_t rows, size_t columns) {
    return (mcv_rows){.rows = rows, .columns = columns, .x = x};
}

/* y = x W^T + b, or y += that. x->columns is w->k; y: [rows, n]. An int8 form of x is allocated in `arena`. */
mcv_status mcv_linear(const mcv_ops *ops, mcv_arena *arena, mcv_rows *x, const mcv_packed *w, float *y,
                      bool accumulate);

/* Several layers of the same input, y[i] = x w[i]^T + b, without waiting for each other. */
mcv_status mcv_linears(const mcv_ops *ops, mcv_arena *arena, mcv_rows *x, const mcv_packed *const *w, float *const *y,
                       int count);

/* y = a table's rows, [rows, columns]. MCV_BAD_INPUT: an id that the table does not have. */
mcv_status mcv_embed(const mcv_ops *ops, const Embedding *embedding, const int32_t *ids, size_t rows, float *y);

/* [rows, columns] each; y may be x. */
void mcv_layer_norm(const mcv_ops *ops, const LayerNorm *norm, const float *x, size_t rows, size_t columns, float *y);
void mcv_rms_norm(const mcv_ops *ops, const float *weight, double eps, const float *x, size_t rows, size_t columns,
                  float *y);

/* y = activation(x); y = silu(a) * b; y = a + b, `count` elements. */
void mcv_activate(const mcv_ops *ops, Activation activation, const float *x, size_t count, float *y);
void mcv_silu_multiply(const mcv_ops *ops, const float *a, const float *b, size_t count, float *y);
void mcv_add(const mcv_ops *ops, const float *a, const float *b, size_t count, float *y);
void mcv_multiply(const mcv_ops *ops, const float *a, const float *b, size_t count, float *y);

/* Rotates [rows, heads, head_dim] in place; cos, sin: [rows, head_dim / 2]. */
void mcv_rope(const mcv_ops *ops, float *x, size_t rows, size_t heads, size_t head_dim, const float *cosines,
              const float *sines);

/* One call of the attention kernel: queries of one head. */
typedef struct mcv_attention_task {
    const float *q;
    float *y;
    size_t queries, ldq; /* y's rows are as far apart as q's */
    const mcv_kv_block *blocks;
    const uint32_t *visible; /* [queries] */
} mcv_attention_task;

/* Keys and values of one sequence in the attention kernel's layout, head by head. */
typedef struct mcv_key_values {
    size_t num_blocks;
    const mcv_kv_block *blocks; /* [heads][num_blocks] */
} mcv_key_values;

/* k, v: rows of [heads * head_dim], of which rows[0..count) are taken in this order; rows NULL: the first `count`. */
mcv_status mcv_pack_key_values(const mcv_ops *ops, mcv_arena *arena, const float *k, const float *v,
                               const uint32_t *rows, size_t count, size_t heads, size_t head_dim,
                               mcv_key_values *packed);

void mcv_attention(const mcv_ops *ops, const mcv_attention_task *tasks, size_t count, size_t head_dim, float scale,
                   mcv_kv_type type);

#endif
