/* WebP through libwebp: the first frame on a black canvas, as Pillow's WebPImagePlugin has it from WebPAnimDecoder. */
#include <webp/decode.h>
#include <webp/demux.h>

#include "formats/image_decoders.h"

static mcv_status decode_frame(const mcv_image_file *file, WebPDemuxer *demuxer, mcv_image *image) {
    WebPIterator frame;
    if (!WebPDemuxGetFrame(demuxer, 1, &frame))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: a WebP file without a frame", file->name);
    /* The demuxer has checked that the frame lies within the canvas. */
    size_t stride = (size_t)image->width * 3, skipped = (size_t)frame.y_offset * stride + (size_t)frame.x_offset * 3;
    size_t left = (size_t)image->height * stride - skipped;
    bool done = WebPDecodeRGBInto(frame.fragment.bytes, frame.fragment.size, image->rgb + skipped, left, (int)stride);
    mcv_status status =
        done ? MCV_OK
             : MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: damaged WebP data in a frame of %d x %d pixels", file->name,
                        (size_t)(frame.fragment.bytes - file->data), frame.width, frame.height);
    WebPDemuxReleaseIterator(&frame);
    return status;
}

mcv_status mcv_image_decode_webp(const mcv_image_file *file, mcv_image *image) {
    const WebPData data = {file->data, file->size};
    WebPDemuxer *demuxer = WebPDemux(&data);
    if (!demuxer)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: damaged or incomplete WebP data (%zu bytes)", file->name, file->size);
    mcv_status status = mcv_image_new(file, WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH),
                                      WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT), image);
    if (status == MCV_OK)
        status = decode_frame(file, demuxer, image);
    WebPDemuxDelete(demuxer);
    return status;
}
