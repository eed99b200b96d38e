/* Videos, stage by stage: pictures decoded a second, and seconds and peak memory from a file to the pixel values of 180
 * groups of 3 frames at the published model's shapes.
 *
 * usage: bench_video [FILE]   (without it a minute of 1920 x 1080 H.264 is made with the program ffmpeg) */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "ref/image_processing_minicpmv.h"
#include "video/clip.h"

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Seconds on the clock, and of all processors together. */
typedef struct times {
    double clock, processors;
} times;

static times now(void) {
    struct timespec processors;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &processors);
    return (times){seconds(), (double)processors.tv_sec + 1e-9 * (double)processors.tv_nsec};
}

static void add_since(times start, times *sum) {
    times end = now();
    sum->clock += end.clock - start.clock;
    sum->processors += end.processors - start.processors;
}

static void report(const char *what, int64_t pictures, times spent) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("  %-48s %7.2f s %7.2f CPU s %8.1f a CPU second %5ld MB at most\n", what, spent.clock, spent.processors,
           (double)pictures / spent.processors, usage.ru_maxrss / 1024);
}

static mcv_status bench_all_pictures(const char *path) {
    mcv_video *video;
    times start = now(), opening = {0}, decoding = {0};
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
                                    .mean = {0.5, 0.5, 0.5},
                                    .std = {0.5, 0.5, 0.5}};
}

static mcv_status preprocess_frames(const mcv_clip *clip, times *decoding, times *processing) {
    MiniCPMVImageProcessor processor = published_processor();
    mcv_arena arena = {0};
    mcv_status status = MCV_OK;
    for (int i = 0; status == MCV_OK && i < clip->sampling.num_frames; i++) {
        mcv_image image;
        ImageFeatures features;
        times start = now();
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
    times decoding = {0}, processing = {0};
    options.fps = 10;
    options.force_packing = options.max_packing;
    MCV_TRY(mcv_clip_open(path, &options, &clip));
    int frames = clip.sampling.num_frames;
    mcv_status status = preprocess_frames(&clip, &decoding, &processing);
    printf("%d frames in %d groups\n", frames, clip.sampling.num_groups);
    report("the chosen frames decoded, in RGB", frames, decoding);
    report("resized to about 448 x 448 pixels, normalized", frames, processing);
    mcv_clip_close(&clip);
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

int main(int argc, char **argv) {
    char made[64] = "";
    const char *path = argc > 1 ? argv[1] : made;
    mcv_status status = argc > 1 ? MCV_OK : make_clip(made, sizeof made);
    if (status == MCV_OK)
        status = bench_all_pictures(path);
    if (status == MCV_OK)
        status = bench_clip(path);
    if (made[0])
        unlink(made);
    if (status != MCV_OK)
        fprintf(stderr, "bench_video: %s\n", mcv_error_message());
    return mcv_exit_code(status);
}
