/* Videos as numbered pictures: mp4, mkv, webm, mov, avi, GIF, APNG and what else FFmpeg's libraries read (where the
 * build has them), animated WebP, Y4M, and folders of images.
 *
 *     mcv_video *video;
 *     MCV_TRY(mcv_video_open(path, NULL, &video));
 *     for (int64_t i = 0; status == MCV_OK && i < mcv_video_get_info(video)->frame_count; i += 10) {
 *         status = mcv_video_read(video, i, &image);
 *         ...
 *         mcv_image_free(&image);
 *     }
 *     mcv_video_close(video);
 *
 * One picture is decoded at a time, so memory does not grow with the length. Pictures are turned as the file says that
 * they are to be shown. */
#ifndef MCV_VIDEO_VIDEO_H
#define MCV_VIDEO_VIDEO_H

#include "formats/image.h"

typedef struct mcv_video mcv_video;

typedef struct mcv_video_options {
    double frame_rate;      /* of a folder of images, frames a second; 0: not given */
    const char *timestamps; /* of a folder of images: a file with a time in seconds a line, or one in mkvmerge's
                               "timestamp format v2", which may have the end behind them; NULL: none */
    int threads;            /* of the decoder; 0: its own choice */
} mcv_video_options;

typedef struct mcv_video_info {
    const char *format;   /* "Y4M", "mov,mp4,m4a,3gp,3g2,mj2" */
    int64_t frame_count;  /* pictures that are shown, at least 1 */
    int width, height;    /* of the first picture, turned. In a folder of images others may differ */
    double container_fps; /* the average frame rate that the file states, as decord's get_avg_fps; 0: none */
    double fps;           /* frame_count / fps is the duration in seconds, the last picture's included */
    bool variable_rate;   /* picture i is not shown at i / container_fps: fps follows from the times */
    const double *times;  /* [frame_count]: when each is shown, seconds after the first; ascending */
    const char *remark; /* the first thing found amiss that does not keep the file from being read; NULL: none so far */
} mcv_video_info;

/* Whether this build has FFmpeg's libraries. Without them only Y4M, animated WebP and folders of images are read. */
extern const bool mcv_video_has_libav;

/* options NULL: none. MCV_BAD_INPUT: a file that is missing, damaged or without pictures. MCV_UNSUPPORTED: a format
 * that this build does not read. MCV_USAGE: a frame rate or timestamps missing for a folder, or given for something
 * else. */
mcv_status mcv_video_open(const char *path, const mcv_video_options *options, mcv_video **video);
void mcv_video_close(mcv_video *video);

const mcv_video_info *mcv_video_get_info(const mcv_video *video);

/* Says ahead which pictures will be read: from then on only these, ascending. Saves decoding what they do not need. */
mcv_status mcv_video_expect(mcv_video *video, const int64_t *indices, size_t count);

/* Picture `index` in the order in which they are shown. Forward is fast; a step back decodes from the last key frame
 * before. Where a picture cannot be decoded, the one shown before it stands in, with a
 * remark in the video's info. All pictures of a file
 * have the size of the first; one that differs is scaled. Release with mcv_image_free. */
mcv_status mcv_video_read(mcv_video *video, int64_t index, mcv_image *image);

#endif
