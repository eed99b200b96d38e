#include "video/clip.h"

mcv_clip_options mcv_clip_options_default(void) {
    mcv_sampling_options sampling = mcv_sampling_options_default();
    return (mcv_clip_options){
        .fps = sampling.fps, .max_frames = sampling.max_frames, .max_packing = sampling.max_packing};
}

/* When pictures are shown. */
typedef struct frame_times {
    int64_t count;
    double fps;          /* count / fps is the duration */
    const double *times; /* [count]; NULL: picture i at i / fps */
} frame_times;

static frame_times choose_timing(const mcv_video_info *info, int card_timing) {
    if (card_timing)
        return (frame_times){info->frame_count, info->container_fps > 0 ? info->container_fps : info->fps, NULL};
    return (frame_times){info->frame_count, info->fps, info->variable_rate ? info->times : NULL};
}

static double time_of(const frame_times *timing, int64_t index) {
    return timing->times ? timing->times[index] : (double)index / timing->fps;
}

/* The first picture that is not shown before `time`; timing->count where there is none. */
static int64_t first_from(const frame_times *timing, double time) {
    int64_t low = 0, high = timing->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (time_of(timing, middle) < time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* *section: pictures [first, last) as a video of their own. `times` is room for theirs. */
static void cut_out(const frame_times *whole, int64_t first, int64_t last, double *times, frame_times *section) {
    *section = (frame_times){.count = last - first, .fps = whole->fps};
    if (!whole->times)
        return;
    double end = last < whole->count ? whole->times[last] : (double)whole->count / whole->fps;
    section->fps = (double)section->count / (end - whole->times[first]);
    section->times = times;
    for (int64_t i = first; i < last; i++)
        times[i - first] = whole->times[i] - whole->times[first];
}

static mcv_status sample_section(const frame_times *whole, int64_t first, int64_t last, const mcv_clip_options *options,
                                 mcv_clip *clip) {
    const mcv_sampling_options sampling = {options->fps, options->max_frames, options->max_packing,
                                           options->force_packing};
    double *times;
    frame_times section = *whole;
    MCV_TRY(MCV_NEW(&times, (size_t)(last - first)));
    if (first > 0 || last < whole->count)
        cut_out(whole, first, last, times, &section);
    clip->duration = (double)section.count / section.fps;
    mcv_status status = mcv_sample_frames(section.count, section.fps, section.times, &sampling, &clip->sampling);
    free(times);
    for (int i = 0; status == MCV_OK && i < clip->sampling.num_frames; i++) {
        clip->sampling.frame_indices[i] += first;
        clip->sampling.timestamps[i] = time_of(whole, clip->sampling.frame_indices[i]);
    }
    return status;
}

static mcv_status sample(const char *path, const mcv_clip_options *options, mcv_clip *clip) {
    frame_times whole = choose_timing(mcv_video_get_info(clip->video), options->card_timing);
    int64_t first = first_from(&whole, options->start);
    int64_t last = options->end > 0 ? first_from(&whole, options->end) : whole.count;
    if (first >= last && options->end <= 0)
        return MCV_FAIL(MCV_USAGE, "%s: no picture is shown from %g s on; the video lasts %g s", path, options->start,
                        (double)whole.count / whole.fps);
    if (first >= last)
        return MCV_FAIL(MCV_USAGE, "%s: no picture is shown from %g s to %g s; the video lasts %g s", path,
                        options->start, options->end, (double)whole.count / whole.fps);
    mcv_status status = sample_section(&whole, first, last, options, clip);
    return status == MCV_OK ? status : mcv_fail_context(status, "%s", path);
}

mcv_status mcv_clip_open(const char *path, const mcv_clip_options *options, mcv_clip *clip) {
    *clip = (mcv_clip){0};
    const mcv_video_options video_options = {options->frame_rate, options->timestamps, options->threads};
    MCV_TRY(mcv_video_open(path, &video_options, &clip->video));
    mcv_status status = sample(path, options, clip);
    if (status == MCV_OK)
        status = mcv_video_expect(clip->video, clip->sampling.frame_indices, (size_t)clip->sampling.num_frames);
    if (status != MCV_OK)
        mcv_clip_close(clip);
    return status;
}

void mcv_clip_close(mcv_clip *clip) {
    mcv_video_close(clip->video);
    mcv_frame_sampling_free(&clip->sampling);
    *clip = (mcv_clip){0};
}

mcv_status mcv_clip_read(const mcv_clip *clip, int position, mcv_image *image) {
    return mcv_video_read(clip->video, clip->sampling.frame_indices[position], image);
}
