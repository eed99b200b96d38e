/* Damaged and strange videos of tests/fixtures/videos (make_damaged_videos.py): refused or read, never a crash. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "video/clip.h"

static const char FOLDER[] = "tests/fixtures/videos";

/* The frames that a model would see, then the first once more. */
static mcv_status read_clip(const char *path) {
    mcv_clip_options options = mcv_clip_options_default();
    mcv_clip clip;
    mcv_image image;
    options.fps = 10;
    options.threads = 1;
    mcv_status status = mcv_clip_open(path, &options, &clip);
    for (int i = 0; status == MCV_OK && i <= clip.sampling.num_frames; i++) {
        status = mcv_clip_read(&clip, i % clip.sampling.num_frames, &image);
        mcv_image_free(&image);
    }
    mcv_clip_close(&clip);
    return status;
}

static void check_file(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", FOLDER, name);
    mcv_status status = read_clip(path);
    const char *message = mcv_error_message();
    if (status != MCV_OK)
        cr_expect_not_null(strstr(message, name), "%s is not named: %s", name, message);
    if (!mcv_video_has_libav && !mcv_ends_with(name, ".y4m") && !mcv_ends_with(name, ".webp"))
        cr_expect(status == MCV_UNSUPPORTED || status == MCV_BAD_INPUT, "%s: %d: %s", name, status, message);
    else if (strncmp(name, "read-", 5) == 0)
        cr_expect_eq(status, MCV_OK, "%s", message);
    else if (strncmp(name, "refused-", 8) == 0)
        cr_expect_eq(status, MCV_BAD_INPUT, "%s: %d: %s", name, status, message);
    else
        cr_expect(status == MCV_OK || status == MCV_BAD_INPUT || status == MCV_UNSUPPORTED, "%s: %d: %s", name, status,
                  message);
}

/* Refused by its size, not when memory for it is short. */
Test(video_damaged, large_canvas_is_refused_before_it_takes_memory) {
    cr_expect_eq(read_clip("tests/fixtures/videos/refused-huge.webp"), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "15794176 x 256 pixels, at most 178956970 pixels"), "%s",
              mcv_error_message());
}

Test(video_damaged, no_file_of_the_corpus_does_harm, .timeout = 120) {
    DIR *folder = opendir(FOLDER);
    int count = 0;
    cr_assert_not_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.') {
            check_file(entry->d_name);
            count++;
        }
    closedir(folder);
    cr_expect_gt(count, 50);
}
