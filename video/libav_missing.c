/* Stands in for video_libav.c in builds without FFmpeg's libraries. */
#include "video/video_backend.h"

const bool mcv_video_has_libav = false;

mcv_status mcv_video_open_libav(mcv_video *video, const mcv_video_options *options) {
    (void)options;
    return MCV_FAIL(MCV_UNSUPPORTED,
                    "%s: this build reads Y4M, animated WebP and folders of images only; for mp4, mkv, webm, mov, avi, "
                    "GIF and others it lacks FFmpeg's libraries (Debian: libavformat-dev libavcodec-dev "
                    "libswscale-dev libavutil-dev)",
                    video->path);
}
