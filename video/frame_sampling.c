#include "video/frame_sampling.h"

#include <limits.h>
#include <math.h>

static const double TIME_SCALE = 0.1; /* seconds a tick */

mcv_sampling_options mcv_sampling_options_default(void) {
    return (mcv_sampling_options){.fps = 3, .max_frames = 180, .max_packing = 3};
}

static mcv_status check_options(const mcv_sampling_options *options) {
    if (!(options->fps > 0 && isfinite(options->fps)))
        return MCV_FAIL(MCV_USAGE, "%g frames a second: expected a positive number", options->fps);
    if (options->max_frames < 1)
        return MCV_FAIL(MCV_USAGE, "at most %d frames: expected 1 or more", options->max_frames);
    if (options->max_packing < 1 || options->max_packing > MCV_MAX_PACKING)
        return MCV_FAIL(MCV_USAGE, "at most %d frames a group: expected 1 to %d", options->max_packing,
                        MCV_MAX_PACKING);
    if (options->force_packing < 0 || options->force_packing > MCV_MAX_PACKING)
        return MCV_FAIL(MCV_USAGE, "%d frames a group: expected 1 to %d", options->force_packing, MCV_MAX_PACKING);
    return MCV_OK;
}

static mcv_status check_video(int64_t frame_count, double fps) {
    if (frame_count < 1)
        return MCV_FAIL(MCV_BAD_INPUT, "a video without frames");
    if (!(fps > 0 && isfinite(fps)))
        return MCV_FAIL(MCV_BAD_INPUT, "a video of %g frames a second", fps);
    if ((double)frame_count / fps / TIME_SCALE > INT32_MAX - 1)
        return MCV_FAIL(MCV_BAD_INPUT, "a video of %g seconds: too long to number its tenths of a second",
                        (double)frame_count / fps);
    return MCV_OK;
}

/* How many frames, and how many of them a group. Python's round() and C's rint() both round ties to even. */
static mcv_status choose_count(double fps, double duration, const mcv_sampling_options *options, int *count,
                               int *packing) {
    double frames, most = options->max_frames;
    if (options->fps * trunc(duration) <= most) {
        *packing = 1;
        frames = rint(fmin(options->fps, rint(fps)) * fmin(most, duration));
        if (frames < 1) /* the card would divide by zero */
            frames = fmax(rint(fmin(options->fps, fps) * fmin(most, duration)), 1);
    } else {
        double needed = ceil(duration * options->fps / most);
        bool enough = needed <= options->max_packing;
        *packing = enough ? (int)needed : options->max_packing;
        frames = enough ? rint(duration * options->fps) : most * options->max_packing;
    }
    if (options->force_packing)
        *packing = options->force_packing < options->max_packing ? options->force_packing : options->max_packing;
    if (frames > INT_MAX)
        return MCV_FAIL(MCV_USAGE, "%g frames at once", frames);
    *count = (int)frames;
    return MCV_OK;
}

/* Card: uniform_sample. The middles of `count` equal parts. */
static void sample_uniformly(int64_t frame_count, int count, int64_t *indices /* [count] */) {
    double gap = (double)frame_count / count;
    for (int i = 0; i < count; i++)
        indices[i] = (int64_t)(i * gap + gap / 2);
}

/* Card: map_to_nearest_scale, then division by the scale and the cast to int32, which truncates. */
static int32_t nearest_tick(double timestamp, int64_t num_ticks) {
    int64_t guess = (int64_t)(timestamp / TIME_SCALE), nearest = -1;
    for (int64_t tick = guess - 1; tick <= guess + 1; tick++) {
        int64_t within = tick < 0 ? 0 : tick >= num_ticks ? num_ticks - 1 : tick;
        if (nearest < 0 ||
            fabs(timestamp - (double)within * TIME_SCALE) < fabs(timestamp - (double)nearest * TIME_SCALE))
            nearest = within;
    }
    return (int32_t)((double)nearest * TIME_SCALE / TIME_SCALE);
}

mcv_status mcv_sample_frames(int64_t frame_count, double fps, const double *times, const mcv_sampling_options *options,
                             mcv_frame_sampling *sampling) {
    int count = 0;
    *sampling = (mcv_frame_sampling){0};
    MCV_TRY(check_options(options));
    MCV_TRY(check_video(frame_count, fps));
    double duration = (double)frame_count / fps;
    MCV_TRY(choose_count(fps, duration, options, &count, &sampling->packing));

    mcv_status status;
    MCV_TRY_GOTO(status, failed, MCV_NEW(&sampling->frame_indices, (size_t)count));
    MCV_TRY_GOTO(status, failed, MCV_NEW(&sampling->timestamps, (size_t)count));
    MCV_TRY_GOTO(status, failed, MCV_NEW(&sampling->temporal_ids, (size_t)count));
    sampling->num_frames = count;
    sampling->num_groups = (count - 1) / sampling->packing + 1;
    sample_uniformly(frame_count, count, sampling->frame_indices);
    int64_t num_ticks = (int64_t)ceil(duration / TIME_SCALE); /* numpy.arange(0, duration, TIME_SCALE) */
    for (int i = 0; i < count; i++) {
        int64_t index = sampling->frame_indices[i];
        sampling->timestamps[i] = times ? times[index] : (double)index / fps;
        sampling->temporal_ids[i] = nearest_tick(sampling->timestamps[i], num_ticks);
    }
    return MCV_OK;
failed:
    mcv_frame_sampling_free(sampling);
    return status;
}

void mcv_frame_sampling_free(mcv_frame_sampling *sampling) {
    free(sampling->frame_indices);
    free(sampling->timestamps);
    free(sampling->temporal_ids);
    *sampling = (mcv_frame_sampling){0};
}

int mcv_frame_sampling_group(const mcv_frame_sampling *sampling, int group, int *first) {
    *first = group * sampling->packing;
    int left = sampling->num_frames - *first;
    return left < sampling->packing ? left : sampling->packing;
}
