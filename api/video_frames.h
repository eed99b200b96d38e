/* A video's frames in memory, for a conversation. */
#ifndef MCV_API_VIDEO_FRAMES_H
#define MCV_API_VIDEO_FRAMES_H

#include "ref/image_processing_minicpmv.h"

/* mcv_video_load, for the images of one processor. */
mcv_status mcv_video_frames_load(const MiniCPMVImageProcessor *processor, const char *path,
                                 const mcv_clip_options *options, int max_slice_nums, mcv_video_frames *frames);

#endif
