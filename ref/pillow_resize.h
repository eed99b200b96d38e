/* Pillow's Image.resize(size, BICUBIC) for 8-bit RGB, bit for bit. Pillow: src/libImaging/Resample.c. */
#ifndef MCV_REF_PILLOW_RESIZE_H
#define MCV_REF_PILLOW_RESIZE_H

#include "formats/image.h"

/* Which pass comes first differs between versions, and with it the rounding in between. */
typedef enum PillowVersion {
    PILLOW_13,        /* vertical first where in_h - out_h > 0 and in_h - out_h > 2 * (in_w - out_w) */
    PILLOW_BEFORE_13, /* always horizontal first */
} PillowVersion;

/* *out is allocated by this call; release it with mcv_image_free. */
mcv_status pillow_resize_bicubic(const mcv_image *in, int out_width, int out_height, PillowVersion version,
                                 mcv_image *out);

#endif
