/* PNG through libpng, which gives the raw samples; conversion as Pillow's PngImagePlugin and Convert.c have it. */
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "formats/image_decoders.h"

typedef struct png_input {
    const mcv_image_file *file;
    size_t offset;
    char words[96];
} png_input;

typedef struct png_reader {
    png_input input;
    png_structp png;
    png_infop info;
    int color_type, depth; /* as the file has them */
    int passes;
    uint8_t *samples; /* of one row, or of all where the image is interlaced */
} png_reader;

static void on_error(png_structp png, png_const_charp words) {
    png_input *input = png_get_error_ptr(png);
    snprintf(input->words, sizeof input->words, "%s", words);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp words) {
    (void)png, (void)words;
}

static void read_bytes(png_structp png, png_bytep bytes, size_t count) {
    png_input *input = png_get_io_ptr(png);
    if (count > input->file->size - input->offset)
        png_error(png, "cut short");
    memcpy(bytes, input->file->data + input->offset, count);
    input->offset += count;
}

/* Of the chunks only those that matter to the pixels are looked at; a wrong checksum of any is an error. Sizes are
 * limited by mcv_image_new. */
static void read_header(png_reader *reader) {
    png_set_read_fn(reader->png, &reader->input, read_bytes);
    png_set_user_limits(reader->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_crc_action(reader->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_keep_unknown_chunks(reader->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_read_info(reader->png, reader->info);
    reader->color_type = png_get_color_type(reader->png, reader->info);
    reader->depth = png_get_bit_depth(reader->png, reader->info);
}

/* From here on a row holds 1 to 4 samples a pixel, of one byte each or two. */
static mcv_status prepare_rows(png_reader *reader, const mcv_image *image) {
    png_set_packing(reader->png); /* one byte a sample, not scaled */
    reader->passes = png_set_interlace_handling(reader->png);
    png_read_update_info(reader->png, reader->info);
    size_t row_size = png_get_rowbytes(reader->png, reader->info);
    return mcv_calloc((void **)&reader->samples, row_size, reader->passes > 1 ? (size_t)image->height : 1);
}

static void convert_palette(const png_reader *reader, const uint8_t *row, size_t width, uint8_t *rgb) {
    png_colorp palette = NULL;
    int size = 0;
    png_get_PLTE(reader->png, reader->info, &palette, &size);
    for (size_t x = 0; x < width; x++)
        if (row[x] < size) /* beyond the palette's end all is black */
            mcv_image_put(rgb + 3 * x, (uint8_t[]){palette[row[x]].red, palette[row[x]].green, palette[row[x]].blue});
}

/* 16-bit gray without alpha is cut off at 255, not scaled: Pillow's I16_RGB. */
static void convert_gray_16(const uint8_t *row, size_t width, uint8_t *rgb) {
    for (size_t x = 0; x < width; x++)
        mcv_image_put_gray(rgb + 3 * x, row[2 * x] ? 255 : row[2 * x + 1]);
}

static void convert_gray(const uint8_t *row, size_t width, unsigned maximum, uint8_t *rgb) {
    for (size_t x = 0; x < width; x++)
        mcv_image_put_gray(rgb + 3 * x, (uint8_t)(row[x] * (255 / maximum)));
}

/* Gray or colour, with or without alpha; of 16-bit samples the upper byte. */
static void convert_samples(const uint8_t *row, size_t width, size_t channels, size_t bytes, uint8_t *rgb) {
    for (size_t x = 0; x < width; x++)
        for (size_t c = 0; c < 3; c++)
            rgb[3 * x + c] = row[(x * channels + (channels < 3 ? 0 : c)) * bytes];
}

static void convert_row(const png_reader *reader, const uint8_t *row, size_t width, uint8_t *rgb) {
    if (reader->color_type == PNG_COLOR_TYPE_PALETTE)
        convert_palette(reader, row, width, rgb);
    else if (reader->color_type == PNG_COLOR_TYPE_GRAY && reader->depth == 16)
        convert_gray_16(row, width, rgb);
    else if (reader->color_type == PNG_COLOR_TYPE_GRAY)
        convert_gray(row, width, (1u << reader->depth) - 1, rgb);
    else
        convert_samples(row, width, png_get_channels(reader->png, reader->info), reader->depth == 16 ? 2 : 1, rgb);
}

static void read_rows(png_reader *reader, mcv_image *image) {
    size_t row_size = png_get_rowbytes(reader->png, reader->info);
    for (int pass = 0; pass < reader->passes; pass++)
        for (size_t y = 0; y < (size_t)image->height; y++) {
            uint8_t *row = reader->samples + (reader->passes > 1 ? y * row_size : 0);
            png_read_row(reader->png, row, NULL);
            if (pass + 1 == reader->passes)
                convert_row(reader, row, (size_t)image->width, mcv_image_row(image, y));
        }
}

/* libpng's errors come back to here. */
static mcv_status decode(png_reader *reader, mcv_image *image) {
    const mcv_image_file *file = reader->input.file;
    if (setjmp(png_jmpbuf(reader->png)))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: %s", file->name, reader->input.offset, reader->input.words);
    read_header(reader);
    MCV_TRY(mcv_image_new(file, png_get_image_width(reader->png, reader->info),
                          png_get_image_height(reader->png, reader->info), image));
    MCV_TRY(prepare_rows(reader, image));
    read_rows(reader, image);
    return MCV_OK;
}

mcv_status mcv_image_decode_png(const mcv_image_file *file, mcv_image *image) {
    png_reader reader = {.input.file = file};
    reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader.input, on_error, on_warning);
    reader.info = reader.png ? png_create_info_struct(reader.png) : NULL;
    mcv_status status = reader.info ? decode(&reader, image) : MCV_FAIL(MCV_NO_MEMORY, "%s: libpng failed", file->name);
    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    free(reader.samples);
    return status;
}
