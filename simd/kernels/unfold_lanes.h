/* unfold on the registers of pixel_lanes.h. */
#ifndef MCV_SIMD_KERNELS_UNFOLD_LANES_H
#define MCV_SIMD_KERNELS_UNFOLD_LANES_H

#include "simd/kernels/pixel_lanes.h"

#if defined(__AVX2__) || defined(__aarch64__)

/* x / 255 for levels: the product with 1 / 255 and what it misses. Rounded as the quotient is, for all 256 of them. */
MCV_INLINE mcv_floats mcv_floats_level(mcv_floats x) {
    mcv_floats inverse = mcv_floats_set(1 / 255.0f);
    mcv_floats quotient = mcv_floats_multiply(x, inverse);
    mcv_floats rest = mcv_floats_fma(mcv_floats_negate(quotient), mcv_floats_set(255.0f), x);
    return mcv_floats_fma(rest, inverse, quotient);
}

/* Sample c of the next pixels of a patch's row, `left` pixels before the picture's ends. inverses: of a->std where they
 * are exact; NULL: not all are. */
MCV_INLINE mcv_floats mcv_unfold_pixels(const mcv_unfold_args *a, const float *inverses, const uint8_t *x, size_t left,
                                        size_t c) {
    uint8_t pixels[3 * MCV_LANES];
    if (left < MCV_LANES)
        x = memcpy(pixels, x, left * 3);
    mcv_floats level = mcv_floats_level(mcv_floats_load_rgb(x, c));
    mcv_floats centered = mcv_floats_subtract(level, mcv_floats_set(a->mean[c]));
    return inverses ? mcv_floats_multiply(centered, mcv_floats_set(inverses[c]))
                    : mcv_floats_divide(centered, mcv_floats_set(a->std[c]));
}

/* All lanes are written wherever they fit into the patch's row of y: what is too much is overwritten by what follows.
 */
MCV_INLINE void mcv_unfold_patches(const mcv_unfold_args *a, const float *inverses) {
    size_t patch = a->patch, width = a->grid_w * patch, size = 3 * patch * patch;
    for (size_t i = 0; i < a->grid_h * a->grid_w; i++) {
        size_t first = i % a->grid_w * patch;
        const uint8_t *x = a->x + i / a->grid_w * patch * a->row_step + first * 3;
        float *y = a->y + i * a->ldy;
        for (size_t line = 0; line < 3 * patch; line++)
            for (size_t h = 0; h < patch; h += MCV_LANES) {
                mcv_floats pixels = mcv_unfold_pixels(a, inverses, x + line % patch * a->row_step + h * 3,
                                                      width - first - h, line / patch);
                size_t at = line * patch + h;
                mcv_floats_store_step(y + at, pixels, at + MCV_LANES <= size ? MCV_LANES : size - at);
            }
    }
}

/* Whether dividing by a power of two is multiplying by its inverse. */
MCV_INLINE bool mcv_has_inverse(float x) {
    int exponent;
    return fabsf(frexpf(x, &exponent)) == 0.5f && exponent > -125 && exponent < 126;
}

/* Samples that are not those of RGB pixels are taken one by one. */
MCV_INLINE void mcv_unfold_lanes(const mcv_unfold_args *a) {
    const float inverses[3] = {1 / a->std[0], 1 / a->std[1], 1 / a->std[2]};
    if (a->channel_step != 1 || a->column_step != 3)
        mcv_unfold_contract(a);
    else if (mcv_has_inverse(a->std[0]) && mcv_has_inverse(a->std[1]) && mcv_has_inverse(a->std[2]))
        mcv_unfold_patches(a, inverses);
    else
        mcv_unfold_patches(a, NULL);
}

#endif
#endif
