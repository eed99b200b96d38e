/* What the decoders of image.c share. Each reads a whole file from memory and makes its RGB pixels; what it has made of
 * them when it fails is released by mcv_image_decode. */
#ifndef MCV_FORMATS_IMAGE_DECODERS_H
#define MCV_FORMATS_IMAGE_DECODERS_H

#include "formats/image.h"

typedef struct mcv_image_file {
    const uint8_t *data;
    size_t size;
    const char *name; /* for messages */
} mcv_image_file;

mcv_status mcv_image_decode_bmp(const mcv_image_file *file, mcv_image *image);
mcv_status mcv_image_decode_gif(const mcv_image_file *file, mcv_image *image);
mcv_status mcv_image_decode_jpeg(const mcv_image_file *file, mcv_image *image);
mcv_status mcv_image_decode_png(const mcv_image_file *file, mcv_image *image);
mcv_status mcv_image_decode_pnm(const mcv_image_file *file, mcv_image *image);
mcv_status mcv_image_decode_webp(const mcv_image_file *file, mcv_image *image);

/* Twice Pillow's Image.MAX_IMAGE_PIXELS: beyond it, Pillow raises DecompressionBombError. Builds for fuzzing have
 * another limit, as a few bytes can stand for as many pixels. */
#ifndef MCV_MAX_PIXELS
#define MCV_MAX_PIXELS (2 * 89478485)
#endif

/* MCV_BAD_INPUT: no pixels, or more than that. */
mcv_status mcv_image_check_size(const mcv_image_file *file, uint64_t width, uint64_t height);
/* The same, and allocates black pixels. */
mcv_status mcv_image_new(const mcv_image_file *file, uint64_t width, uint64_t height, mcv_image *image);

static inline mcv_status mcv_image_cut_short(const mcv_image_file *file, size_t offset, const char *what) {
    return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: cut short: %s", file->name, offset, what);
}

static inline uint8_t *mcv_image_row(const mcv_image *image, size_t y) {
    return image->rgb + y * (size_t)image->width * 3;
}

static inline void mcv_image_put_gray(uint8_t *rgb, uint8_t gray) {
    rgb[0] = rgb[1] = rgb[2] = gray;
}

static inline void mcv_image_put(uint8_t *rgb, const uint8_t color[3]) {
    rgb[0] = color[0];
    rgb[1] = color[1];
    rgb[2] = color[2];
}

#endif
