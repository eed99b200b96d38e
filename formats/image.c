#include "formats/image.h"

#include <string.h>

#include "core/file.h"
#include "formats/image_decoders.h"

mcv_status mcv_image_check_size(const mcv_image_file *file, uint64_t width, uint64_t height) {
    uint64_t pixels;
    if (width == 0 || height == 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: an image of %llu x %llu pixels", file->name, (unsigned long long)width,
                        (unsigned long long)height);
    if (__builtin_mul_overflow(width, height, &pixels) || pixels > MCV_MAX_PIXELS)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: an image of %llu x %llu pixels, at most %d pixels are read", file->name,
                        (unsigned long long)width, (unsigned long long)height, MCV_MAX_PIXELS);
    return MCV_OK;
}

mcv_status mcv_image_new(const mcv_image_file *file, uint64_t width, uint64_t height, mcv_image *image) {
    MCV_TRY(mcv_image_check_size(file, width, height));
    MCV_TRY(MCV_NEW(&image->rgb, (size_t)(width * height) * 3));
    image->width = (int)width;
    image->height = (int)height;
    return MCV_OK;
}

static bool begins_with(const mcv_image_file *file, const char *magic, size_t size) {
    return file->size >= size && memcmp(file->data, magic, size) == 0;
}

static mcv_status decode(const mcv_image_file *file, mcv_image *image) {
    if (begins_with(file, "\xff\xd8\xff", 3))
        return mcv_image_decode_jpeg(file, image);
    if (begins_with(file, "\x89PNG\r\n\x1a\n", 8))
        return mcv_image_decode_png(file, image);
    if (begins_with(file, "RIFF", 4) && file->size >= 12 && memcmp(file->data + 8, "WEBP", 4) == 0)
        return mcv_image_decode_webp(file, image);
    if (begins_with(file, "GIF87a", 6) || begins_with(file, "GIF89a", 6))
        return mcv_image_decode_gif(file, image);
    if (begins_with(file, "BM", 2))
        return mcv_image_decode_bmp(file, image);
    if (file->size >= 2 && file->data[0] == 'P' && file->data[1] >= '1' && file->data[1] <= '6')
        return mcv_image_decode_pnm(file, image);
    return MCV_FAIL(MCV_BAD_INPUT, "%s: byte 0: expected a JPEG, PNG, WebP, GIF, BMP or PNM image (%zu bytes found)",
                    file->name, file->size);
}

mcv_status mcv_image_decode(const void *data, size_t size, const char *name, mcv_image *image) {
    *image = (mcv_image){0};
    const mcv_image_file file = {data, size, name};
    mcv_status status = decode(&file, image);
    if (status != MCV_OK)
        mcv_image_free(image);
    return status;
}

mcv_status mcv_image_load(const char *path, mcv_image *image) {
    *image = (mcv_image){0};
    mcv_file_map map;
    MCV_TRY(mcv_file_open_map(path, &map));
    mcv_status status = mcv_image_decode(map.data, map.size, path, image);
    mcv_file_close_map(&map);
    return status;
}

void mcv_image_free(mcv_image *image) {
    free(image->rgb);
    *image = (mcv_image){0};
}
