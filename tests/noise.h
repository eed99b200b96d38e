/* Images of noise, the same that tests/fixtures/make_processing_fixtures.py makes. */
#ifndef MCV_TESTS_NOISE_H
#define MCV_TESTS_NOISE_H

#include <stdlib.h>

#include "formats/image.h"

static inline void fill_noise(uint32_t seed, uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(seed >> 24);
    }
}

/* To be released with mcv_image_free. */
static inline mcv_image noise_image(uint32_t seed, int width, int height) {
    size_t count = (size_t)width * (size_t)height * 3;
    mcv_image image = {.width = width, .height = height, .rgb = malloc(count)};
    if (!image.rgb)
        abort();
    fill_noise(seed, image.rgb, count);
    return image;
}

#endif
