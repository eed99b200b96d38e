/* Image files to RGB, as Pillow's Image.open(...).convert("RGB") gives them: JPEG by libjpeg-turbo, WebP by libwebp,
 * PNG, BMP, GIF (first frame) and PNM by stb_image. EXIF rotation is not applied. */
#ifndef MCV_FORMATS_IMAGE_H
#define MCV_FORMATS_IMAGE_H

#include "core/memory.h"

/* mcv_image, mcv_image_load, mcv_image_decode and mcv_image_free are public: include/minicpmv.h. */

#endif
