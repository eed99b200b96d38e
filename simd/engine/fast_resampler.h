/* The 3D resampler with packed weights. Mirrors ref/resampler.c. */
#ifndef MCV_SIMD_ENGINE_FAST_RESAMPLER_H
#define MCV_SIMD_ENGINE_FAST_RESAMPLER_H

#include "ref/resampler.h"
#include "simd/engine/ops.h"

typedef struct mcv_resampler {
    const Resampler *resampler; /* names, norms, queries */
    mcv_packed kv_proj;         /* where kv_proj is not the identity */
    mcv_packed in_proj_q, in_proj_k, in_proj_v, out_proj, proj;
} mcv_resampler;

mcv_status mcv_resampler_pack(const Resampler *resampler, mcv_precision precision, mcv_packer *packer,
                              mcv_resampler *packed);

/* x: the encoder's output of the groups' slices, [rows, kv_dim]; length as in mcv_siglip_forward. Without
 * batch_infer rows have to be padded (length > 0), as HF attends to some of the padding then; see ref/resampler.c.
 * out: [num_groups, num_queries, embed_dim]. */
mcv_status mcv_resampler_forward(const Run *run, const mcv_ops *ops, const mcv_resampler *packed, const float *x,
                                 const ImageSlice *const *slices, int num_slices, int64_t length,
                                 const TemporalGroup *groups, int num_groups, float *out);

#endif
