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

#endif
