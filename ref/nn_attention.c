#include <math.h>
#include <string.h>

#include "ref/nn.h"
#include "ref/nn_matmul.h"

/* Queries are taken this many at a time. */
enum { QUERY_ROWS = 16 };

typedef struct AttentionWork {
    const AttentionInput *inputs;
    double **scratch; /* [threads]: memory for the largest head */
} AttentionWork;

static size_t scratch_size(const AttentionInput *input) {
    size_t keys = (size_t)input->num_keys, dim = (size_t)input->head_dim;
    return 2 * keys * dim + QUERY_ROWS * (keys + 2 * dim);
}

/* k: [keys, dim] and v transposed: [dim, keys], of one key head, widened. */
static void pack_keys(const AttentionInput *input, int kv_head, double *k, double *v) {
    size_t keys = (size_t)input->num_keys, dim = (size_t)input->head_dim, offset = (size_t)kv_head * dim;
    for (size_t j = 0; j < keys; j++)
        for (size_t d = 0; d < dim; d++) {
            k[j * dim + d] = input->k_f32 ? (double)input->k_f32[j][offset + d] : input->k_f64[j][offset + d];
            v[d * keys + j] = input->v_f32 ? (double)input->v_f32[j][offset + d] : input->v_f64[j][offset + d];
        }
}

/* Scores of the keys before `visible` to probabilities, of the others to 0. */
static void softmax(double *scores, size_t keys, size_t visible, double scale) {
    double largest = -(double)INFINITY, sum = 0;
    for (size_t j = 0; j < visible; j++) {
        scores[j] *= scale;
        largest = scores[j] > largest || scores[j] != scores[j] ? scores[j] : largest;
    }
    for (size_t j = 0; j < visible; j++)
        sum += scores[j] = nn_exp(scores[j] - largest);
    for (size_t j = 0; j < visible; j++)
        scores[j] /= sum;
    memset(scores + visible, 0, (keys - visible) * sizeof *scores);
}

/* Row `row` of the weights: what softmax has made of the first `seen` scores, 0 behind. */
static void copy_weights(const AttentionInput *input, const double *scores, size_t seen, size_t row) {
    size_t keys = (size_t)input->num_keys;
    memcpy(input->weights + row * keys, scores, seen * sizeof *scores);
    memset(input->weights + row * keys + seen, 0, (keys - seen) * sizeof *scores);
}

/* One query head against packed keys and values. */
static void attend(const AttentionInput *input, int head, const double *k, const double *v, double *scratch) {
    size_t keys = (size_t)input->num_keys, dim = (size_t)input->head_dim, queries = (size_t)input->num_queries;
    size_t stride = (size_t)input->num_heads * dim, offset = (size_t)head * dim;
    double *q = scratch, *context = q + QUERY_ROWS * dim, *scores = context + QUERY_ROWS * dim;
    for (size_t first = 0; first < queries; first += QUERY_ROWS) {
        size_t rows = queries - first < QUERY_ROWS ? queries - first : QUERY_ROWS;
        size_t seen = input->visible ? 0 : keys; /* keys that any query of this block sees */
        for (size_t i = 0; i < rows; i++) {
            size_t at = (first + i) * stride + offset;
            for (size_t d = 0; d < dim; d++)
                q[i * dim + d] = input->q_f32 ? (double)input->q_f32[at + d] : input->q_f64[at + d];
            if (input->visible && (size_t)input->visible[first + i] > seen)
                seen = (size_t)input->visible[first + i];
        }
        matmul_nt(q, dim, rows, k, dim, seen, dim, scores, keys);
        for (size_t i = 0; i < rows; i++)
            softmax(scores + i * keys, seen, input->visible ? (size_t)input->visible[first + i] : keys, input->scale);
        for (size_t i = 0; input->weights && i < rows; i++)
            copy_weights(input, scores + i * keys, seen, (size_t)head * queries + first + i);
        matmul_nt(scores, keys, rows, v, keys, dim, seen, context, dim);
        for (size_t i = 0; i < rows; i++)
            memcpy(input->output + (first + i) * stride + offset, context + i * dim, dim * sizeof *context);
    }
}

static void attention_heads(void *context, size_t begin, size_t end, int worker) {
    const AttentionWork *work = context;
    size_t kv_heads = (size_t)work->inputs[0].num_kv_heads;
    for (size_t item = begin; item < end; item++) {
        const AttentionInput *input = &work->inputs[item / kv_heads];
        int kv_head = (int)(item % kv_heads), group = input->num_heads / input->num_kv_heads;
        size_t packed = (size_t)input->num_keys * (size_t)input->head_dim;
        double *k = work->scratch[worker], *v = k + packed;
        pack_keys(input, kv_head, k, v);
        for (int head = kv_head * group; head < (kv_head + 1) * group; head++)
            attend(input, head, k, v, v + packed);
    }
}

mcv_status attention_forward(const Run *run, const AttentionInput *inputs, int64_t count) {
    if (count == 0)
        return MCV_OK;
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    AttentionWork work = {.inputs = inputs};
    size_t threads = (size_t)mcv_pool_threads(run->pool), largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = scratch_size(&inputs[i]) > largest ? scratch_size(&inputs[i]) : largest;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &work.scratch, threads));
    for (size_t i = 0; i < threads; i++)
        MCV_TRY(MCV_ARENA_NEW(run->arena, &work.scratch[i], largest));
    mcv_parallel_for(run->pool, (size_t)count * (size_t)inputs[0].num_kv_heads, attention_heads, &work);
    mcv_arena_restore(run->arena, mark);
    return MCV_OK;
}
