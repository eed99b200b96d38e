#include "video/libav_rgb.h"

#include <math.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/display.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "formats/image_decoders.h"
#include "video/libav_error.h"

/* ---- Orientation ------------------------------------------------------------------------------------------------- */

static const int32_t *stream_matrix(const AVStream *stream) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 102)
    const AVCodecParameters *parameters = stream->codecpar;
    const AVPacketSideData *data =
        av_packet_side_data_get(parameters->coded_side_data, parameters->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    return data && data->size >= 9 * sizeof(int32_t) ? (const int32_t *)(const void *)data->data : NULL;
#else
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    return data && size >= 9 * sizeof(int32_t) ? (const int32_t *)(const void *)data : NULL;
#endif
}

static const int32_t *find_matrix(const AVStream *stream, const AVFrame *picture) {
    const AVFrameSideData *data = av_frame_get_side_data(picture, AV_FRAME_DATA_DISPLAYMATRIX);
    if (data && data->size >= 9 * sizeof(int32_t))
        return (const int32_t *)(const void *)data->data;
    return stream_matrix(stream);
}

mcv_orientation mcv_libav_orientation(const AVStream *stream, const AVFrame *picture, double *odd_angle) {
    static const double TOLERANCE = 1; /* degrees, as ffmpeg's */
    const int32_t *matrix = find_matrix(stream, picture);
    *odd_angle = 0;
    if (!matrix)
        return (mcv_orientation){0};
    double angle = av_display_rotation_get(matrix);
    if (!(fabs(remainder(angle, 90)) <= TOLERANCE)) {
        *odd_angle = -angle;
        return (mcv_orientation){0};
    }
    /* (x, y) is shown at (matrix[0] x + matrix[3] y, matrix[1] x + matrix[4] y). */
    if (fabs(remainder(angle, 180)) <= TOLERANCE)
        return (mcv_orientation){false, matrix[0] < 0, matrix[4] < 0};
    return (mcv_orientation){true, matrix[3] < 0, matrix[1] < 0};
}

/* Whether each plane can be turned by itself. */
static bool can_turn(enum AVPixelFormat format) {
    const AVPixFmtDescriptor *about = av_pix_fmt_desc_get(format);
    uint64_t other = AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BAYER;
    return about && !(about->flags & other) && about->log2_chroma_w == about->log2_chroma_h;
}

/* source: [height, width] pixels of `size` bytes; target: [width, height] where transposed, else [height, width]. */
static void turn_plane(mcv_orientation orientation, const uint8_t *source, ptrdiff_t source_step, int width, int height,
                       int size, uint8_t *target, ptrdiff_t target_step) {
    int out_width = orientation.transpose ? height : width, out_height = orientation.transpose ? width : height;
    for (int y = 0; y < out_height; y++) {
        int v = orientation.mirror_y ? out_height - 1 - y : y;
        for (int x = 0; x < out_width; x++) {
            int u = orientation.mirror_x ? out_width - 1 - x : x;
            ptrdiff_t from =
                orientation.transpose ? u * source_step + (ptrdiff_t)v * size : v * source_step + (ptrdiff_t)u * size;
            memcpy(target + y * target_step + (ptrdiff_t)x * size, source + from, (size_t)size);
        }
    }
}

/* Room for a picture; that of the one before where it fits. Rows have the room behind them that the scaler's fast ways
 * need. */
static int make_room(AVFrame *frame, int format, int width, int height) {
    if (frame->data[0] && frame->format == format && frame->width == width && frame->height == height)
        return 0;
    av_frame_unref(frame);
    frame->format = format;
    frame->width = width;
    frame->height = height;
    return av_frame_get_buffer(frame, 0);
}

static int turn(mcv_orientation orientation, const AVFrame *source, AVFrame *target) {
    const AVPixFmtDescriptor *about = av_pix_fmt_desc_get(source->format);
    int width = orientation.transpose ? source->height : source->width;
    int height = orientation.transpose ? source->width : source->height;
    int error = make_room(target, source->format, width, height);
    target->colorspace = source->colorspace;
    target->color_range = source->color_range;
    for (int i = 0; error >= 0 && i < about->nb_components; i++) {
        const AVComponentDescriptor *component = &about->comp[i];
        if (i > 0 && component->plane == about->comp[i - 1].plane)
            continue; /* turned with the one before */
        int shift = i == 1 || i == 2 ? about->log2_chroma_w : 0;
        turn_plane(orientation, source->data[component->plane], source->linesize[component->plane],
                   AV_CEIL_RSHIFT(source->width, shift), AV_CEIL_RSHIFT(source->height, shift), component->step,
                   target->data[component->plane], target->linesize[component->plane]);
    }
    return error;
}

/* ---- Conversion -------------------------------------------------------------------------------------------------- */

mcv_status mcv_rgb_converter_init(mcv_rgb_converter *converter, const char *path) {
    *converter = (mcv_rgb_converter){
        .path = path, .source = av_frame_alloc(), .rgb = av_frame_alloc(), .turned = av_frame_alloc()};
    if (!converter->source || !converter->rgb || !converter->turned)
        return MCV_FAIL_MEMORY(sizeof(AVFrame));
    return MCV_OK;
}

void mcv_rgb_converter_free(mcv_rgb_converter *converter) {
    sws_freeContext(converter->scaler);
    av_frame_free(&converter->source);
    av_frame_free(&converter->rgb);
    av_frame_free(&converter->turned);
    *converter = (mcv_rgb_converter){0};
}

/* The matrix that a picture names; the library's default where it names none or one that the scaler does not know, as
 * ffmpeg's scale filter has it. */
static const int *color_matrix(enum AVColorSpace space) {
    bool known = space >= 1 && space <= 10 && space != AVCOL_SPC_YCGCO;
    return sws_getCoefficients(known ? (int)space : SWS_CS_DEFAULT);
}

static void set_colors(struct SwsContext *scaler, const AVFrame *source) {
    int *ignored, in_full, out_full, brightness, contrast, saturation;
    if (sws_getColorspaceDetails(scaler, &ignored, &in_full, &ignored, &out_full, &brightness, &contrast, &saturation) <
        0)
        return; /* no YUV on either side */
    if (source->color_range != AVCOL_RANGE_UNSPECIFIED)
        in_full = source->color_range == AVCOL_RANGE_JPEG;
    sws_setColorspaceDetails(scaler, color_matrix(source->colorspace), in_full, color_matrix(AVCOL_SPC_UNSPECIFIED),
                             out_full, brightness, contrast, saturation);
}

/* Makes the scaler for pictures like `source`. The options are those of ffmpeg's scale filter: bicubic, and chroma of
 * 4:2:0 in the middle between two rows. */
static mcv_status new_scaler(mcv_rgb_converter *converter, const AVFrame *source) {
    sws_freeContext(converter->scaler);
    struct SwsContext *scaler = converter->scaler = sws_alloc_context();
    if (!scaler)
        return MCV_FAIL_MEMORY(sizeof scaler);
    av_opt_set_int(scaler, "sws_flags", SWS_BICUBIC, 0);
    av_opt_set_int(scaler, "srcw", source->width, 0);
    av_opt_set_int(scaler, "srch", source->height, 0);
    av_opt_set_int(scaler, "src_format", source->format, 0);
    av_opt_set_int(scaler, "dstw", converter->rgb->width, 0);
    av_opt_set_int(scaler, "dsth", converter->rgb->height, 0);
    av_opt_set_int(scaler, "dst_format", AV_PIX_FMT_RGB24, 0);
    if (source->format == AV_PIX_FMT_YUV420P)
        av_opt_set_int(scaler, "src_v_chr_pos", 128, 0);
    if (sws_init_context(scaler, NULL, NULL) < 0) {
        const char *name = av_get_pix_fmt_name(source->format);
        return MCV_FAIL(MCV_UNSUPPORTED, "%s: pictures of %d x %d pixels in the format %s cannot be converted",
                        converter->path, source->width, source->height, name ? name : "?");
    }
    set_colors(scaler, source);
    return MCV_OK;
}

static bool is_alike(const AVFrame *a, const AVFrame *b) {
    return a->width == b->width && a->height == b->height && a->format == b->format && a->colorspace == b->colorspace &&
           a->color_range == b->color_range;
}

static mcv_status prepare_scaler(mcv_rgb_converter *converter, const AVFrame *source) {
    AVFrame *known = converter->source;
    if (converter->scaler && is_alike(known, source))
        return MCV_OK;
    known->width = source->width;
    known->height = source->height;
    known->format = source->format;
    known->colorspace = source->colorspace;
    known->color_range = source->color_range;
    return new_scaler(converter, source);
}

/* converter->rgb becomes the picture in RGB, [height, width]. */
static mcv_status scale(mcv_rgb_converter *converter, const AVFrame *source, int width, int height) {
    AVFrame *rgb = converter->rgb;
    int error = make_room(rgb, AV_PIX_FMT_RGB24, width, height);
    if (error < 0)
        return mcv_libav_fail(converter->path, "a picture in RGB", error);
    MCV_TRY(prepare_scaler(converter, source));
    int rows = sws_scale(converter->scaler, (const uint8_t *const *)source->data, source->linesize, 0, source->height,
                         rgb->data, rgb->linesize);
    if (rows != height)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %d of %d rows of a picture converted", converter->path, rows, height);
    return MCV_OK;
}

static mcv_status copy_rows(const mcv_rgb_converter *converter, const AVFrame *rgb, mcv_image *image) {
    mcv_image_file file = {.name = converter->path};
    MCV_TRY(mcv_image_new(&file, (uint64_t)rgb->width, (uint64_t)rgb->height, image));
    for (int y = 0; y < rgb->height; y++)
        memcpy(mcv_image_row(image, (size_t)y), rgb->data[0] + (ptrdiff_t)y * rgb->linesize[0], (size_t)rgb->width * 3);
    return MCV_OK;
}

static mcv_status turn_or_fail(mcv_rgb_converter *converter, const AVFrame *picture) {
    int error = turn(converter->orientation, picture, converter->turned);
    return error < 0 ? mcv_libav_fail(converter->path, "a picture cannot be turned", error) : MCV_OK;
}

/* ffmpeg turns pictures before it converts them. Where chroma is coarser in one direction only, it takes a third format
 * between; here such pictures are turned when they are RGB. */
mcv_status mcv_rgb_convert(mcv_rgb_converter *converter, const AVFrame *picture, mcv_image *image) {
    mcv_orientation orientation = converter->orientation;
    int width = converter->width, height = converter->height;
    if (!orientation.transpose && !orientation.mirror_x && !orientation.mirror_y) {
        MCV_TRY(scale(converter, picture, width, height));
        return copy_rows(converter, converter->rgb, image);
    }
    if (can_turn(picture->format)) {
        MCV_TRY(turn_or_fail(converter, picture));
        MCV_TRY(scale(converter, converter->turned, width, height));
        return copy_rows(converter, converter->rgb, image);
    }
    MCV_TRY(scale(converter, picture, orientation.transpose ? height : width, orientation.transpose ? width : height));
    MCV_TRY(turn_or_fail(converter, converter->rgb));
    return copy_rows(converter, converter->turned, image);
}
