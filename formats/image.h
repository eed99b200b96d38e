/* Image files to RGB, as Pillow 13's Image.open(...).convert("RGB") gives them: JPEG, PNG, WebP, GIF, BMP and PNM (P1
 * to P6). Of an animation the first frame; alpha is dropped, not composited; EXIF rotation and colour profiles are not
 * applied. docs/formats.md says how each format is read.
 *
 * mcv_image, mcv_image_load, mcv_image_decode and mcv_image_free are public: include/minicpmv.h. MCV_BAD_INPUT:
 * unknown, damaged or incomplete data, or more pixels than Pillow takes. MCV_UNSUPPORTED: a variant of a format that is
 * not read here. On failure the image is empty. */
#ifndef MCV_FORMATS_IMAGE_H
#define MCV_FORMATS_IMAGE_H

#include "core/memory.h"

/* What stands for the pixels of an image that is too large to be kept. */
typedef struct mcv_unread_image {
    /* *image: the whole image, which stays the reader's and is there until some others have been read. */
    mcv_status (*read)(const struct mcv_unread_image *self, mcv_image *image);
    uint64_t hash; /* of its pixels: different ones for different pixels */
} mcv_unread_image;

#endif
