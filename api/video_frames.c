#include "api/video_frames.h"

#include "video/clip.h"

/* The clip's lists become the frames'. */
static mcv_status take_sampling(mcv_frame_sampling *sampling, mcv_video_frames *frames) {
    frames->num_frames = sampling->num_frames;
    frames->frame_indices = sampling->frame_indices;
    frames->timestamps = sampling->timestamps;
    frames->temporal_ids = sampling->temporal_ids;
    frames->num_groups = sampling->num_groups;
    MCV_TRY(MCV_NEW(&frames->groups, (size_t)sampling->num_groups));
    for (int group = 0; group < sampling->num_groups; group++) {
        int first, count = mcv_frame_sampling_group(sampling, group, &first);
        frames->groups[group] = (mcv_frame_group){count, frames->temporal_ids + first};
    }
    return MCV_NEW(&frames->frames, (size_t)frames->num_frames);
}

/* One frame at a time has its full size. */
static mcv_status read_frames(const MiniCPMVImageProcessor *processor, const mcv_clip *clip,
                              const mcv_clip_options *options, int max_slice_nums, mcv_video_frames *frames) {
    for (int i = 0; i < frames->num_frames; i++) {
        MCV_TRY(mcv_clip_read(clip, i, &frames->frames[i]));
        MCV_TRY(MiniCPMVImageProcessor_resize_ahead(processor, max_slice_nums, &frames->frames[i]));
        if (options->progress)
            options->progress(options->progress_context, i + 1, frames->num_frames);
    }
    const char *remark = mcv_video_get_info(clip->video)->remark;
    return remark ? mcv_strdup(&frames->remark, remark) : MCV_OK;
}

mcv_status mcv_video_frames_load(const MiniCPMVImageProcessor *processor, const char *path,
                                 const mcv_clip_options *options, int max_slice_nums, mcv_video_frames *frames) {
    mcv_clip clip;
    *frames = (mcv_video_frames){0};
    MCV_TRY(mcv_clip_open(path, options, &clip));
    mcv_status status = take_sampling(&clip.sampling, frames);
    if (status == MCV_OK)
        status = read_frames(processor, &clip, options, max_slice_nums, frames);
    clip.sampling = (mcv_frame_sampling){0};
    mcv_clip_close(&clip);
    if (status != MCV_OK)
        mcv_video_frames_free(frames);
    return status;
}

void mcv_video_frames_free(mcv_video_frames *frames) {
    for (int i = 0; frames->frames && i < frames->num_frames; i++)
        mcv_image_free(&frames->frames[i]);
    free(frames->frames);
    free(frames->frame_indices);
    free(frames->timestamps);
    free(frames->temporal_ids);
    free(frames->groups);
    free(frames->remark);
    *frames = (mcv_video_frames){0};
}
