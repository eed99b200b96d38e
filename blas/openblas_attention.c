#include "blas/openblas_attention.h"

#include <stdatomic.h>
#include <string.h>

#include "blas/openblas_library.h"
#include "core/tensor.h"

/* In scratch lie the keys of some blocks, [head_dim][KEYS], the values of one, and the scores of as many queries as
 * there is room for. With fewer than LEAST_QUERIES, keys would be widened for next to nothing. */
enum {
    KEYS = 128,
    LEAST_QUERIES = 16,
    KEY_FLOATS = MCV_MAX_HEAD_DIM * KEYS,
    VALUE_FLOATS = MCV_MAX_HEAD_DIM * MCV_KEY_BLOCK,
    SCORE_FLOATS = MCV_SCRATCH_BYTES / sizeof(float) - KEY_FLOATS - VALUE_FLOATS,
};

/* Those that were in a table before. Tables of all targets have the same bits, so that the last one will do for all. */
static _Atomic(void (*)(const mcv_softmax_args *)) table_softmax;
static _Atomic(void (*)(const mcv_attention_args *)) table_attention;

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static float widen(mcv_kv_type type, const void *data, size_t i) {
    return type == MCV_KV_F32    ? ((const float *)data)[i]
           : type == MCV_KV_BF16 ? mcv_f32_from_bf16(((const uint16_t *)data)[i])
                                 : ((const int8_t *)data)[i];
}

/* Keys [first, first + count) as columns of a matrix. */
static void widen_keys(const mcv_attention_args *a, size_t first, size_t count, float *columns) {
    for (size_t j = 0; j < count; j++) {
        const mcv_kv_block *block = &a->blocks[(first + j) / MCV_KEY_BLOCK];
        size_t at = (first + j) % MCV_KEY_BLOCK, panel = at / MCV_LANES * a->head_dim * MCV_LANES + at % MCV_LANES;
        float scale = a->type == MCV_KV_INT8 ? block->k_scale[at] : 1;
        for (size_t d = 0; d < a->head_dim; d++)
            columns[d * KEYS + j] = widen(a->type, block->k, panel + d * MCV_LANES) * scale;
    }
}

/* A block's values, [count][head_dim]. */
static const float *widen_values(const mcv_attention_args *a, const mcv_kv_block *block, size_t count, float *values) {
    if (a->type == MCV_KV_F32)
        return block->v;
    for (size_t i = 0; i < count * a->head_dim; i++)
        values[i] = widen(a->type, block->v, i) * (a->type == MCV_KV_INT8 ? block->v_scale[i / a->head_dim] : 1);
    return values;
}

/* c = alpha a b, or added to it; rows lda, ldb, ldc apart. */
static void product(size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                    bool add, float *c, size_t ldc) {
    mcv_openblas_library.sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, alpha, a,
                               (blasint)lda, b, (blasint)ldb, add, c, (blasint)ldc);
}

/* Each row over the keys that its query sees; zeros behind them. */
static void softmax_rows(size_t rows, size_t keys, const uint32_t *visible, float *scores) {
    for (size_t i = 0; i < rows; i++, scores += keys) {
        if (visible[i])
            table_softmax(&(mcv_softmax_args){1, visible[i], scores, keys, scores, keys});
        memset(scores + visible[i], 0, (keys - visible[i]) * sizeof *scores);
    }
}

/* Some queries, which see the first `keys` keys at most. */
static void attend(const mcv_attention_args *a, size_t first, size_t rows, size_t keys) {
    float *columns = a->scratch, *values = columns + KEY_FLOATS, *scores = values + VALUE_FLOATS;
    float *y = a->y + first * a->ldy;
    for (size_t key = 0, count; key < keys; key += count) {
        count = smaller(keys - key, KEYS);
        widen_keys(a, key, count, columns);
        product(rows, count, a->head_dim, a->scale, a->q + first * a->ldq, a->ldq, columns, KEYS, false, scores + key,
                keys);
    }
    softmax_rows(rows, keys, a->visible + first, scores);
    for (size_t key = 0, count; key < keys; key += count) {
        count = smaller(keys - key, MCV_KEY_BLOCK);
        const float *v = widen_values(a, &a->blocks[key / MCV_KEY_BLOCK], count, values);
        product(rows, a->head_dim, count, 1, scores + key, keys, v, a->head_dim, key > 0, y, a->ldy);
    }
}

static void attention(const mcv_attention_args *a) {
    size_t keys = 0;
    for (size_t i = 0; i < a->queries; i++)
        keys = a->visible[i] > keys ? a->visible[i] : keys;
    if (a->queries < LEAST_QUERIES || keys == 0 || SCORE_FLOATS / keys < LEAST_QUERIES) {
        table_attention(a);
        return;
    }
    for (size_t first = 0, rows; first < a->queries; first += rows) {
        rows = smaller(a->queries - first, SCORE_FLOATS / keys);
        attend(a, first, rows, keys);
    }
}

void mcv_blas_select_attention(mcv_kernels *kernels) {
    if (kernels->attention == attention)
        return;
    table_softmax = kernels->softmax;
    table_attention = kernels->attention;
    kernels->attention = attention;
}
