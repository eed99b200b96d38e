/* libFuzzer: videos of every format that the build reads, and folders of images with their times (input_parts.h).
 * Seeds: tests/fixtures/videos. */
#include "tests/fuzz/input_parts.h"
#include "tests/fuzz/memory_file.h"
#include "video/clip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Some frames that a model would see, then the first once more. */
static void read_clip(const char *path, const char *timestamps) {
    enum { MOST_FRAMES = 8 };
    mcv_clip_options options = mcv_clip_options_default();
    mcv_clip clip;
    mcv_image image;
    options.threads = 1;
    options.timestamps = timestamps;
    mcv_status status = mcv_clip_open(path, &options, &clip);
    for (int i = 0; status == MCV_OK && i <= clip.sampling.num_frames && i <= MOST_FRAMES; i++) {
        status = mcv_clip_read(&clip, i % clip.sampling.num_frames, &image);
        mcv_image_free(&image);
    }
    mcv_clip_close(&clip);
}

static void read_folder(const uint8_t *data, size_t size) {
    static const char *const FILES[] = {"1.png", "2.pnm", "3.bmp", "times.txt"};
    const char *folder = folder_of_parts(FILES, sizeof FILES / sizeof *FILES, data, size);
    read_clip(folder, temporary_path("times.txt"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (is_input_of_parts(data, size)) {
        read_folder(data, size);
        return 0;
    }
    MemoryFile file = memory_file(data, size);
    read_clip(file.path, NULL);
    close(file.descriptor);
    return 0;
}
