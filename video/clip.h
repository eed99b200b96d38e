/* A video, or a section of it, as the model is to see it: the frames that were chosen, with their times and groups. */
#ifndef MCV_VIDEO_CLIP_H
#define MCV_VIDEO_CLIP_H

#include "video/frame_sampling.h"
#include "video/video.h"

/* mcv_clip_options and its defaults are public: include/minicpmv.h. */

typedef struct mcv_clip {
    mcv_video *video;
    double duration;             /* seconds, of the section */
    mcv_frame_sampling sampling; /* frame_indices and timestamps count from the video's start, temporal_ids from the
                                    section's, as if it had been cut out before */
} mcv_clip;

/* MCV_USAGE: a section without pictures. Otherwise as mcv_video_open and mcv_sample_frames. */
mcv_status mcv_clip_open(const char *path, const mcv_clip_options *options, mcv_clip *clip);
void mcv_clip_close(mcv_clip *clip);

/* Frame number `position` of the sampling; to be read in ascending order, which is fast. */
mcv_status mcv_clip_read(const mcv_clip *clip, int position, mcv_image *image);

#endif
