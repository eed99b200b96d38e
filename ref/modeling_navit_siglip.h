/* SigLIP with NaViT positions: any grid of patches, padded to the longest of a batch. HF: modeling_navit_siglip.py. */
#ifndef MCV_REF_MODELING_NAVIT_SIGLIP_H
#define MCV_REF_MODELING_NAVIT_SIGLIP_H

#include "ref/image_processing_minicpmv.h"
#include "ref/nn.h"

typedef struct SiglipVisionEmbeddings {
    char name[NAME_SIZE];
    int embed_dim, num_patches_per_side;
    Linear patch_embedding; /* the convolution, whose stride is its kernel: [embed_dim, channels * patch * patch] */
    Embedding position_embedding; /* [num_patches_per_side^2, embed_dim] */
} SiglipVisionEmbeddings;

typedef struct SiglipAttention {
    char name[NAME_SIZE];
    int embed_dim, num_heads, head_dim;
    double scale;
    Linear k_proj, v_proj, q_proj, out_proj;
} SiglipAttention;

typedef struct SiglipMLP {
    char name[NAME_SIZE], activation_fn_name[NAME_SIZE];
    Activation activation_fn;
    Linear fc1, fc2;
} SiglipMLP;

typedef struct SiglipEncoderLayer {
    char name[NAME_SIZE];
    SiglipAttention self_attn;
    LayerNorm layer_norm1;
    SiglipMLP mlp;
    LayerNorm layer_norm2;
} SiglipEncoderLayer;

typedef struct SiglipVisionTransformer {
    char name[NAME_SIZE];
    SiglipVisionEmbeddings embeddings;
    int num_layers;
    SiglipEncoderLayer *layers; /* encoder.layers */
    LayerNorm post_layernorm;
} SiglipVisionTransformer;

/* num_layers: how many of the configuration's layers to load (drop_vision_last_layer leaves the last one out). */
mcv_status SiglipVisionTransformer_load(SiglipVisionTransformer *self, const Weights *weights, const char *name,
                                        const SiglipVisionConfig *config, int num_layers);

/* slices: [batch]. length: patches that each is padded to.
 * *last_hidden_state: [batch, length, hidden_size]. */
mcv_status SiglipVisionTransformer_forward(const Run *run, const SiglipVisionTransformer *self,
                                           const ImageSlice *const *slices, int batch, int64_t length,
                                           Tensor *last_hidden_state);

/* The row (or column) of the position table for each of `patches` patches along a side.
 * HF: fractional_coords and bucket_coords of SiglipVisionEmbeddings.forward. bucket: [patches]. */
mcv_status navit_bucket_coords(int patches, int num_patches_per_side, int32_t *bucket);

#endif
