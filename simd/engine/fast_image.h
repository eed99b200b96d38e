/* Preprocessing by kernels: the passes of the resize, patches. The bits are those of the plain C in ref/. */
#ifndef MCV_SIMD_ENGINE_FAST_IMAGE_H
#define MCV_SIMD_ENGINE_FAST_IMAGE_H

#include "ref/image_processing_minicpmv.h"
#include "simd/engine/ops.h"

/* What pillow_resize_bicubic is given. `kernels` have to stay. */
PillowPasses mcv_resize_passes(const mcv_kernels *kernels);

/* rows: [grid_h * grid_w][3 * patch_size * patch_size], a slice's normalized patches. The slice has its pixels
 * (ImageSlice_read). */
void mcv_unfold(const mcv_ops *ops, const ImageSlice *slice, float *rows);

#endif
