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

static long peak_megabytes(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
}

static void report(const char *what, int64_t pictures, double time) {
    printf("  %-56s %8.2f s %9.1f a second %6ld MB at most\n", what, time, (double)pictures / time, peak_megabytes());
}

static mcv_status bench_all_pictures(const char *path) {
    mcv_video *video;
    double start = seconds();
    MCV_TRY(mcv_video_open(path, NULL, &video));
    const mcv_video_info *info = mcv_video_get_info(video);
    printf("%s: %lld pictures of %d x %d\n", path, (long long)info->frame_count, info->width, info->height);
    report("open and index", info->frame_count, seconds() - start);
    start = seconds();
    mcv_status status = MCV_OK;
    for (int64_t i = 0; status == MCV_OK && i < info->frame_count; i++) {
        mcv_image image;
        status = mcv_video_read(video, i, &image);
        mcv_image_free(&image);
    }
    report("every picture decoded, in RGB", info->frame_count, seconds() - start);
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

static mcv_status preprocess_frames(const mcv_clip *clip, double *decoding, double *processing) {
    MiniCPMVImageProcessor processor = published_processor();
    mcv_arena arena = {0};
    mcv_status status = MCV_OK;
    for (int i = 0; status == MCV_OK && i < clip->sampling.num_frames; i++) {
        mcv_image image;
        ImageFeatures features;
        double start = seconds();
        status = mcv_clip_read(clip, i, &image);
        double decoded = seconds();
        if (status == MCV_OK)
            status = MiniCPMVImageProcessor_preprocess(&processor, &arena, &image, 1, 1, NULL, &features);
        *decoding += decoded - start;
        *processing += seconds() - decoded;
        mcv_image_free(&image);
        mcv_arena_free(&arena);
    }
    return status;
}

static mcv_status bench_clip(const char *path) {
    mcv_clip_options options = mcv_clip_options_default();
    mcv_clip clip;
    double decoding = 0, processing = 0;
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
