/* The building blocks of torch.nn that the model uses, in FP32 with FP64 inside.
 *
 * A module's output is FP32, each element rounded once. What lies between modules (attention scores, products of two
 * outputs, sums that go into a norm) stays FP64. Sums run in one fixed order, whatever the number of threads, so
 * results are the same to the last bit on every machine.
 *
 * Every module knows its path in the Hugging Face model and shows its output to the run's tap under that name. */
#ifndef MCV_REF_NN_H
#define MCV_REF_NN_H

#include "core/arena.h"
#include "core/tensor.h"
#include "core/threads.h"
#include "formats/weights.h"
#include "ref/configuration_minicpm.h"

enum { NAME_SIZE = 96 };

/* ---- Activations -------------------------------------------------------------------------------------------- */

/* An activation, row-major. One of the two pointers is set. */
typedef struct Tensor {
    int rank;
    int64_t shape[4];
    float *f32;  /* a module's output */
    double *f64; /* a value inside a module, not rounded yet */
} Tensor;

/* Hears what the linear layer `name` is about to read. x: [..., in_features]. */
typedef void (*LinearInput)(void *context, const char *name, const Tensor *x);

/* What one forward pass carries along. */
typedef struct Run {
    mcv_pool *pool;
    mcv_arena *arena; /* activations; callers save and restore it around their temporaries */
    mcv_tap_fn tap;   /* NULL: nobody listens */
    void *tap_context;
    mcv_replace_fn replace;   /* NULL: outputs stay as they are */
    bool tap_in_parts;        /* the tap takes the images' outputs group by group */
    bool tap_attention;       /* the tap is shown the resampler's attention weights, too */
    const char *tap_suffix;   /* behind each name, "" or "#B" while the encoder runs batch B */
    LinearInput linear_input; /* NULL: nobody listens */
    void *linear_input_context;
} Run;

/* All dimensions but the last, multiplied; and the last. */
int64_t Tensor_rows(const Tensor *x);
int64_t Tensor_columns(const Tensor *x);

/* A new FP32 or FP64 tensor in the run's arena with x's shape but `columns` in the last dimension. Not zeroed. */
mcv_status Tensor_like_f32(const Run *run, const Tensor *x, int64_t columns, Tensor *out);
mcv_status Tensor_like_f64(const Run *run, const Tensor *x, int64_t columns, Tensor *out);

/* The same data under another shape of the same size. */
Tensor Tensor_view(const Tensor *x, int rank, int64_t d0, int64_t d1, int64_t d2, int64_t d3);

/* Shows an FP32 or FP64 output to the tap (FP64 ones rounded), then lets run->replace put other values into it. Does
 * nothing without a tap. */
mcv_status Run_output(const Run *run, const char *name, const Tensor *output);
/* The same for any dtype. */
mcv_status Run_output_raw(const Run *run, const char *name, const mcv_tensor *output);

/* Element i of an FP32 or FP64 tensor. */
static inline double Tensor_get(const Tensor *x, int64_t i) {
    return x->f32 ? (double)x->f32[i] : x->f64[i];
}

/* a + b and a * b element by element, in FP64. a and b may each be FP32 or FP64, and have the same shape. */
mcv_status Tensor_add(const Run *run, const Tensor *a, const Tensor *b, Tensor *sum);
mcv_status Tensor_multiply(const Run *run, const Tensor *a, const Tensor *b, Tensor *product);
/* Rounds an FP64 tensor into an FP32 one of the same size. */
void Tensor_round(const Tensor *from, const Tensor *to);

/* ---- Weights ------------------------------------------------------------------------------------------------ */

/* Where weights come from: the model's files, and an arena of the model's own for what cannot be used as it lies there.
 */
typedef struct Weights {
    const mcv_weights *files;
    mcv_arena *arena;
} Weights;

/* A parameter by its full name, with its shape checked. d1 = 0: a vector of d0. */
mcv_status Weights_get(const Weights *weights, const char *name, int64_t d0, int64_t d1, mcv_weight *parameter);
/* The same for any shape: that of `shape`. */
mcv_status Weights_get_shaped(const Weights *weights, const char *name, const mcv_tensor *shape, mcv_weight *parameter);
/* A small vector module.part, widened to FP32 in the model's arena. */
mcv_status Weights_get_vector(const Weights *weights, const char *module, const char *part, int64_t count,
                              const float **vector);
/* A parameter of any shape, all of it in FP32, likewise. */
mcv_status Weights_get_f32(const Weights *weights, const char *name, int64_t d0, int64_t d1, const float **values);

/* ---- Modules ------------------------------------------------------------------------------------------------ */

/* torch.nn.Linear: y = x W^T + b. */
typedef struct Linear {
    char name[NAME_SIZE]; /* "": its output is no module's, no tap */
    mcv_weight weight;    /* [out_features, in_features], as the file has it */
    const float *bias;    /* [out_features]; NULL: none */
} Linear;

mcv_status Linear_load(Linear *self, const Weights *weights, const char *name, int64_t in_features,
                       int64_t out_features, bool bias);

/* x: [..., in_features] -> *y: [..., out_features], FP32. */
mcv_status Linear_forward(const Run *run, const Linear *self, const Tensor *x, Tensor *y);
/* The same without rounding and without a tap. */
mcv_status Linear_forward_f64(const Run *run, const Linear *self, const Tensor *x, Tensor *y);

/* torch.nn.LayerNorm: y = (x - mean) / sqrt(variance + eps) * w + b over the last dimension. */
typedef struct LayerNorm {
    char name[NAME_SIZE];
    const float *weight, *bias; /* [columns] */
    double eps;
} LayerNorm;

mcv_status LayerNorm_load(LayerNorm *self, const Weights *weights, const char *name, int64_t columns, double eps);
mcv_status LayerNorm_forward(const Run *run, const LayerNorm *self, const Tensor *x, Tensor *y);

/* torch.nn.Embedding: rows of a table. */
typedef struct Embedding {
    char name[NAME_SIZE];
    mcv_weight weight; /* [num_embeddings, embedding_dim] */
} Embedding;

mcv_status Embedding_load(Embedding *self, const Weights *weights, const char *name, int64_t num_embeddings,
                          int64_t embedding_dim);
/* ids: [batch, length] -> *y: [batch, length, embedding_dim]. An id beyond the table: MCV_BAD_INPUT. */
mcv_status Embedding_forward(const Run *run, const Embedding *self, const int32_t *ids, int64_t batch, int64_t length,
                             Tensor *y);

/* A function of each element, named as a module. HF: ACT2FN[hidden_act]. */
mcv_status Activation_forward(const Run *run, Activation activation, const char *name, const Tensor *x, Tensor *y);

/* ---- Attention ---------------------------------------------------------------------------------------------- */

/* Multi-head attention of one sequence: softmax(q k^T * scale) v, per head.
 *
 * Keys and values are given row by row, so that padding and masked keys are simply not listed, and a cache need not lie
 * in one piece. Row j of k holds num_kv_heads * head_dim numbers; query heads h share key head h / (num_heads /
 * num_kv_heads). */
typedef struct AttentionInput {
    int num_heads, num_kv_heads, head_dim;
    double scale;
    int64_t num_queries, num_keys;
    const float *q_f32; /* [num_queries, num_heads * head_dim]; one of q_f32, q_f64 is set */
    const double *q_f64;
    const float *const *k_f32, *const *v_f32; /* [num_keys] rows; or the FP64 ones */
    const double *const *k_f64, *const *v_f64;
    const int64_t *visible; /* [num_queries]: query i sees the keys before visible[i]; NULL: all */
    double *output;         /* [num_queries, num_heads * head_dim]; 0 where a query sees nothing */
    double *weights;        /* [num_heads, num_queries, num_keys]: the softmax's output; NULL: not wanted */
} AttentionInput;

/* count sequences; heads and sequences are spread over the threads. */
mcv_status attention_forward(const Run *run, const AttentionInput *inputs, int64_t count);

/* exp(x) in FP64 within an ulp or so, the same bits on every CPU (libm's own picks a variant by CPU). */
double nn_exp(double x);

#endif
