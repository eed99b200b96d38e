/* JPEG through libjpeg-turbo, with the settings of Pillow's JpegImagePlugin and JpegDecode: accurate integer DCT,
 * smooth upsampling, warnings of damaged data passed over, an end of the data before the last row an error. */
#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#include "formats/image_decoders.h"

typedef struct jpeg_reader {
    struct jpeg_decompress_struct info;
    struct jpeg_source_mgr source;
    struct jpeg_error_mgr errors;
    jmp_buf failed;
    const mcv_image_file *file;
} jpeg_reader;

static void do_nothing(j_decompress_ptr info) {
    (void)info;
}

static void pass_over_message(j_common_ptr info) {
    (void)info;
}

static void on_error(j_common_ptr info) {
    longjmp(((jpeg_reader *)info->client_data)->failed, 1);
}

/* The data ends. libjpeg then returns to its caller as if to wait for more. */
static boolean no_more_input(j_decompress_ptr info) {
    (void)info;
    return FALSE;
}

static void skip_input(j_decompress_ptr info, long count) {
    size_t bytes = count < 0 ? 0 : (size_t)count;
    if (bytes > info->src->bytes_in_buffer)
        bytes = info->src->bytes_in_buffer;
    info->src->next_input_byte += bytes;
    info->src->bytes_in_buffer -= bytes;
}

static void set_up(jpeg_reader *reader) {
    reader->info.err = jpeg_std_error(&reader->errors);
    reader->errors.error_exit = on_error;
    reader->errors.output_message = pass_over_message;
    reader->source = (struct jpeg_source_mgr){
        .next_input_byte = reader->file->data,
        .bytes_in_buffer = reader->file->size,
        .init_source = do_nothing,
        .fill_input_buffer = no_more_input,
        .skip_input_data = skip_input,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = do_nothing,
    };
    reader->info.client_data = reader;
    jpeg_create_decompress(&reader->info);
    reader->info.src = &reader->source;
}

static mcv_status cut_short(const jpeg_reader *reader) {
    const mcv_image_file *file = reader->file;
    return mcv_image_cut_short(file, file->size - reader->source.bytes_in_buffer, "JPEG data");
}

static mcv_status read_header(jpeg_reader *reader) {
    struct jpeg_decompress_struct *info = &reader->info;
    int found;
    do
        found = jpeg_read_header(info, FALSE);
    while (found == JPEG_HEADER_TABLES_ONLY);
    if (found == JPEG_SUSPENDED)
        return cut_short(reader);
    switch (info->num_components) {
    case 1:
        info->out_color_space = JCS_GRAYSCALE;
        return MCV_OK;
    case 3:
        info->out_color_space = JCS_RGB;
        return MCV_OK;
    case 4:
        info->out_color_space = JCS_CMYK;
        return MCV_OK;
    default:
        return MCV_FAIL(MCV_UNSUPPORTED, "%s: a JPEG of %d components, expected 1, 3 or 4", reader->file->name,
                        info->num_components);
    }
}

/* round(a * b / 255) as Pillow's MULDIV255. */
static uint8_t multiply_255(unsigned a, unsigned b) {
    unsigned product = a * b + 128;
    return (uint8_t)(((product >> 8) + product) >> 8);
}

/* Pillow takes every CMYK JPEG for an inverted one, as Adobe writes them: `row` holds 255 - C, M, Y, K. */
static void convert_inverted_cmyk(const uint8_t *row, size_t width, uint8_t *rgb) {
    for (size_t x = 0; x < width; x++)
        for (int c = 0; c < 3; c++) {
            uint8_t white = row[4 * x + 3];
            rgb[3 * x + (size_t)c] = (uint8_t)(white - multiply_255(255u - row[4 * x + (size_t)c], white));
        }
}

static void convert_gray(const uint8_t *row, size_t width, uint8_t *rgb) {
    for (size_t x = 0; x < width; x++)
        mcv_image_put_gray(rgb + 3 * x, row[x]);
}

static mcv_status read_rows(jpeg_reader *reader, mcv_image *image) {
    struct jpeg_decompress_struct *info = &reader->info;
    if (!jpeg_start_decompress(info))
        return cut_short(reader);
    size_t width = info->output_width;
    JSAMPARRAY row = info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE, info->output_width * 4, 1);
    while (info->output_scanline < info->output_height) {
        uint8_t *rgb = mcv_image_row(image, info->output_scanline);
        if (info->num_components == 3)
            row[0] = rgb;
        if (jpeg_read_scanlines(info, row, 1) != 1)
            return cut_short(reader);
        if (info->num_components == 1)
            convert_gray(row[0], width, rgb);
        else if (info->num_components == 4)
            convert_inverted_cmyk(row[0], width, rgb);
    }
    return MCV_OK;
}

/* libjpeg's errors come back to here. */
static mcv_status decode(jpeg_reader *reader, mcv_image *image) {
    if (setjmp(reader->failed)) {
        char words[JMSG_LENGTH_MAX];
        reader->errors.format_message((j_common_ptr)&reader->info, words);
        return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: %s", reader->file->name,
                        reader->file->size - reader->source.bytes_in_buffer, words);
    }
    set_up(reader);
    MCV_TRY(read_header(reader));
    MCV_TRY(mcv_image_new(reader->file, reader->info.image_width, reader->info.image_height, image));
    return read_rows(reader, image);
}

mcv_status mcv_image_decode_jpeg(const mcv_image_file *file, mcv_image *image) {
    jpeg_reader reader = {.file = file};
    mcv_status status = decode(&reader, image);
    jpeg_destroy_decompress(&reader.info);
    return status;
}
