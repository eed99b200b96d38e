#include "core/tensor.h"
#include "simd/kernels/kernel_math.h"

static float element(mcv_kv_type type, const void *data, size_t i) {
    switch (type) {
    case MCV_KV_F32:
        return ((const float *)data)[i];
    case MCV_KV_BF16:
        return mcv_f32_from_bf16(((const uint16_t *)data)[i]);
    default:
        return ((const int8_t *)data)[i];
    }
}

/* A query while it goes through the blocks. */
typedef struct Query {
    float largest, sum;
    float o[MCV_MAX_HEAD_DIM];
} Query;

static void score(const mcv_attention_args *a, const mcv_kv_block *block, const float *q, size_t visible, float *s) {
    for (size_t j = 0; j < visible; j++) {
        size_t key = j / MCV_LANES * a->head_dim * MCV_LANES + j % MCV_LANES;
        float chain = 0;
        for (size_t d = 0; d < a->head_dim; d++)
            chain = fmaf(q[d], element(a->type, block->k, key + d * MCV_LANES), chain);
        s[j] = chain * (a->type == MCV_KV_INT8 ? block->k_scale[j] * a->scale : a->scale);
    }
}

static void take_in(const mcv_attention_args *a, const mcv_kv_block *block, const float *q, size_t visible,
                    Query *query) {
    float s[MCV_KEY_BLOCK], partial[MCV_LANES] = {0}, largest = query->largest;
    score(a, block, q, visible, s);
    for (size_t j = 0; j < visible; j++)
        largest = s[j] > largest || s[j] != s[j] ? s[j] : largest;
    float rescale = mcv_expf(query->largest - largest);
    for (size_t d = 0; d < a->head_dim; d++)
        query->o[d] = query->o[d] * rescale;
    for (size_t j = 0; j < visible; j++) {
        float p = mcv_expf(s[j] - largest);
        partial[j % MCV_LANES] = partial[j % MCV_LANES] + p;
        if (a->type == MCV_KV_INT8)
            p = p * block->v_scale[j];
        for (size_t d = 0; d < a->head_dim; d++)
            query->o[d] = fmaf(p, element(a->type, block->v, j * a->head_dim + d), query->o[d]);
    }
    query->sum = fmaf(query->sum, rescale, mcv_tree_sum(partial));
    query->largest = largest;
}

void mcv_attention_contract(const mcv_attention_args *a) {
    for (size_t i = 0; i < a->queries; i++) {
        Query query = {.largest = -INFINITY};
        for (size_t first = 0; first < a->visible[i]; first += MCV_KEY_BLOCK) {
            size_t visible = a->visible[i] - first < MCV_KEY_BLOCK ? a->visible[i] - first : MCV_KEY_BLOCK;
            take_in(a, &a->blocks[first / MCV_KEY_BLOCK], a->q + i * a->ldq, visible, &query);
        }
        for (size_t d = 0; d < a->head_dim; d++)
            a->y[i * a->ldy + d] = a->visible[i] ? query.o[d] / query.sum : 0;
    }
}
