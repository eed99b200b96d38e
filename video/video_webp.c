/* Animated WebP through libwebp's demuxer, which puts the pictures together as Pillow does. */
#include <string.h>

#include <webp/demux.h>

#include "core/file.h"
#include "video/video_backend.h"

typedef struct webp_reader {
    mcv_file_map map;
    WebPAnimDecoder *decoder;
    int64_t pictures_out; /* since the start */
    uint8_t *rgba;        /* the newest picture, [height, width, 4]; the decoder's */
} webp_reader;

static void close_webp(mcv_video *video) {
    webp_reader *reader = video->reader;
    WebPAnimDecoderDelete(reader->decoder);
    mcv_file_close_map(&reader->map);
    free(reader);
}

/* Seconds that a picture is shown. Of an animation's pictures, durations up to 10 ms stand for 100 ms, as browsers have
 * it, and libavformat for GIF: many a file gives 0, which nobody could see. */
static double shown_for(const WebPIterator *picture, uint32_t num_pictures) {
    enum { NOT_MEANT = 10, MEANT = 100 }; /* milliseconds */
    return (num_pictures > 1 && picture->duration <= NOT_MEANT ? MEANT : picture->duration) / 1000.0;
}

static mcv_status set_times(mcv_video *video, const WebPDemuxer *demuxer) {
    uint32_t count = WebPDemuxGetI(demuxer, WEBP_FF_FRAME_COUNT);
    double time = 0;
    WebPIterator picture;
    if (count == 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: a video without pictures", video->path);
    MCV_TRY(MCV_NEW(&video->times, count));
    for (uint32_t i = 0; i < count; i++) {
        if (!WebPDemuxGetFrame(demuxer, (int)i + 1, &picture))
            return MCV_FAIL(MCV_BAD_INPUT, "%s: picture %u of %u is missing", video->path, i, count);
        video->times[i] = time;
        video->last_duration = shown_for(&picture, count);
        time += video->last_duration;
        WebPDemuxReleaseIterator(&picture);
    }
    video->info.frame_count = count;
    video->info.container_fps = time > 0 ? count / time : 0;
    video->time_precision = 0.001;
    return MCV_OK;
}

static mcv_status open_decoder(mcv_video *video, webp_reader *reader, const WebPData *data) {
    const mcv_image_file file = {.name = video->path};
    WebPDemuxer *demuxer = WebPDemux(data);
    if (!demuxer)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: a WebP file that is damaged or cut short", video->path);
    video->info.width = (int)WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH);
    video->info.height = (int)WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
    mcv_status status = set_times(video, demuxer);
    WebPDemuxDelete(demuxer);
    MCV_TRY(status);
    /* Before the decoder has memory for two pictures of this size. */
    MCV_TRY(mcv_image_check_size(&file, (uint64_t)video->info.width, (uint64_t)video->info.height));
    WebPAnimDecoderOptions options;
    if (!WebPAnimDecoderOptionsInit(&options))
        return MCV_FAIL(MCV_UNSUPPORTED, "libwebp's demuxer is of another version than this build's");
    options.color_mode = MODE_RGBA;
    reader->decoder = WebPAnimDecoderNew(data, &options);
    return reader->decoder ? MCV_OK : MCV_FAIL(MCV_BAD_INPUT, "%s: a damaged WebP file", video->path);
}

static mcv_status read_webp(mcv_video *video, int64_t index, mcv_image *image) {
    webp_reader *reader = video->reader;
    mcv_image_file file = {.name = video->path};
    int end_time;
    MCV_TRY(mcv_image_new(&file, (uint64_t)video->info.width, (uint64_t)video->info.height, image));
    if (index < reader->pictures_out - 1) {
        WebPAnimDecoderReset(reader->decoder);
        reader->pictures_out = 0;
    }
    for (; reader->pictures_out <= index; reader->pictures_out++)
        if (!WebPAnimDecoderGetNext(reader->decoder, &reader->rgba, &end_time))
            return MCV_FAIL(MCV_BAD_INPUT, "%s: picture %lld is damaged", video->path, (long long)reader->pictures_out);
    size_t pixels = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < pixels; i++)
        mcv_image_put(image->rgb + 3 * i, reader->rgba + 4 * i);
    return MCV_OK;
}

mcv_status mcv_video_open_webp(mcv_video *video) {
    webp_reader *reader;
    MCV_TRY(MCV_NEW(&reader, 1));
    video->reader = reader;
    video->close = close_webp;
    video->read = read_webp;
    video->info.format = "WebP";
    MCV_TRY(mcv_file_open_map(video->path, &reader->map));
    return open_decoder(video, reader, &(WebPData){reader->map.data, reader->map.size});
}
