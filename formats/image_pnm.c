/* PNM (PBM, PGM, PPM, each plain or raw) as Pillow's PpmImagePlugin reads them.
 * Format: https://netpbm.sourceforge.net/doc/pnm.html */
#include <math.h>

#include "formats/image_decoders.h"

enum { MAX_TOKEN = 10 };

typedef struct pnm_reader {
    const mcv_image_file *file;
    size_t offset;
    char kind; /* '1' to '6' */
    uint32_t maximum;
} pnm_reader;

static bool is_blank(uint8_t byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* The next byte behind comments, from '#' to the end of the line; false at the end of the file. A comment separates
 * nothing: "1#...\n2" is 12. */
static bool next_byte(pnm_reader *reader, uint8_t *byte) {
    const mcv_image_file *file = reader->file;
    bool comment = false;
    while (reader->offset < file->size) {
        *byte = file->data[reader->offset++];
        if (!comment && *byte != '#')
            return true;
        comment = *byte != '\n' && *byte != '\r';
    }
    return false;
}

/* A number and the one byte behind it. */
static mcv_status read_number(pnm_reader *reader, uint32_t *number) {
    uint64_t value = 0;
    size_t digits = 0;
    uint8_t byte;
    while (next_byte(reader, &byte)) {
        if (is_blank(byte) && digits == 0)
            continue;
        if (is_blank(byte))
            break;
        if (byte < '0' || byte > '9' || ++digits > MAX_TOKEN)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: expected a number of at most %d digits", reader->file->name,
                            reader->offset - 1, MAX_TOKEN);
        value = value * 10 + (uint64_t)(byte - '0');
    }
    if (digits == 0)
        return mcv_image_cut_short(reader->file, reader->offset, "PNM number");
    *number = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    return MCV_OK;
}

static mcv_status read_header(pnm_reader *reader, uint32_t *width, uint32_t *height) {
    const mcv_image_file *file = reader->file;
    reader->kind = (char)file->data[1];
    reader->offset = 2;
    if (file->size < 3 || !is_blank(file->data[2]))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: byte 2: expected a blank behind P%c", file->name, reader->kind);
    MCV_TRY(read_number(reader, width));
    MCV_TRY(read_number(reader, height));
    if (reader->kind == '1' || reader->kind == '4')
        return MCV_OK;
    MCV_TRY(read_number(reader, &reader->maximum));
    if (reader->maximum == 0 || reader->maximum > 65535)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: a largest value of %u, expected 1 to 65535", file->name, reader->maximum);
    return MCV_OK;
}

/* Scales to 8 bits. Pillow reads gray of more than 8 bits to 16 bits and cuts it off at 255. Its numbers are doubles,
 * rounded to even. */
static uint8_t scale(const pnm_reader *reader, uint32_t sample) {
    bool wide_gray = reader->maximum > 255 && (reader->kind == '2' || reader->kind == '5');
    double scaled = rint((double)sample / reader->maximum * (wide_gray ? 65535 : 255));
    return scaled > 255 ? 255 : (uint8_t)scaled;
}

static mcv_status read_plain_sample(pnm_reader *reader, uint8_t *sample) {
    uint32_t number = 0;
    MCV_TRY(read_number(reader, &number));
    if (number > reader->maximum)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: a sample of %u, expected at most %u", reader->file->name,
                        reader->offset, number, reader->maximum);
    *sample = scale(reader, number);
    return MCV_OK;
}

/* A digit, black where it is 1; blanks between digits are optional. */
static mcv_status read_plain_bit(pnm_reader *reader, uint8_t *sample) {
    uint8_t byte;
    while (next_byte(reader, &byte)) {
        if (is_blank(byte))
            continue;
        if (byte != '0' && byte != '1')
            return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: expected 0 or 1", reader->file->name, reader->offset - 1);
        *sample = byte == '0' ? 255 : 0;
        return MCV_OK;
    }
    return mcv_image_cut_short(reader->file, reader->offset, "PNM bits");
}

static mcv_status read_plain(pnm_reader *reader, mcv_image *image) {
    size_t pixels = (size_t)image->width * (size_t)image->height;
    bool color = reader->kind == '3';
    for (size_t i = 0; i < pixels; i++) {
        uint8_t *rgb = image->rgb + 3 * i;
        for (int c = 0; c < (color ? 3 : 1); c++)
            MCV_TRY(reader->kind == '1' ? read_plain_bit(reader, rgb + c) : read_plain_sample(reader, rgb + c));
        if (!color)
            mcv_image_put_gray(rgb, rgb[0]);
    }
    return MCV_OK;
}

static uint8_t raw_sample(const pnm_reader *reader, const uint8_t *row, size_t index) {
    if (reader->kind == '4')
        return row[index / 8] >> (7 - index % 8) & 1 ? 0 : 255;
    return scale(reader, reader->maximum > 255 ? row[2 * index] * 256u + row[2 * index + 1] : row[index]);
}

static mcv_status read_raw(pnm_reader *reader, mcv_image *image) {
    size_t width = (size_t)image->width, channels = reader->kind == '6' ? 3 : 1;
    size_t row_size = reader->kind == '4' ? (width + 7) / 8 : width * channels * (reader->maximum > 255 ? 2 : 1);
    for (size_t y = 0; y < (size_t)image->height; y++, reader->offset += row_size) {
        uint8_t *rgb = mcv_image_row(image, y);
        if (row_size > reader->file->size - reader->offset)
            return mcv_image_cut_short(reader->file, reader->file->size, "PNM samples");
        const uint8_t *row = reader->file->data + reader->offset;
        for (size_t i = 0; i < width * channels; i++)
            if (channels == 3)
                rgb[i] = raw_sample(reader, row, i);
            else
                mcv_image_put_gray(rgb + 3 * i, raw_sample(reader, row, i));
    }
    return MCV_OK;
}

mcv_status mcv_image_decode_pnm(const mcv_image_file *file, mcv_image *image) {
    pnm_reader reader = {.file = file};
    uint32_t width = 0, height = 0;
    MCV_TRY(read_header(&reader, &width, &height));
    MCV_TRY(mcv_image_new(file, width, height, image));
    return reader.kind <= '3' ? read_plain(&reader, image) : read_raw(&reader, image);
}
