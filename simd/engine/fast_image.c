#include "simd/engine/fast_image.h"

/* ---- Resizing ----------------------------------------------------------------------------------------------- */

static mcv_resize_args resize_arguments(const mcv_image *in, const PillowCoefficients *coefficients, mcv_image *out) {
    return (mcv_resize_args){.rows = (size_t)out->height,
                             .columns = (size_t)out->width,
                             .x = in->rgb,
                             .ldx = (size_t)in->width * 3,
                             .first = coefficients->first,
                             .count = coefficients->count,
                             .weights = coefficients->weights,
                             .stride = coefficients->stride,
                             .y = out->rgb,
                             .ldy = (size_t)out->width * 3};
}

static void horizontal(const void *context, const mcv_image *in, const PillowCoefficients *coefficients,
                       mcv_image *out) {
    const mcv_kernels *kernels = context;
    mcv_resize_args a = resize_arguments(in, coefficients, out);
    kernels->resize_width(&a);
}

static void vertical(const void *context, const mcv_image *in, const PillowCoefficients *coefficients, mcv_image *out) {
    const mcv_kernels *kernels = context;
    mcv_resize_args a = resize_arguments(in, coefficients, out);
    kernels->resize_height(&a);
}

PillowPasses mcv_resize_passes(const mcv_kernels *kernels) {
    return (PillowPasses){horizontal, vertical, kernels};
}

/* ---- Patches ------------------------------------------------------------------------------------------------ */

typedef struct UnfoldWork {
    const mcv_ops *ops;
    mcv_unfold_args arguments;
} UnfoldWork;

/* Rows [begin, end) of the grid. */
static void unfold_range(void *context, size_t begin, size_t end, int worker) {
    const UnfoldWork *work = context;
    mcv_unfold_args part = work->arguments;
    (void)worker;
    part.grid_h = end - begin;
    part.x += begin * part.patch * part.row_step;
    part.y += begin * part.grid_w * part.ldy;
    work->ops->kernels.unfold(&part);
}

void mcv_unfold(const mcv_ops *ops, const ImageSlice *slice, float *rows) {
    const Pixels *pixels = &slice->pixels;
    size_t patch = (size_t)slice->patch_size;
    UnfoldWork work = {ops,
                       {.grid_w = (size_t)slice->grid_w,
                        .patch = patch,
                        .x = pixels->image + pixels->offset,
                        .channel_step = pixels->channel_step,
                        .row_step = pixels->row_step,
                        .column_step = pixels->column_step,
                        .y = rows,
                        .ldy = 3 * patch * patch}};
    memcpy(work.arguments.mean, slice->levels->mean, sizeof work.arguments.mean);
    memcpy(work.arguments.std, slice->levels->std, sizeof work.arguments.std);
    mcv_parallel_for(ops->pool, (size_t)slice->grid_h, unfold_range, &work);
}
