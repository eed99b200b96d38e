#include "cli/video_options.h"

#include <string.h>

#include "core/log.h"

enum { MOST_FRAMES = 1 << 20 };

static const double MOST_FPS = 1e6, MOST_SECONDS = 1e9;

static mcv_status read_timing(const mcv_arguments *arguments, mcv_clip_options *options) {
    const char *timing = mcv_option_value(arguments, "timing");
    options->card_timing = timing && strcmp(timing, "card") == 0;
    if (timing && !options->card_timing && strcmp(timing, "file") != 0)
        return MCV_FAIL(MCV_USAGE, "--timing %s: expected file or card", timing);
    return MCV_OK;
}

/* As in the card, which takes the smaller of the two. */
static void remark_on_packing(const mcv_clip_options *options) {
    if (options->force_packing > options->max_packing)
        mcv_log_remark("--force-packing %d: --packing %d holds, the smaller one, as in the model card",
                       options->force_packing, options->max_packing);
}

mcv_status mcv_video_options_read(const mcv_arguments *arguments, mcv_clip_options *options) {
    *options = mcv_clip_options_default();
    MCV_TRY(mcv_option_double(arguments, "fps", 1e-6, MOST_FPS, &options->fps));
    MCV_TRY(mcv_option_int(arguments, "max-frames", 1, MOST_FRAMES, &options->max_frames));
    MCV_TRY(mcv_option_int(arguments, "packing", 1, MCV_MAX_PACKING, &options->max_packing));
    MCV_TRY(mcv_option_int(arguments, "force-packing", 1, MCV_MAX_PACKING, &options->force_packing));
    MCV_TRY(mcv_option_double(arguments, "start", 0, MOST_SECONDS, &options->start));
    MCV_TRY(mcv_option_double(arguments, "end", 0, MOST_SECONDS, &options->end));
    if (mcv_option_count(arguments, "end") > 0 && options->end <= options->start)
        return MCV_FAIL(MCV_USAGE, "--end %g: expected more than --start %g", options->end, options->start);
    MCV_TRY(mcv_option_double(arguments, "frame-rate", 1e-6, MOST_FPS, &options->frame_rate));
    options->timestamps = mcv_option_value(arguments, "timestamps");
    options->threads = arguments->threads;
    remark_on_packing(options);
    return read_timing(arguments, options);
}

mcv_status mcv_video_options_refuse(const mcv_arguments *arguments) {
    static const mcv_option OPTIONS[] = {MCV_VIDEO_OPTIONS, {0}};
    for (const mcv_option *option = OPTIONS; option->name; option++)
        if (mcv_option_count(arguments, option->name) > 0)
            return MCV_FAIL(MCV_USAGE, "--%s goes with --video", option->name);
    return MCV_OK;
}
