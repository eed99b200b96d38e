/* Which frames of a video the model sees, and the time that it is told of each. The model card's encode_video
 * (README.md of MiniCPM-V 4.5), in the same arithmetic, so that indices and ids are equal. */
#ifndef MCV_VIDEO_FRAME_SAMPLING_H
#define MCV_VIDEO_FRAME_SAMPLING_H

#include "core/memory.h"

enum { MCV_MAX_PACKING = 6 }; /* frames that the 3D-Resampler was trained to join */

typedef struct mcv_sampling_options {
    double fps;        /* frames wanted a second. Card: choose_fps */
    int max_frames;    /* groups at most, where packing can help it. Card: MAX_NUM_FRAMES */
    int max_packing;   /* frames a group at most, 1 to MCV_MAX_PACKING. Card: MAX_NUM_PACKING */
    int force_packing; /* frames a group, but max_packing at most; 0: as few as keep within max_frames */
} mcv_sampling_options;

/* 3 frames a second, 180 groups, 3 frames a group, nothing forced. */
mcv_sampling_options mcv_sampling_options_default(void);

typedef struct mcv_frame_sampling {
    int num_frames;         /* at least 1 */
    int64_t *frame_indices; /* [num_frames]: numbers in display order, ascending; a number may come twice */
    double *timestamps;     /* [num_frames]: seconds */
    int32_t *temporal_ids;  /* [num_frames]: timestamps in ticks of 0.1 s */
    int packing;            /* frames a group; the last group may be shorter */
    int num_groups;
} mcv_frame_sampling;

/* Chooses among `frame_count` frames that last frame_count / fps seconds. times: [frame_count] the frames' seconds, the
 * first 0, for videos of a variable frame rate; NULL: frame i is shown at i / fps, as the card has it.
 *
 * At an exact tie between two ticks the earlier one is taken (the card's cKDTree takes either). Where the card would
 * choose no frame at all, and divide by zero, the video's rate is not rounded and one frame is taken at least.
 * MCV_BAD_INPUT: no frames, a frame rate that is not positive, a video that is too long for an int32 tick.
 * MCV_USAGE: an option out of its range. Release with mcv_frame_sampling_free. */
mcv_status mcv_sample_frames(int64_t frame_count, double fps, const double *times, const mcv_sampling_options *options,
                             mcv_frame_sampling *sampling);
void mcv_frame_sampling_free(mcv_frame_sampling *sampling);

/* Frames of group number `group`: *first and the return value are a position and a count in the arrays above. */
int mcv_frame_sampling_group(const mcv_frame_sampling *sampling, int group, int *first);

#endif
