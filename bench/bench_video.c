/* Videos, stage by stage: pictures decoded a second, and seconds and peak memory from a file to the slices of 180
 * groups of 3 frames at the published model's shapes; with a model, of a prompt with the frames that the options
 * choose.
 *
 * usage: bench_video [-m MODEL [options]] [FILE]      (--help lists them)
 *   without FILE a minute of 1920 x 1080 H.264 is made with the program ffmpeg */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/engine_options.h"
#include "cli/model_options.h"
#include "cli/prompt_options.h"
#include "cli/video_options.h"
#include "core/clock.h"
#include "core/log.h"
#include "ref/image_processing_minicpmv.h"

/* What a stage costs: seconds on the clock and of all processors together, and the most memory beside views of files
 * (which a model's weights are). */
typedef struct cost {
    double clock, processors;
    long kilobytes;
} cost;

/* The most memory since the last call, from /proc/self/status. */
static long peak_kilobytes(void) {
    long peak = 0, of_files = 0;
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "VmHWM: %ld", &peak);
        sscanf(line, "RssFile: %ld", &of_files);
    }
    if (file)
        fclose(file);
    if ((file = fopen("/proc/self/clear_refs", "w"))) {
        fputs("5", file); /* the peak begins anew: proc(5) */
        fclose(file);
    }
    return peak - of_files;
}

/* To be handed to add_since. */
static cost now(void) {
    struct timespec processors;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &processors);
    return (cost){mcv_seconds(), (double)processors.tv_sec + 1e-9 * (double)processors.tv_nsec, peak_kilobytes()};
}

static void add_since(cost start, cost *sum) {
    cost end = now();
    sum->clock += end.clock - start.clock;
    sum->processors += end.processors - start.processors;
    sum->kilobytes = end.kilobytes > sum->kilobytes ? end.kilobytes : sum->kilobytes;
}

static void report(const char *what, int64_t pictures, cost spent) {
    printf("  %-48s %7.2f s %7.2f CPU s %8.2f a CPU second %5ld MB\n", what, spent.clock, spent.processors,
           (double)pictures / spent.processors, spent.kilobytes / 1024);
    fflush(stdout);
}

static mcv_status bench_all_pictures(const char *path) {
    mcv_video *video;
    cost start = now(), opening = {0}, decoding = {0};
    MCV_TRY(mcv_video_open(path, NULL, &video));
    add_since(start, &opening);
    const mcv_video_info *info = mcv_video_get_info(video);
    printf("%s: %lld pictures of %d x %d\n", path, (long long)info->frame_count, info->width, info->height);
    report("open and index", info->frame_count, opening);
    start = now();
    mcv_status status = MCV_OK;
    for (int64_t i = 0; status == MCV_OK && i < info->frame_count; i++) {
        mcv_image image;
        status = mcv_video_read(video, i, &image);
        mcv_image_free(&image);
    }
    add_since(start, &decoding);
    report("every picture decoded, in RGB", info->frame_count, decoding);
    mcv_video_close(video);
    return status;
}

/* The published preprocessor_config.json, as far as pixels depend on it. */
static MiniCPMVImageProcessor published_processor(void) {
    return (MiniCPMVImageProcessor){.max_slice_nums = 9,
                                    .scale_resolution = 448,
                                    .patch_size = 14,
                                    .slice_mode = true,
                                    .image_feature_size = 64,
                                    .passes = &PILLOW_PASSES,
                                    .mean = {0.5, 0.5, 0.5},
                                    .std = {0.5, 0.5, 0.5}};
}

static mcv_status preprocess_frames(const mcv_clip *clip, cost *decoding, cost *processing) {
    MiniCPMVImageProcessor processor = published_processor();
    mcv_arena arena = {0};
    mcv_status status = MCV_OK;
    for (int i = 0; status == MCV_OK && i < clip->sampling.num_frames; i++) {
        mcv_image image;
        ImageFeatures features;
        cost start = now();
        status = mcv_clip_read(clip, i, &image);
        add_since(start, decoding);
        start = now();
        if (status == MCV_OK)
            status = MiniCPMVImageProcessor_preprocess(&processor, &arena, &image, 1, 1, NULL, &features);
        add_since(start, processing);
        mcv_image_free(&image);
        mcv_arena_free(&arena);
    }
    return status;
}

static mcv_status bench_clip(const char *path) {
    mcv_clip_options options = mcv_clip_options_default();
    mcv_clip clip;
    cost decoding = {0}, processing = {0};
    options.fps = 10;
    options.force_packing = options.max_packing;
    MCV_TRY(mcv_clip_open(path, &options, &clip));
    int frames = clip.sampling.num_frames;
    mcv_status status = preprocess_frames(&clip, &decoding, &processing);
    printf("%d frames in %d groups\n", frames, clip.sampling.num_groups);
    report("the chosen frames decoded, in RGB", frames, decoding);
    report("resized to about 448 x 448 pixels", frames, processing);
    mcv_clip_close(&clip);
    return status;
}

/* A stage of a run with a model. */
typedef struct stage {
    const char *prefix, *what; /* of the outputs that belong to it; what is reported */
    cost spent;
} stage;

enum { NUM_STAGES = 4 };

typedef struct stage_watch {
    stage stages[NUM_STAGES]; /* the last takes what is not the others' */
    cost last;
} stage_watch;

/* What was spent since the output before belongs to this one's stage. */
static mcv_status watch_output(void *context, const char *name, const mcv_tensor *output) {
    (void)output;
    stage_watch *self = context;
    stage *of = self->stages;
    while (strncmp(name, of->prefix, strlen(of->prefix)) != 0)
        of++;
    add_since(self->last, &of->spent);
    self->last = now();
    return MCV_OK;
}

static mcv_status run_prompt(mcv_model *model, const mcv_prompt_options *options, const mcv_video_frames *frames,
                             stage_watch *watch) {
    mcv_temporal_ids temporal_ids = {frames->num_groups, frames->groups};
    mcv_part *parts;
    float *logits;
    int vocab_size;
    MCV_TRY(MCV_NEW(&parts, (size_t)frames->num_frames + 1));
    for (int i = 0; i < frames->num_frames; i++)
        parts[i].image = &frames->frames[i];
    parts[frames->num_frames].text = "What happens?";
    mcv_message message = {"user", parts, frames->num_frames + 1};
    mcv_conversation conversation = {&message, 1, &temporal_ids};
    mcv_observer observer = {.tap = watch_output, .context = watch, .tap_in_parts = 1};
    watch->last = now();
    mcv_status status = mcv_logits(model, &conversation, 1, options, &observer, &logits, &vocab_size);
    mcv_free(logits);
    free(parts);
    return status;
}

/* As `chat` shows a video. */
static mcv_status run_model(mcv_model *model, const mcv_arguments *arguments, const char *path) {
    stage_watch watch = {.stages = {{.prefix = "vpm", .what = "vision encoder"},
                                    {.prefix = "resampler", .what = "resampler"},
                                    {.prefix = "llm", .what = "language model, the whole prompt"},
                                    {.prefix = "", .what = "text of the prompt, pixel values"}}};
    mcv_clip_options clip;
    mcv_prompt_options prompt;
    mcv_video_frames frames;
    MCV_TRY(mcv_video_options_read(arguments, &clip));
    MCV_TRY(mcv_prompt_options_read(arguments, &prompt));
    prompt.use_image_id = 0;
    prompt.max_slice_nums = prompt.max_slice_nums ? prompt.max_slice_nums : 1;
    cost start = now(), loading = {0};
    MCV_TRY(mcv_video_load(model, path, &clip, prompt.max_slice_nums, &frames));
    add_since(start, &loading);
    printf("%d frames in %d groups for the model\n", frames.num_frames, frames.num_groups);
    report("decoded, resized", frames.num_frames, loading);
    mcv_status status = run_prompt(model, &prompt, &frames, &watch);
    for (int i = 0; status == MCV_OK && i < NUM_STAGES; i++)
        report(watch.stages[i].what, frames.num_frames, watch.stages[i].spent);
    mcv_video_frames_free(&frames);
    return status;
}

static mcv_status bench_model(const mcv_arguments *arguments, const char *path) {
    ModelFiles files = mcv_model_options_read(arguments);
    mcv_model_options options;
    mcv_model *model;
    MCV_TRY(mcv_engine_options_read(arguments, MCV_ENGINE_FAST, &options));
    options.mmproj = files.mmproj;
    options.preprocessor_config = files.preprocessor_config;
    cost start = now(), opening = {0};
    MCV_TRY(mcv_model_options_open(files.model, &options, &model));
    add_since(start, &opening);
    report("model opened", 1, opening);
    mcv_status status = run_model(model, arguments, path);
    mcv_model_close(model);
    return status;
}

static mcv_status make_clip(char *path, size_t size) {
    char command[512];
    snprintf(path, size, "/tmp/bench_video_%ld.mp4", (long)getpid());
    snprintf(command, sizeof command,
             "ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=size=1920x1080:rate=30:duration=60,noise=alls=8:allf=t "
             "-c:v libx264 -preset veryfast -b:v 6M -pix_fmt yuv420p %s",
             path);
    return system(command) == 0 ? MCV_OK : MCV_FAIL(MCV_UNSUPPORTED, "the program ffmpeg cannot make a clip");
}

static mcv_status bench(const mcv_arguments *arguments, const char *path) {
    MCV_TRY(bench_all_pictures(path));
    MCV_TRY(bench_clip(path));
    return mcv_option_value(arguments, "model") ? bench_model(arguments, path) : MCV_OK;
}

static mcv_status run(const mcv_arguments *arguments) {
    char made[64] = "";
    if (arguments->json)
        return MCV_FAIL(MCV_USAGE, "--json: the results are lines of text");
    if (arguments->num_operands > 0)
        return bench(arguments, arguments->operands[0]);
    MCV_TRY(make_clip(made, sizeof made));
    mcv_status status = bench(arguments, made);
    unlink(made);
    return status;
}

/* clang-format off */
static const mcv_option OPTIONS[] = {
    MCV_MODEL_OPTION,
    MCV_MODEL_FILE_OPTIONS,
    MCV_VIDEO_OPTIONS,
    {0, "max-slice-nums", "N", "slices that a frame is cut into at most (default 1)"},
    {0, "max-inp-length", "N", "prompt tokens kept (default 16384); 0: all"},
    MCV_ENGINE_OPTIONS,
    {0},
};
/* clang-format on */

int main(int argc, char **argv) {
    static const mcv_command COMMAND = {.name = "bench_video",
                                        .operands = "[FILE]",
                                        .max_operands = 1,
                                        .details = "Measures videos, stage by stage; with a model, of a prompt, too.\n",
                                        .options = OPTIONS};
    mcv_arguments arguments;
    mcv_log_set_quiet(true);
    mcv_status status = mcv_arguments_parse(&COMMAND, argc, argv, &arguments);
    if (status == MCV_OK && arguments.help)
        mcv_command_print_help(&COMMAND);
    else if (status == MCV_OK)
        status = run(&arguments);
    mcv_arguments_free(&arguments);
    if (status != MCV_OK)
        fprintf(stderr, "bench_video: %s\n", mcv_error_message());
    return mcv_exit_code(status);
}
