/* What a video file holds, learned by reading it once without decoding: when its pictures are shown and where decoding
 * can begin. */
#ifndef MCV_VIDEO_LIBAV_INDEX_H
#define MCV_VIDEO_LIBAV_INDEX_H

#include <libavformat/avformat.h>

#include "core/memory.h"

/* A packet from which decoding can begin. */
typedef struct mcv_libav_key {
    int64_t pts, dts;
    int64_t packet; /* its number among the stream's packets, in the file's order */
} mcv_libav_key;

/* Where the packets' times cannot tell the pictures apart (none are given, two are alike, or they jump back),
 * `by_number` is set: pictures are known by their number in the order in which they come out of the decoder, the first
 * 0, and decoding begins at the start alone. Where packets have times of decoding in place of those of showing (H.264
 * in AVI), as many pictures are shown at the same steps, and `steps` has them. */
typedef struct mcv_libav_index {
    int64_t *pts; /* [count]: of the pictures that are shown, ascending, in the stream's time base; or their numbers */
    size_t count, capacity;
    int64_t *steps; /* [count]: ascending, in the time base; NULL: not known, or not by number */
    size_t step_capacity;
    mcv_libav_key *keys; /* [num_keys]: ascending in all members */
    size_t num_keys, key_capacity;
    int64_t last_duration; /* of the last picture, in the time base; 0: not given */
    bool by_number;
} mcv_libav_index;

/* Reads the rest of the file. Where it is damaged, the index ends there. Release with mcv_libav_index_free, also after
 * a failure. */
mcv_status mcv_libav_index_read(AVFormatContext *format, const AVStream *stream, AVPacket *packet,
                                mcv_libav_index *index);
void mcv_libav_index_free(mcv_libav_index *index);

/* The last key that is not behind `pts`; NULL where there is none. */
const mcv_libav_key *mcv_libav_index_key_before(const mcv_libav_index *index, int64_t pts);
/* The key of this time, NULL where there is none. */
const mcv_libav_key *mcv_libav_index_key_at(const mcv_libav_index *index, int64_t pts);

/* Whether a packet counts: it belongs to the stream and holds something. */
bool mcv_libav_packet_counts(const AVPacket *packet, const AVStream *stream);

#endif
