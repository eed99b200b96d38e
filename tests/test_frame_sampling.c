#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "core/memory.h"
#include "video/frame_sampling.h"

static uint64_t fnv1a(uint64_t hash, const void *data, size_t size) {
    for (const uint8_t *byte = data, *end = byte + size; byte < end; byte++)
        hash = (hash ^ *byte) * 0x100000001b3u;
    return hash;
}

static uint64_t hash_of(const mcv_frame_sampling *sampling) {
    size_t count = (size_t)sampling->num_frames;
    uint64_t hash = fnv1a(0xcbf29ce484222325u, sampling->frame_indices, count * sizeof *sampling->frame_indices);
    return fnv1a(hash, sampling->temporal_ids, count * sizeof *sampling->temporal_ids);
}

/* golden/encode_video.txt tells what its columns are. */
Test(frame_sampling, equals_the_model_card) {
    FILE *file = fopen("golden/encode_video.txt", "r");
    cr_assert_not_null(file);
    char line[256];
    int lines = 0;
    while (fgets(line, sizeof line, file)) {
        long long frame_count;
        unsigned long long hash;
        double numerator, denominator;
        mcv_sampling_options options;
        mcv_frame_sampling sampling;
        int frames, first_group;
        int fields =
            sscanf(line, "%lld %lf %lf %lf %d %d %d %d %d %llx", &frame_count, &numerator, &denominator, &options.fps,
                   &options.max_frames, &options.max_packing, &options.force_packing, &frames, &first_group, &hash);
        cr_assert_eq(fields, 10, "%s", line);
        cr_assert_eq(mcv_sample_frames(frame_count, numerator / denominator, NULL, &options, &sampling), MCV_OK);
        int first;
        cr_expect_eq(sampling.num_frames, frames, "%d frames: %s", sampling.num_frames, line);
        cr_expect_eq(mcv_frame_sampling_group(&sampling, 0, &first), first_group, "%s", line);
        cr_expect_eq(hash_of(&sampling), hash, "%s", line);
        mcv_frame_sampling_free(&sampling);
        lines++;
    }
    fclose(file);
    cr_expect_gt(lines, 4000);
}

Test(frame_sampling, groups_cover_all_frames) {
    mcv_sampling_options options = mcv_sampling_options_default();
    options.force_packing = 3;
    mcv_frame_sampling sampling;
    cr_assert_eq(mcv_sample_frames(100, 30, NULL, &options, &sampling), MCV_OK); /* 10 frames */
    int first, sizes[] = {3, 3, 3, 1};
    cr_assert_eq(sampling.num_groups, 4);
    for (int group = 0; group < 4; group++) {
        cr_expect_eq(mcv_frame_sampling_group(&sampling, group, &first), sizes[group]);
        cr_expect_eq(first, 3 * group);
    }
    mcv_frame_sampling_free(&sampling);
}

/* The cast to int32 truncates 43 * 0.1 / 0.1, which is just below 43. */
Test(frame_sampling, ticks_are_truncated) {
    mcv_sampling_options options = {.fps = 10, .max_frames = 180, .max_packing = 3};
    mcv_frame_sampling sampling;
    cr_assert_eq(mcv_sample_frames(100, 10, NULL, &options, &sampling), MCV_OK);
    cr_assert_eq(sampling.num_frames, 100);
    cr_expect_eq(sampling.frame_indices[43], 43);
    cr_expect_eq(sampling.temporal_ids[43], 42);
    cr_expect_eq(sampling.temporal_ids[42], 42);
    cr_expect_eq(sampling.temporal_ids[44], 44);
    mcv_frame_sampling_free(&sampling);
}

Test(frame_sampling, a_moment_gives_one_frame) {
    mcv_sampling_options options = mcv_sampling_options_default();
    mcv_frame_sampling sampling;
    cr_assert_eq(mcv_sample_frames(5, 60, NULL, &options, &sampling), MCV_OK); /* round(3 * 5/60) is 0 */
    cr_expect_eq(sampling.num_frames, 1);
    cr_expect_eq(sampling.frame_indices[0], 2);
    mcv_frame_sampling_free(&sampling);
}

/* The card rounds a rate of 0.4 to 0. */
Test(frame_sampling, a_slow_video_gives_its_frames) {
    mcv_sampling_options options = mcv_sampling_options_default();
    mcv_frame_sampling sampling;
    cr_assert_eq(mcv_sample_frames(8, 0.4, NULL, &options, &sampling), MCV_OK);
    cr_assert_eq(sampling.num_frames, 8);
    cr_expect_eq(sampling.frame_indices[7], 7);
    cr_expect_eq(sampling.temporal_ids[7], 175);
    mcv_frame_sampling_free(&sampling);
}

/* A picture for 9 seconds, then nine more in the last one: the ids follow the times, not the numbers. */
Test(frame_sampling, takes_presentation_times) {
    double times[10] = {0};
    for (int i = 1; i < 10; i++)
        times[i] = 9 + 0.1 * (i - 1);
    mcv_sampling_options options = {.fps = 1, .max_frames = 180, .max_packing = 3};
    mcv_frame_sampling sampling;
    cr_assert_eq(mcv_sample_frames(10, 1, times, &options, &sampling), MCV_OK);
    cr_assert_eq(sampling.num_frames, 10);
    cr_expect_eq(sampling.temporal_ids[0], 0);
    cr_expect_eq(sampling.temporal_ids[1], 90);
    cr_expect_eq(sampling.timestamps[9], times[9]);
    mcv_frame_sampling_free(&sampling);
}

static void expect_refused(int64_t frame_count, double fps, mcv_sampling_options options, mcv_status expected) {
    mcv_frame_sampling sampling;
    cr_expect_eq(mcv_sample_frames(frame_count, fps, NULL, &options, &sampling), expected);
    cr_expect_null(sampling.frame_indices);
}

Test(frame_sampling, refuses_what_has_no_meaning) {
    mcv_sampling_options good = mcv_sampling_options_default();
    expect_refused(0, 30, good, MCV_BAD_INPUT);
    expect_refused(-1, 30, good, MCV_BAD_INPUT);
    expect_refused(30, 0, good, MCV_BAD_INPUT);
    expect_refused(30, -30, good, MCV_BAD_INPUT);
    expect_refused(30, NAN, good, MCV_BAD_INPUT);
    expect_refused(30, INFINITY, good, MCV_BAD_INPUT);
    expect_refused(INT64_MAX, 1e-6, good, MCV_BAD_INPUT);
    const mcv_sampling_options bad[] = {
        {0, 180, 3, 0}, {NAN, 180, 3, 0}, {3, 0, 3, 0},   {3, 180, 0, 0},
        {3, 180, 7, 0}, {3, 180, 3, -1},  {3, 180, 3, 7}, {INT32_MAX, INT32_MAX, 3, 0}, /* too many frames */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_refused(1 << 20, 1, bad[i], MCV_USAGE);
}
