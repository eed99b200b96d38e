/* What the readers of video formats share with video.c. */
#ifndef MCV_VIDEO_VIDEO_BACKEND_H
#define MCV_VIDEO_VIDEO_BACKEND_H

#include "formats/image_decoders.h"
#include "video/video.h"

/* A reader fills in format, frame_count, width, height, container_fps and `times`; the rest follows from them. */
struct mcv_video {
    char *path;
    mcv_video_info info;
    double *times;         /* [frame_count] */
    double last_duration;  /* seconds that the last picture is shown; 0: not known */
    double time_precision; /* seconds: what the file rounds its times to */
    mcv_status (*read)(mcv_video *video, int64_t index, mcv_image *image);        /* index is within frame_count */
    mcv_status (*expect)(mcv_video *video, const int64_t *indices, size_t count); /* NULL: it would save nothing */
    void (*close)(mcv_video *video);                                              /* releases `reader` */
    void *reader;
    char *remark;
};

/* Sets info.remark, unless there is one already. */
void mcv_video_remark(mcv_video *video, const char *format, ...) MCV_PRINTF(2, 3);

/* Each opens video->path. On failure video->close is called where it has been set. */
mcv_status mcv_video_open_folder(mcv_video *video, const mcv_video_options *options);
mcv_status mcv_video_open_libav(mcv_video *video, const mcv_video_options *options);
mcv_status mcv_video_open_webp(mcv_video *video);
mcv_status mcv_video_open_y4m(mcv_video *video);

#endif
