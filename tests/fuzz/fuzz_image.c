/* libFuzzer: image files of every format. Seeds: tests/fixtures/images. */
#include "formats/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mcv_image image;
    if (mcv_image_decode(data, size, "fuzz", &image) == MCV_OK && image.rgb[0] > 255)
        abort();
    mcv_image_free(&image);
    return 0;
}
