/* The image encoder with packed weights. Mirrors ref/modeling_navit_siglip.c. */
#ifndef MCV_SIMD_ENGINE_FAST_SIGLIP_H
#define MCV_SIMD_ENGINE_FAST_SIGLIP_H

#include "ref/modeling_navit_siglip.h"
#include "simd/engine/ops.h"

typedef struct mcv_siglip_layer {
    const SiglipEncoderLayer *layer; /* names, norms */
    mcv_packed q_proj, k_proj, v_proj, out_proj, fc1, fc2;
} mcv_siglip_layer;

typedef struct mcv_siglip {
    const SiglipVisionTransformer *vpm;
    mcv_packed patch_embedding;
    mcv_siglip_layer *layers;
    size_t dim, num_heads, intermediate_size;
} mcv_siglip;

mcv_status mcv_siglip_pack(const SiglipVisionTransformer *vpm, mcv_precision precision, mcv_packer *packer,
                           mcv_siglip *siglip);

/* slices: [batch]. length: rows of each slice's output, at least its patches; those behind its patches are computed as
 * HF's padding is. 0: each slice has as many rows as patches. out: [rows, dim], slice by slice. */
mcv_status mcv_siglip_forward(const Run *run, const mcv_ops *ops, const mcv_siglip *siglip,
                              const ImageSlice *const *slices, int batch, int64_t length, float *out);

#endif
