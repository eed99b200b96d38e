/* The bound on attention's error that docs/numerics.md derives. */
#include <math.h>

#include "core/tensor.h"
#include "tests/kernels/kernel_trial.h"

static const double U = 0x1p-24;

static double gamma_of(double n) {
    return n * U / (1 - n * U);
}

/* What exp adds: its own error (tests/test_kernel_bounds.c), and that of an argument rounded once. */
static double exp_error(double argument) {
    return 2 * U * 0.85 + U * fabs(argument);
}

static double kv_element(mcv_kv_type type, const void *data, size_t i) {
    return type == MCV_KV_F32    ? ((const float *)data)[i]
           : type == MCV_KV_BF16 ? mcv_f32_from_bf16(((const uint16_t *)data)[i])
                                 : ((const int8_t *)data)[i];
}

/* The score of a key, and what it may be off by: a chain of head_dim roundings, two more for the scale. */
static double key_score(const mcv_attention_args *a, size_t query, size_t key, double *off) {
    const mcv_kv_block *block = &a->blocks[key / MCV_KEY_BLOCK];
    size_t j = key % MCV_KEY_BLOCK, at = j / MCV_LANES * a->head_dim * MCV_LANES + j % MCV_LANES;
    double dot = 0, size = 0, scale = a->type == MCV_KV_INT8 ? (double)block->k_scale[j] * a->scale : a->scale;
    for (size_t d = 0; d < a->head_dim; d++) {
        double product = a->q[query * a->ldq + d] * kv_element(a->type, block->k, at + d * MCV_LANES);
        dot += product;
        size += fabs(product);
    }
    *off = gamma_of((double)a->head_dim + 2) * size * fabs(scale);
    return dot * scale;
}

/* An exponential goes through at most so many products with exp(m - m'), whose errors add up, and o's terms through the
 * chain of all keys. */
void attention_bound(const mcv_attention_args *a, size_t query, double additions, double *exact, double *bound) {
    size_t keys = a->visible[query];
    double score[512], off[512], weight[512], largest = -INFINITY, least = INFINITY, sum = 0, of_sum = 0;
    double blocks = ceil((double)keys / MCV_KEY_BLOCK);
    for (size_t j = 0; j < keys; j++) {
        score[j] = key_score(a, query, j, &off[j]);
        largest = fmax(largest, score[j] + off[j]);
        least = fmin(least, score[j] - off[j]);
    }
    for (size_t j = 0; j < keys; j++) {
        weight[j] = exp(score[j] - largest);
        off[j] += U * (largest - least) * 2 + (blocks + 1) * exp_error(0) + gamma_of(blocks + 1);
        sum += weight[j];
        of_sum += weight[j] * off[j];
    }
    of_sum = of_sum / sum + gamma_of(additions);
    for (size_t d = 0; d < a->head_dim; d++) {
        exact[d] = 0;
        bound[d] = 1e-30;
        for (size_t j = 0; j < keys; j++) {
            const mcv_kv_block *block = &a->blocks[j / MCV_KEY_BLOCK];
            double scale = a->type == MCV_KV_INT8 ? block->v_scale[j % MCV_KEY_BLOCK] : 1;
            double v = kv_element(a->type, block->v, j % MCV_KEY_BLOCK * a->head_dim + d) * scale * weight[j] / sum;
            exact[d] += v;
            bound[d] += 1.01 * fabs(v) * (off[j] + of_sum + gamma_of((double)keys + blocks + 2));
        }
    }
}
