#include "video/libav_index.h"

bool mcv_libav_packet_counts(const AVPacket *packet, const AVStream *stream) {
    return packet->stream_index == stream->index && packet->size > 0;
}

/* A picture that others refer to and that is never shown itself: cut off by an edit list, or without VP8's show_frame
 * bit (RFC 6386, 9.1). */
static bool is_hidden(const AVPacket *packet, const AVStream *stream) {
    return packet->flags & AV_PKT_FLAG_DISCARD ||
           (stream->codecpar->codec_id == AV_CODEC_ID_VP8 && !(packet->data[0] & 16));
}

/* What precedes a key in the file is shown before it; where it is not, the times have jumped back. */
static mcv_status add_key(const AVPacket *packet, int64_t number, int64_t newest_pts, mcv_libav_index *index) {
    if (number > 0 && packet->pts <= newest_pts)
        index->by_number = true;
    MCV_TRY(MCV_GROW(&index->keys, &index->key_capacity, index->num_keys + 1));
    index->keys[index->num_keys++] = (mcv_libav_key){packet->pts, packet->dts, number};
    return MCV_OK;
}

/* *newest_pts: of the packets before. */
static mcv_status add_packet(const AVPacket *packet, const AVStream *stream, int64_t number, int64_t *newest_pts,
                             mcv_libav_index *index) {
    if (packet->pts == AV_NOPTS_VALUE)
        index->by_number = true;
    if (packet->flags & AV_PKT_FLAG_KEY)
        MCV_TRY(add_key(packet, number, *newest_pts, index));
    bool is_newest = number == 0 || packet->pts > *newest_pts;
    if (is_newest)
        *newest_pts = packet->pts;
    if (is_hidden(packet, stream))
        return MCV_OK;
    if (is_newest || packet->pts == AV_NOPTS_VALUE)
        index->last_duration = packet->duration;
    MCV_TRY(MCV_GROW(&index->pts, &index->capacity, index->count + 1));
    MCV_TRY(MCV_GROW(&index->steps, &index->step_capacity, index->count + 1));
    index->steps[index->count] = packet->dts;
    index->pts[index->count++] = packet->pts;
    return MCV_OK;
}

static int compare_pts(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* false where two have the same time. */
static bool sort_pts(mcv_libav_index *index) {
    if (index->count > 0)
        qsort(index->pts, index->count, sizeof *index->pts, compare_pts);
    for (size_t i = 1; i < index->count; i++)
        if (index->pts[i] == index->pts[i - 1])
            return false;
    return true;
}

static void forget_steps(mcv_libav_index *index) {
    free(index->steps);
    index->steps = NULL;
}

/* Whether no packet has a time of showing, and all have times of decoding that ascend. */
static bool steps_are_known(const mcv_libav_index *index) {
    for (size_t i = 0; i < index->count; i++)
        if (index->pts[i] != AV_NOPTS_VALUE || index->steps[i] == AV_NOPTS_VALUE ||
            (i > 0 && index->steps[i] <= index->steps[i - 1]))
            return false;
    return true;
}

static void number_pictures(mcv_libav_index *index) {
    index->by_number = true;
    for (size_t i = 0; i < index->count; i++)
        index->pts[i] = (int64_t)i;
    index->num_keys = 0;
}

mcv_status mcv_libav_index_read(AVFormatContext *format, const AVStream *stream, AVPacket *packet,
                                mcv_libav_index *index) {
    int64_t number = 0, newest_pts = 0;
    *index = (mcv_libav_index){0};
    while (av_read_frame(format, packet) >= 0) {
        mcv_status status = MCV_OK;
        if (mcv_libav_packet_counts(packet, stream))
            status = add_packet(packet, stream, number++, &newest_pts, index);
        av_packet_unref(packet);
        MCV_TRY(status);
    }
    if (!index->by_number || !steps_are_known(index))
        forget_steps(index);
    if (index->by_number || !sort_pts(index))
        number_pictures(index);
    return MCV_OK;
}

void mcv_libav_index_free(mcv_libav_index *index) {
    free(index->pts);
    free(index->steps);
    free(index->keys);
    *index = (mcv_libav_index){0};
}

const mcv_libav_key *mcv_libav_index_key_before(const mcv_libav_index *index, int64_t pts) {
    size_t low = 0, high = index->num_keys; /* keys below `low` are not behind pts, those from `high` on are */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->keys[middle].pts <= pts)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? &index->keys[low - 1] : NULL;
}

const mcv_libav_key *mcv_libav_index_key_at(const mcv_libav_index *index, int64_t pts) {
    const mcv_libav_key *key = mcv_libav_index_key_before(index, pts);
    return key && key->pts == pts ? key : NULL;
}
