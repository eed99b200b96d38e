/* Failures of FFmpeg's libraries as statuses. */
#ifndef MCV_VIDEO_LIBAV_ERROR_H
#define MCV_VIDEO_LIBAV_ERROR_H

#include <libavutil/error.h>

#include "core/memory.h"

/* "PATH: what: FFmpeg's words". */
static inline mcv_status mcv_libav_fail(const char *path, const char *what, int error) {
    char words[AV_ERROR_MAX_STRING_SIZE] = "";
    if (error == AVERROR(ENOMEM))
        return MCV_FAIL(MCV_NO_MEMORY, "%s: %s: out of memory", path, what);
    av_strerror(error, words, sizeof words);
    return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: %s", path, what, words);
}

#endif
