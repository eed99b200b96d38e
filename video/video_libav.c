/* Videos through FFmpeg's libavformat and libavcodec. */
#include <stdio.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "core/buffer.h"
#include "video/libav_error.h"
#include "video/libav_index.h"
#include "video/libav_rgb.h"
#include "video/video_backend.h"

const bool mcv_video_has_libav = true;

/* Pictures come out of the decoder in the order in which they are shown. `current` is the newest that is not behind
 * what was asked for, `next` the one after it where that was decoded, too. A picture's pts is its key in the index. */
typedef struct libav_reader {
    const char *path;
    AVFormatContext *format;
    int stream_number;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *current, *next;
    bool has_current, has_next;
    mcv_libav_index index;
    mcv_rgb_converter rgb;
    int64_t *expected; /* [num_expected]: times of the pictures that will be read, ascending; NULL: any may be */
    size_t num_expected;

    bool has_packet;      /* `packet` is to be decoded next */
    int64_t packets_read; /* number of the packet to be read next */
    int64_t pictures_out; /* since the start; counts where the index goes by number */
    bool draining, ended; /* the file's end was told to the decoder; nothing more comes out of it */
} libav_reader;

static AVStream *stream_of(const libav_reader *reader) {
    return reader->format->streams[reader->stream_number];
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

/* Formats in a single file. The others that libavformat knows, such as playlists, fetch what they name from elsewhere.
 */
static const char FORMATS[] =
    "mov,matroska,avi,gif,apng,mpegts,mpeg,mpegvideo,m4v,h264,hevc,obu,ivf,flv,asf,ogg,mxf,nut,"
    "rm,dv,mjpeg,yuv4mpegpipe";

/* "file:" keeps a path with a colon from being taken for another protocol. */
static mcv_status open_format(libav_reader *reader) {
    mcv_buffer url = {0};
    MCV_TRY(mcv_buffer_printf(&url, "file:%s", reader->path));
    AVDictionary *options = NULL;
    int error = av_dict_set(&options, "protocol_whitelist", "file", 0);
    if (error >= 0)
        error = av_dict_set(&options, "format_whitelist", FORMATS, 0);
    if (error >= 0)
        error = avformat_open_input(&reader->format, mcv_buffer_text(&url), NULL, &options);
    av_dict_free(&options);
    mcv_buffer_free(&url);
    if (error == AVERROR(EINVAL))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: not a video in a format that is read here", reader->path);
    if (error >= 0)
        error = avformat_find_stream_info(reader->format, NULL);
    return error < 0 ? mcv_libav_fail(reader->path, "it cannot be read as a video", error) : MCV_OK;
}

static mcv_status find_stream(libav_reader *reader, const AVCodec **codec) {
    reader->stream_number = av_find_best_stream(reader->format, AVMEDIA_TYPE_VIDEO, -1, -1, codec, 0);
    if (reader->stream_number == AVERROR_DECODER_NOT_FOUND)
        return MCV_FAIL(MCV_UNSUPPORTED, "%s: this machine's FFmpeg has no decoder for its video", reader->path);
    if (reader->stream_number < 0 || stream_of(reader)->disposition & AV_DISPOSITION_ATTACHED_PIC)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: it holds no video (%u streams of other kinds)", reader->path,
                        reader->format->nb_streams);
    return MCV_OK;
}

static void read_this_stream_only(libav_reader *reader) {
    for (unsigned i = 0; i < reader->format->nb_streams; i++)
        reader->format->streams[i]->discard = (int)i == reader->stream_number ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
}

static mcv_status open_decoder(libav_reader *reader, const AVCodec *codec, int threads) {
    reader->decoder = avcodec_alloc_context3(codec);
    if (!reader->decoder)
        return MCV_FAIL_MEMORY(sizeof *reader->decoder);
    int error = avcodec_parameters_to_context(reader->decoder, stream_of(reader)->codecpar);
    reader->decoder->pkt_timebase = stream_of(reader)->time_base;
    reader->decoder->thread_count = threads;
    reader->decoder->max_pixels = MCV_MAX_PIXELS;
    if (error >= 0)
        error = avcodec_open2(reader->decoder, codec, NULL);
    return error < 0 ? mcv_libav_fail(reader->path, codec->name, error) : MCV_OK;
}

static mcv_status allocate(libav_reader *reader) {
    reader->packet = av_packet_alloc();
    reader->current = av_frame_alloc();
    reader->next = av_frame_alloc();
    if (!reader->packet || !reader->current || !reader->next)
        return MCV_FAIL_MEMORY(sizeof(AVFrame));
    return mcv_rgb_converter_init(&reader->rgb, reader->path);
}

static void close_reader(mcv_video *video) {
    libav_reader *reader = video->reader;
    mcv_rgb_converter_free(&reader->rgb);
    mcv_libav_index_free(&reader->index);
    free(reader->expected);
    av_packet_free(&reader->packet);
    av_frame_free(&reader->current);
    av_frame_free(&reader->next);
    avcodec_free_context(&reader->decoder);
    avformat_close_input(&reader->format);
    free(reader);
}

/* ---- Packets ----------------------------------------------------------------------------------------------------- */

static void forget_pictures(libav_reader *reader) {
    avcodec_flush_buffers(reader->decoder);
    av_packet_unref(reader->packet);
    reader->has_packet = reader->has_current = reader->has_next = false;
    reader->draining = reader->ended = false;
    reader->pictures_out = 0;
}

/* The file is opened anew: not every format can be sought in, nor comes back to the state of the first reading. */
static mcv_status start_over(libav_reader *reader) {
    forget_pictures(reader);
    avformat_close_input(&reader->format);
    MCV_TRY(open_format(reader));
    if (reader->stream_number >= (int)reader->format->nb_streams)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: the file has changed while it was read", reader->path);
    read_this_stream_only(reader);
    reader->packets_read = 0;
    return MCV_OK;
}

static bool read_packet(libav_reader *reader) {
    while (av_read_frame(reader->format, reader->packet) >= 0) {
        if (mcv_libav_packet_counts(reader->packet, stream_of(reader))) {
            reader->packets_read++;
            return true;
        }
        av_packet_unref(reader->packet);
    }
    return false;
}

/* ---- Decoding ---------------------------------------------------------------------------------------------------- */

/* Whether a non-reference picture of this codec can be left out without a change in any other. (HEVC's may be referred
 * to from a higher temporal layer.) */
static bool can_leave_out(enum AVCodecID codec) {
    return codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_MPEG1VIDEO || codec == AV_CODEC_ID_MPEG2VIDEO ||
           codec == AV_CODEC_ID_MPEG4;
}

static bool is_expected(const libav_reader *reader, int64_t pts) {
    size_t low = 0, high = reader->num_expected; /* those below `low` are before pts, those from `high` on are not */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (reader->expected[middle] < pts)
            low = middle + 1;
        else
            high = middle;
    }
    return low < reader->num_expected && reader->expected[low] == pts;
}

/* What cannot be decoded is passed over, as ffmpeg does. */
static void feed_decoder(libav_reader *reader) {
    if (!reader->has_packet && !read_packet(reader)) {
        avcodec_send_packet(reader->decoder, NULL);
        reader->draining = true;
        return;
    }
    bool needed = !reader->expected || is_expected(reader, reader->packet->pts);
    reader->decoder->skip_frame = needed ? AVDISCARD_DEFAULT : AVDISCARD_NONREF;
    avcodec_send_packet(reader->decoder, reader->packet);
    av_packet_unref(reader->packet);
    reader->has_packet = false;
}

/* Decodes the next picture into reader->next; has_next stays false at the end. */
static void decode_next(libav_reader *reader) {
    enum { MOST_ERRORS_AT_THE_END = 64 }; /* more than a decoder holds back */
    int errors_at_the_end = 0;
    while (!reader->has_next && !reader->ended) {
        int error = avcodec_receive_frame(reader->decoder, reader->next);
        if (error >= 0)
            reader->has_next = true;
        else if (!reader->draining)
            feed_decoder(reader);
        else
            reader->ended = error == AVERROR_EOF || ++errors_at_the_end == MOST_ERRORS_AT_THE_END;
    }
    if (!reader->has_next)
        return;
    if (reader->index.by_number)
        reader->next->pts = reader->pictures_out;
    else if (reader->next->pts == AV_NOPTS_VALUE)
        reader->next->pts = reader->next->best_effort_timestamp;
    reader->pictures_out++;
}

static void take_next(libav_reader *reader) {
    AVFrame *passed = reader->current;
    reader->current = reader->next;
    reader->next = passed;
    reader->has_current = true;
    reader->has_next = false;
}

/* ---- Moving to a picture ----------------------------------------------------------------------------------------- */

/* Whether the first picture out is the key's own. Otherwise the stream is made whole bit by bit (H.264 with intra
 * refresh), and its pictures are right only where decoding has begun at the start: then no key is used any more. */
static bool shows_itself(libav_reader *reader, const mcv_libav_key *key) {
    decode_next(reader);
    if (reader->has_next && reader->next->pts <= key->pts)
        return true;
    reader->index.num_keys = 0;
    return false;
}

/* Seeks to about `time` and reads on to a key that is not behind the wanted one. */
static bool seek_to(libav_reader *reader, int64_t time, const mcv_libav_key *wanted) {
    if (time == AV_NOPTS_VALUE || av_seek_frame(reader->format, reader->stream_number, time, AVSEEK_FLAG_BACKWARD) < 0)
        return false;
    forget_pictures(reader);
    while (read_packet(reader)) {
        const mcv_libav_key *found = mcv_libav_index_key_at(&reader->index, reader->packet->pts);
        if (reader->packet->flags & AV_PKT_FLAG_KEY && found) {
            reader->has_packet = found->packet <= wanted->packet;
            reader->packets_read = found->packet + 1;
            return reader->has_packet && shows_itself(reader, found);
        }
        av_packet_unref(reader->packet);
    }
    return false;
}

/* Formats differ in whether they seek by the time of showing or of decoding. */
static mcv_status go_to_key(libav_reader *reader, const mcv_libav_key *key) {
    if (key && key->packet > 0 && (seek_to(reader, key->pts, key) || seek_to(reader, key->dts, key)))
        return MCV_OK;
    return start_over(reader);
}

/* Decoding begins anew where it would have to go back, or where it could pass over packets. */
static mcv_status approach(libav_reader *reader, int64_t pts) {
    if (reader->has_current && reader->current->pts == pts)
        return MCV_OK;
    const mcv_libav_key *key = mcv_libav_index_key_before(&reader->index, pts);
    bool goes_back = reader->has_current && reader->current->pts > pts;
    bool can_skip = key && key->packet > reader->packets_read;
    return goes_back || can_skip ? go_to_key(reader, key) : MCV_OK;
}

/* `current` becomes the picture shown at `pts`: the last that is not behind it, or the first of all. */
static mcv_status decode_up_to(libav_reader *reader, int64_t pts) {
    while (!reader->has_current || reader->current->pts < pts) {
        decode_next(reader);
        if (!reader->has_next || (reader->has_current && reader->next->pts > pts))
            break;
        take_next(reader);
    }
    if (!reader->has_current)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: no picture can be decoded", reader->path);
    return MCV_OK;
}

static mcv_status read_libav(mcv_video *video, int64_t index, mcv_image *image) {
    libav_reader *reader = video->reader;
    int64_t pts = reader->index.pts[index];
    MCV_TRY(approach(reader, pts));
    MCV_TRY(decode_up_to(reader, pts));
    if (reader->current->pts != pts)
        mcv_video_remark(video, "picture %lld, at %.3f s, cannot be decoded: the one before or after stands in",
                         (long long)index, video->times[index]);
    return mcv_rgb_convert(&reader->rgb, reader->current, image);
}

static mcv_status expect_libav(mcv_video *video, const int64_t *indices, size_t count) {
    libav_reader *reader = video->reader;
    if (reader->index.by_number || !can_leave_out(reader->decoder->codec_id))
        return MCV_OK;
    free(reader->expected);
    MCV_TRY(MCV_NEW(&reader->expected, count));
    reader->num_expected = count;
    for (size_t i = 0; i < count; i++)
        reader->expected[i] = reader->index.pts[indices[i]];
    return start_over(reader); /* what was decoded ahead is as it was asked for before */
}

/* ---- About the video --------------------------------------------------------------------------------------------- */

static mcv_status set_times(mcv_video *video, const libav_reader *reader) {
    static const double UNKNOWN_FPS = 25; /* what libavformat takes where a format has neither times nor a rate */
    const mcv_libav_index *index = &reader->index;
    const int64_t *times = index->steps ? index->steps : index->pts;
    AVRational rate = stream_of(reader)->avg_frame_rate;
    double unit = av_q2d(stream_of(reader)->time_base), fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
    if (index->by_number && !index->steps) {
        unit = 1 / (fps > 0 ? fps : UNKNOWN_FPS);
        video->last_duration = unit;
    } else {
        video->last_duration = (double)index->last_duration * unit;
        video->time_precision = unit;
    }
    video->info.container_fps = fps;
    video->info.frame_count = (int64_t)index->count;
    MCV_TRY(MCV_NEW(&video->times, index->count));
    for (size_t i = 0; i < index->count; i++)
        video->times[i] = ((double)times[i] - (double)times[0]) * unit;
    return MCV_OK;
}

/* All pictures are to have the first one's size and orientation. */
static mcv_status learn_size(mcv_video *video, libav_reader *reader) {
    MCV_TRY(decode_up_to(reader, reader->index.pts[0]));
    const AVFrame *first = reader->current;
    double angle;
    mcv_orientation orientation = mcv_libav_orientation(stream_of(reader), first, &angle);
    if (angle != 0)
        mcv_video_remark(video, "to be turned by %g degrees, which is left out: only multiples of 90 are followed",
                         angle);
    reader->rgb.orientation = orientation;
    reader->rgb.width = video->info.width = orientation.transpose ? first->height : first->width;
    reader->rgb.height = video->info.height = orientation.transpose ? first->width : first->height;
    return MCV_OK;
}

mcv_status mcv_video_open_libav(mcv_video *video, const mcv_video_options *options) {
    libav_reader *reader;
    const AVCodec *codec = NULL;
    MCV_TRY(MCV_NEW(&reader, 1));
    reader->path = video->path;
    video->reader = reader;
    video->close = close_reader;
    video->read = read_libav;
    video->expect = expect_libav;
    av_log_set_level(AV_LOG_QUIET); /* failures are told by statuses */
    MCV_TRY(allocate(reader));
    MCV_TRY(open_format(reader));
    MCV_TRY(find_stream(reader, &codec));
    MCV_TRY(open_decoder(reader, codec, options->threads));
    read_this_stream_only(reader);
    MCV_TRY(mcv_libav_index_read(reader->format, stream_of(reader), reader->packet, &reader->index));
    if (reader->index.count == 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: a video without pictures", video->path);
    video->info.format = reader->format->iformat->name;
    MCV_TRY(set_times(video, reader));
    MCV_TRY(start_over(reader));
    return learn_size(video, reader);
}
