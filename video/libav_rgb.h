/* Decoded pictures to RGB, turned and scaled as the program `ffmpeg` does by default, byte for byte. */
#ifndef MCV_VIDEO_LIBAV_RGB_H
#define MCV_VIDEO_LIBAV_RGB_H

#include <libavformat/avformat.h>
#include <libavutil/frame.h>

#include "formats/image.h"

struct SwsContext;

/* How a picture is to be shown: rows and columns exchanged first, then mirrored. */
typedef struct mcv_orientation {
    bool transpose, mirror_x, mirror_y;
} mcv_orientation;

/* By the display matrix of the picture, or else of the stream. *odd_angle: degrees clockwise that are no multiple of 90
 * and are not followed; 0: none. */
mcv_orientation mcv_libav_orientation(const AVStream *stream, const AVFrame *picture, double *odd_angle);

typedef struct mcv_rgb_converter {
    const char *path;
    mcv_orientation orientation;
    int width, height;         /* of the results, turned */
    struct SwsContext *scaler; /* for pictures like `source`; NULL before the first */
    AVFrame *source;           /* size, format and colours of the newest picture, without its data */
    AVFrame *rgb, *turned;
} mcv_rgb_converter;

mcv_status mcv_rgb_converter_init(mcv_rgb_converter *converter, const char *path);
void mcv_rgb_converter_free(mcv_rgb_converter *converter);

/* *image: [height, width, 3]. MCV_UNSUPPORTED: a pixel format that libswscale cannot convert. */
mcv_status mcv_rgb_convert(mcv_rgb_converter *converter, const AVFrame *picture, mcv_image *image);

#endif
