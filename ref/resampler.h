/* The unified 3D-Resampler: query_num learned queries read the patches of an image slice, or of all frames of a packed
 * group, by one cross-attention. HF: resampler.py. */
#ifndef MCV_REF_RESAMPLER_H
#define MCV_REF_RESAMPLER_H

#include "ref/image_processing_minicpmv.h"
#include "ref/nn.h"

/* torch.nn.MultiheadAttention with separate keys and values. */
typedef struct MultiheadAttention {
    char name[NAME_SIZE];
    int embed_dim, num_heads;
    Linear in_proj_q, in_proj_k, in_proj_v; /* the three parts of in_proj_weight and in_proj_bias */
    Linear out_proj;
} MultiheadAttention;

typedef struct Resampler {
    char name[NAME_SIZE];
    int num_queries, embed_dim, num_heads, kv_dim;
    bool batch_infer;
    const float *query; /* [num_queries, embed_dim] */
    char kv_proj_name[NAME_SIZE];
    bool kv_proj_is_identity; /* where kv_dim == embed_dim */
    Linear kv_proj;           /* kv_dim -> embed_dim */
    MultiheadAttention attn;
    LayerNorm ln_q, ln_kv, ln_post;
    Linear proj; /* its weight is the transpose of the parameter `proj`, which multiplies from the right */
} Resampler;

mcv_status Resampler_load(Resampler *self, const Weights *weights, const char *name, int num_queries, int embed_dim,
                          int num_heads, int kv_dim, bool batch_infer);

/* x: [num_slices, length, kv_dim], the encoder's output. slices: their grids. groups: which slices go together, in
 * order; their counts add up to num_slices. *output: [num_groups, num_queries, embed_dim]. */
mcv_status Resampler_forward(const Run *run, const Resampler *self, const Tensor *x, const ImageSlice *const *slices,
                             const TemporalGroup *groups, int num_groups, Tensor *output);

/* One position's sine embedding: sines in the first half of out [embed_dim], cosines in the second, in FP32 as the
 * model defines it. HF: get_1d_sincos_pos_embed_from_grid_new, get_1d_sincos_pos_embed_from_temporal_size. */
void get_1d_sincos_pos_embed(int embed_dim, int position, float *out);

/* Shows the attention's output [num_groups, num_queries, embed_dim] to the tap as HF has it: [num_queries, num_groups,
 * embed_dim], except where groups are attended to one at a time: then the first group's alone. */
mcv_status Resampler_show_attn(const Run *run, const Resampler *self, float *attended, int num_groups);

#endif
