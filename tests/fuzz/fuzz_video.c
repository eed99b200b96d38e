/* libFuzzer: videos of every format that the build reads. Seeds: tests/fixtures/videos. */
#include "tests/fuzz/memory_file.h"
#include "video/clip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Some frames that a model would see, then the first once more. */
static void read_clip(const char *path) {
    enum { MOST_FRAMES = 8 };
    mcv_clip_options options = mcv_clip_options_default();
    mcv_clip clip;
    mcv_image image;
    options.threads = 1;
    mcv_status status = mcv_clip_open(path, &options, &clip);
    for (int i = 0; status == MCV_OK && i <= clip.sampling.num_frames && i <= MOST_FRAMES; i++) {
        status = mcv_clip_read(&clip, i % clip.sampling.num_frames, &image);
        mcv_image_free(&image);
    }
    mcv_clip_close(&clip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    MemoryFile file = memory_file(data, size);
    read_clip(file.path);
    close(file.descriptor);
    return 0;
}
