/* Image files to RGB, as Pillow's Image.open(...).convert("RGB") gives them: JPEG by libjpeg-turbo, WebP by libwebp,
 * PNG, BMP, GIF (first frame) and PNM by stb_image. EXIF rotation is not applied. */
#ifndef MCV_FORMATS_IMAGE_H
#define MCV_FORMATS_IMAGE_H

#include "core/memory.h"

typedef struct mcv_image {
    int width, height;
    uint8_t *rgb; /* [height, width, 3] */
} mcv_image;

/* `name` stands for the data in messages. MCV_BAD_INPUT: unknown or damaged data, a size beyond Pillow's limits. */
mcv_status mcv_image_decode(const void *data, size_t size, const char *name, mcv_image *image);
mcv_status mcv_image_load(const char *path, mcv_image *image);
void mcv_image_free(mcv_image *image);

#endif
