/* Pillow's Image.resize(size, BICUBIC) for 8-bit RGB, bit for bit. Pillow: src/libImaging/Resample.c, and resize in
 * src/PIL/Image.py. */
#ifndef MCV_REF_PILLOW_RESIZE_H
#define MCV_REF_PILLOW_RESIZE_H

#include "formats/image.h"

/* Which pass comes first differs between versions, and with it the rounding in between. */
typedef enum PillowVersion {
    PILLOW_13,          /* vertical first where in_h - out_h > 0 and in_h - out_h > 2 * (in_w - out_w) */
    PILLOW_12_2,        /* 12.2 and 12.3: vertical first where in_h > 100 * in_w and out_h < in_h */
    PILLOW_BEFORE_12_2, /* always horizontal first */
} PillowVersion;

/* The order that a Pillow of this version ("13.0.0", "12.1", "11") follows; "12" is 12.0. MCV_USAGE: no version. */
mcv_status PillowVersion_from_string(const char *text, PillowVersion *version);

/* A pass over pictures whose places are allocated, [h, w, 3]. Output sample i, a pixel of each row or a whole row, is
 * the sum over j < count[i] of input sample first[i] + j times weights[i * stride + j], in fixed point. */
typedef struct PillowCoefficients {
    int32_t *first, *count; /* [out_size] */
    int32_t *weights;       /* [out_size, stride] */
    size_t stride;
} PillowCoefficients;

typedef struct PillowPasses {
    void (*horizontal)(const void *context, const mcv_image *in, const PillowCoefficients *coefficients,
                       mcv_image *out);
    void (*vertical)(const void *context, const mcv_image *in, const PillowCoefficients *coefficients, mcv_image *out);
    const void *context;
} PillowPasses;

/* Both passes in plain C. Others give the same bits. */
extern const PillowPasses PILLOW_PASSES;

/* *out is allocated by this call; release it with mcv_image_free. MCV_BAD_INPUT: a side below 1, or so many filter
 * weights that Pillow gives up as well (a side beyond some 67 million pixels). */
mcv_status pillow_resize_bicubic(const mcv_image *in, int out_width, int out_height, PillowVersion version,
                                 const PillowPasses *passes, mcv_image *out);

#endif
