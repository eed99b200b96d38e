#include "api/video_frames.h"

#include <xxhash.h>

#include "video/clip.h"

/* ---- Frames that are read again ---------------------------------------------------------------------------------- */

typedef struct unread_frame {
    mcv_unread_image base;
    struct mcv_frame_reader *reader;
    int position;
    int64_t index; /* in the video */
    int width, height;
} unread_frame;

struct mcv_frame_reader {
    mcv_video *video;
    unread_frame *frames; /* [num_frames] */
    /* Of each remainder of a position the newest frame: a group shows a slice of all its frames, then the next slice.
     */
    mcv_image recent[MCV_MAX_PACKING];
    int positions[MCV_MAX_PACKING]; /* -1: none */
};

static mcv_status read_again(const unread_frame *frame, mcv_image *image) {
    MCV_TRY(mcv_video_read(frame->reader->video, frame->index, image));
    if (image->width == frame->width && image->height == frame->height)
        return MCV_OK;
    mcv_status status = MCV_FAIL(
        MCV_BAD_INPUT, "picture %lld of a video has become %d x %d pixels, after %d x %d: its file has changed",
        (long long)frame->index, image->width, image->height, frame->width, frame->height);
    mcv_image_free(image);
    return status;
}

static mcv_status read_unread(const mcv_unread_image *self, mcv_image *image) {
    const unread_frame *frame = (const unread_frame *)self;
    int slot = frame->position % MCV_MAX_PACKING, *position = &frame->reader->positions[slot];
    mcv_image *recent = &frame->reader->recent[slot];
    if (*position != frame->position) {
        *position = -1;
        mcv_image_free(recent);
        MCV_TRY(read_again(frame, recent));
        *position = frame->position;
    }
    *image = *recent;
    return MCV_OK;
}

static mcv_status new_reader(int num_frames, struct mcv_frame_reader **reader) {
    MCV_TRY(MCV_NEW(reader, 1));
    for (int i = 0; i < MCV_MAX_PACKING; i++)
        (*reader)->positions[i] = -1;
    return MCV_NEW(&(*reader)->frames, (size_t)num_frames);
}

static void free_reader(struct mcv_frame_reader *reader) {
    if (!reader)
        return;
    for (int i = 0; i < MCV_MAX_PACKING; i++)
        mcv_image_free(&reader->recent[i]);
    mcv_video_close(reader->video);
    free(reader->frames);
    free(reader);
}

/* A frame's pixels go, to be read again. */
static mcv_status put_off(mcv_video_frames *frames, int position) {
    mcv_image *image = &frames->frames[position];
    if (!frames->reader)
        MCV_TRY(new_reader(frames->num_frames, &frames->reader));
    unread_frame *frame = &frames->reader->frames[position];
    *frame =
        (unread_frame){.base = {read_unread, XXH3_64bits(image->rgb, (size_t)image->width * (size_t)image->height * 3)},
                       .reader = frames->reader,
                       .position = position,
                       .index = frames->frame_indices[position],
                       .width = image->width,
                       .height = image->height};
    mcv_image_free(image);
    *image = (mcv_image){.width = frame->width, .height = frame->height, .unread = &frame->base};
    return MCV_OK;
}

/* ---- Loading ----------------------------------------------------------------------------------------------------- */

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

/* One frame at a time has its full size. The video is the reader's then, where there is one. */
static mcv_status read_frames(const MiniCPMVImageProcessor *processor, mcv_clip *clip, const mcv_clip_options *options,
                              int max_slice_nums, mcv_video_frames *frames) {
    for (int i = 0; i < frames->num_frames; i++) {
        bool is_small;
        MCV_TRY(mcv_clip_read(clip, i, &frames->frames[i]));
        MCV_TRY(MiniCPMVImageProcessor_resize_ahead(processor, max_slice_nums, &frames->frames[i], &is_small));
        if (!is_small)
            MCV_TRY(put_off(frames, i));
        if (options->progress)
            options->progress(options->progress_context, i + 1, frames->num_frames);
    }
    const char *remark = mcv_video_get_info(clip->video)->remark;
    if (remark)
        MCV_TRY(mcv_strdup(&frames->remark, remark));
    if (frames->reader) {
        frames->reader->video = clip->video;
        clip->video = NULL;
    }
    return MCV_OK;
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
    free_reader(frames->reader);
    free(frames->frames);
    free(frames->frame_indices);
    free(frames->timestamps);
    free(frames->temporal_ids);
    free(frames->groups);
    free(frames->remark);
    *frames = (mcv_video_frames){0};
}
