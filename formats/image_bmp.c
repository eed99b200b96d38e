/* BMP as Pillow's BmpImagePlugin reads it, its peculiarities included.
 * Format: https://learn.microsoft.com/windows/win32/gdi/bitmap-storage */
#include <string.h>

#include "formats/image_decoders.h"

enum { FILE_HEADER_SIZE = 14 };
enum { COMPRESSION_RAW, COMPRESSION_RLE8, COMPRESSION_RLE4, COMPRESSION_BITFIELDS };

typedef struct bmp_header {
    uint32_t width, height, compression, colors;
    unsigned row_bits; /* a pixel in a row's size */
    unsigned bits;     /* a pixel as it is read */
    bool top_down;
    uint32_t masks[3];       /* of red, green and blue; 0 where the file has none */
    size_t palette_entry;    /* bytes of one */
    uint8_t palette[256][3]; /* as RGB, black beyond its end */
    size_t offset;           /* of the pixels */
} bmp_header;

static uint32_t little_16(const uint8_t *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t little_32(const uint8_t *bytes) {
    return little_16(bytes) | little_16(bytes + 2) << 16;
}

/* ---- Header ---------------------------------------------------------------------------------------------------- */

/* *bytes: the next `count` bytes; *offset moves on. */
static mcv_status take(const mcv_image_file *file, size_t *offset, size_t count, const uint8_t **bytes) {
    if (count > file->size - *offset)
        return mcv_image_cut_short(file, *offset, "BMP header");
    *bytes = file->data + *offset;
    *offset += count;
    return MCV_OK;
}

/* info: the header behind its size, which is `size` with it. */
static void read_info(const uint8_t *info, size_t size, bmp_header *header) {
    if (size == 12) {
        header->width = little_16(info);
        header->height = little_16(info + 2);
        header->bits = header->row_bits = little_16(info + 6);
        header->palette_entry = 3;
        return;
    }
    header->top_down = info[7] == 0xff; /* a negative height, in Pillow's reading */
    header->width = little_32(info);
    header->height = header->top_down ? -little_32(info + 4) : little_32(info + 4);
    header->bits = header->row_bits = little_16(info + 10);
    header->compression = little_32(info + 12);
    header->colors = little_32(info + 28);
    header->palette_entry = 4;
}

static bool is_rle(const bmp_header *header) {
    return header->compression == COMPRESSION_RLE8 || header->compression == COMPRESSION_RLE4;
}

/* Bits and compression that go together. */
static bool layout_is_known(const bmp_header *header) {
    switch (header->bits) {
    case 1:
    case 4:
    case 8:
        return header->compression == COMPRESSION_RAW || is_rle(header);
    case 16:
    case 24:
    case 32:
        return header->compression == COMPRESSION_RAW || header->compression == COMPRESSION_BITFIELDS;
    default:
        return false;
    }
}

/* A header of fewer than 52 bytes has the masks behind it. */
static mcv_status read_masks(const mcv_image_file *file, size_t *offset, const uint8_t *info, size_t size,
                             bmp_header *header) {
    const uint8_t *masks = info + 36;
    if (header->compression != COMPRESSION_BITFIELDS)
        return MCV_OK;
    if (size < 52)
        MCV_TRY(take(file, offset, 12, &masks));
    for (int c = 0; c < 3; c++)
        header->masks[c] = little_32(masks + 4 * c);
    return MCV_OK;
}

/* Whether a palette is a gray ramp, of two colours black and white, of one black. */
static bool is_gray(const uint8_t *palette, const bmp_header *header) {
    for (uint32_t i = 0; i < header->colors; i++) {
        uint8_t gray = (uint8_t)(header->colors == 2 ? 255 * i : i);
        const uint8_t *color = palette + i * header->palette_entry;
        if (color[0] != gray || color[1] != gray || color[2] != gray)
            return false;
    }
    return true;
}

/* Pillow drops a gray palette and reads pixels of 8 bits then, or of 1 where there are no more than two colours,
 * whatever the header says. */
static void drop_gray_palette(bmp_header *header) {
    header->bits = header->colors <= 2 ? 1 : 8;
    for (int i = 0; i < 256; i++)
        memset(header->palette[i], header->bits == 1 && i == 1 ? 255 : i, 3);
}

static mcv_status read_palette(const mcv_image_file *file, size_t *offset, bmp_header *header) {
    if (header->bits > 8)
        return MCV_OK;
    const uint8_t *palette = file->data + *offset;
    size_t found = (file->size - *offset) / header->palette_entry;
    if (found > header->colors)
        found = header->colors;
    if (found > 256)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: a BMP palette of %zu colours, expected at most 256", file->name, found);
    *offset += found * header->palette_entry;
    for (size_t i = 0; i < found; i++) {
        const uint8_t *bgr = palette + i * header->palette_entry;
        mcv_image_put(header->palette[i], (uint8_t[]){bgr[2], bgr[1], bgr[0]});
    }
    if (found == header->colors && is_gray(palette, header))
        drop_gray_palette(header);
    return MCV_OK;
}

static mcv_status read_header(const mcv_image_file *file, bmp_header *header) {
    const uint8_t *start, *info;
    size_t offset = 0;
    MCV_TRY(take(file, &offset, FILE_HEADER_SIZE + 4, &start));
    uint32_t size = little_32(start + FILE_HEADER_SIZE);
    if (size != 12 && size != 40 && size != 52 && size != 56 && size != 64 && size != 108 && size != 124)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %d: a BMP header of %u bytes", file->name, FILE_HEADER_SIZE, size);
    MCV_TRY(take(file, &offset, size - 4, &info));
    read_info(info, size, header);
    if (!layout_is_known(header))
        return MCV_FAIL(MCV_UNSUPPORTED, "%s: a BMP of %u bits a pixel with compression %u", file->name, header->bits,
                        header->compression);
    if (header->colors == 0 && header->bits <= 8)
        header->colors = 1u << header->bits;
    header->offset = little_32(start + 10);
    if (header->offset == FILE_HEADER_SIZE + size && header->bits <= 8) /* the palette's, by mistake */
        header->offset += header->colors * header->palette_entry;
    MCV_TRY(read_masks(file, &offset, info, size, header));
    MCV_TRY(read_palette(file, &offset, header));
    if (header->offset == 0)
        header->offset = offset;
    return MCV_OK;
}

/* ---- Uncompressed pixels ---------------------------------------------------------------------------------------- */

/* Where each channel of a pixel lies in its little-endian value. */
typedef struct bmp_channels {
    unsigned shift[3], maximum[3];
} bmp_channels;

static bool masks_are(const bmp_header *header, uint32_t red, uint32_t green, uint32_t blue) {
    return header->masks[0] == red && header->masks[1] == green && header->masks[2] == blue;
}

/* The layouts that Pillow knows, and with 32 bits any of whole bytes. */
static bool find_channels(const bmp_header *header, bmp_channels *channels) {
    static const bmp_channels BGR = {{16, 8, 0}, {255, 255, 255}}, BGR_15 = {{10, 5, 0}, {31, 31, 31}},
                              BGR_16 = {{11, 5, 0}, {31, 63, 31}};
    bool no_masks = masks_are(header, 0, 0, 0) && (header->compression == COMPRESSION_RAW || header->bits == 32);
    *channels = header->bits == 16 ? BGR_15 : BGR;
    if (no_masks || header->bits < 16)
        return true;
    if (header->bits == 24)
        return masks_are(header, 0xff0000, 0xff00, 0xff);
    if (header->bits == 16 && masks_are(header, 0xf800, 0x7e0, 0x1f)) {
        *channels = BGR_16;
        return true;
    }
    if (header->bits == 16)
        return masks_are(header, 0x7c00, 0x3e0, 0x1f);
    for (int c = 0; c < 3; c++) {
        uint32_t mask = header->masks[c];
        channels->shift[c] = mask ? (unsigned)__builtin_ctz(mask) : 0;
        if (channels->shift[c] % 8 != 0 || mask >> channels->shift[c] != 255)
            return false;
    }
    return true;
}

static void put_indexed_row(const bmp_header *header, const uint8_t *row, uint8_t *rgb) {
    unsigned per_byte = 8 / header->bits;
    for (size_t x = 0; x < header->width; x++) {
        unsigned shift = 8 - header->bits * (unsigned)(x % per_byte + 1);
        unsigned index = row[x / per_byte] >> shift & ((1u << header->bits) - 1);
        mcv_image_put(rgb + 3 * x, header->palette[index]);
    }
}

static void put_color_row(const bmp_header *header, const bmp_channels *channels, const uint8_t *row, uint8_t *rgb) {
    size_t bytes = header->bits / 8;
    for (size_t x = 0; x < header->width; x++) {
        uint32_t pixel = 0;
        for (size_t i = 0; i < bytes; i++)
            pixel |= (uint32_t)row[x * bytes + i] << 8 * i;
        for (int c = 0; c < 3; c++)
            rgb[3 * x + (size_t)c] =
                (uint8_t)((pixel >> channels->shift[c] & channels->maximum[c]) * 255 / channels->maximum[c]);
    }
}

static uint8_t *image_row(const bmp_header *header, const mcv_image *image, size_t y) {
    return mcv_image_row(image, header->top_down ? y : header->height - 1 - y);
}

static mcv_status read_rows(const mcv_image_file *file, const bmp_header *header, mcv_image *image) {
    bmp_channels channels;
    if (!find_channels(header, &channels))
        return MCV_FAIL(MCV_UNSUPPORTED, "%s: a BMP of %u bits a pixel with masks %x, %x, %x", file->name, header->bits,
                        header->masks[0], header->masks[1], header->masks[2]);
    size_t stride = ((size_t)header->width * header->row_bits + 31) / 32 * 4;
    size_t needed = ((size_t)header->width * header->bits + 7) / 8;
    if (needed > stride)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: rows of %zu bytes for %u pixels of %u bits (a gray palette)", file->name,
                        stride, header->width, header->bits);
    for (size_t y = 0; y < header->height; y++) {
        size_t offset = header->offset + y * stride;
        if (offset > file->size || needed > file->size - offset)
            return mcv_image_cut_short(file, file->size, "BMP pixels");
        if (header->bits <= 8)
            put_indexed_row(header, file->data + offset, image_row(header, image, y));
        else
            put_color_row(header, &channels, file->data + offset, image_row(header, image, y));
    }
    return MCV_OK;
}

/* ---- Run lengths ------------------------------------------------------------------------------------------------ */

typedef struct rle_reader {
    const mcv_image_file *file;
    size_t offset, width;
    bool nibbles;    /* RLE4: two pixels a byte */
    uint8_t *pixels; /* [count] */
    size_t count, done, x;
} rle_reader;

static void put_pixel(rle_reader *rle, unsigned value) {
    if (rle->done < rle->count)
        rle->pixels[rle->done++] = (uint8_t)value;
}

/* A run ends with its row. */
static void put_run(rle_reader *rle, size_t length, unsigned value) {
    size_t left = rle->x < rle->width ? rle->width - rle->x : 0;
    if (length > left)
        length = left;
    for (size_t i = 0; i < length; i++)
        put_pixel(rle, !rle->nibbles ? value : i % 2 ? value & 15 : value >> 4);
    rle->x += length;
}

/* `length` pixels as they are, from an even offset to the next. false where the file ends. */
static bool put_literal(rle_reader *rle, size_t length) {
    size_t pixels = length < rle->count - rle->done ? length : rle->count - rle->done;
    size_t bytes = rle->nibbles ? (pixels + 1) / 2 : pixels;
    if (bytes > rle->file->size - rle->offset)
        return false;
    const uint8_t *data = rle->file->data + rle->offset;
    for (size_t i = 0; i < pixels; i++)
        put_pixel(rle, !rle->nibbles ? data[i] : i % 2 ? data[i / 2] & 15 : data[i / 2] >> 4);
    rle->x += length;
    rle->offset += bytes;
    rle->offset += rle->offset % 2;
    return rle->offset <= rle->file->size;
}

static void skip_pixels(rle_reader *rle, size_t count) {
    rle->done += count < rle->count - rle->done ? count : rle->count - rle->done;
}

static void end_row(rle_reader *rle) {
    skip_pixels(rle, (rle->width - rle->done % rle->width) % rle->width);
    rle->x = 0;
}

/* false at the end of the picture or the file. */
static bool read_command(rle_reader *rle) {
    enum { END_OF_ROW, END_OF_PICTURE, MOVE };
    const uint8_t *command = rle->file->data + rle->offset;
    size_t left = rle->file->size - rle->offset;
    if (left < 2)
        return false;
    rle->offset += 2;
    if (command[0]) {
        put_run(rle, command[0], command[1]);
        return true;
    }
    switch (command[1]) {
    case END_OF_ROW:
        end_row(rle);
        return true;
    case END_OF_PICTURE:
        return false;
    case MOVE:
        if (left < 4)
            return false;
        rle->offset += 2;
        skip_pixels(rle, command[2] + command[3] * rle->width);
        rle->x = rle->done % rle->width;
        return true;
    default:
        return put_literal(rle, command[1]);
    }
}

static void put_indexed_pixels(const bmp_header *header, const uint8_t *pixels, mcv_image *image) {
    for (size_t y = 0; y < header->height; y++, pixels += header->width)
        for (size_t x = 0; x < header->width; x++)
            mcv_image_put(image_row(header, image, y) + 3 * x, header->palette[pixels[x]]);
}

static mcv_status read_runs(const mcv_image_file *file, const bmp_header *header, mcv_image *image) {
    rle_reader rle = {.file = file,
                      .offset = header->offset,
                      .width = header->width,
                      .nibbles = header->compression == COMPRESSION_RLE4,
                      .count = (size_t)header->width * header->height};
    if (rle.offset > file->size)
        return mcv_image_cut_short(file, file->size, "BMP pixels");
    MCV_TRY(MCV_NEW(&rle.pixels, rle.count));
    while (rle.done < rle.count && read_command(&rle))
        ;
    bool complete = rle.done == rle.count;
    if (complete)
        put_indexed_pixels(header, rle.pixels, image);
    free(rle.pixels);
    return complete ? MCV_OK : mcv_image_cut_short(file, rle.offset, "BMP pixels");
}

mcv_status mcv_image_decode_bmp(const mcv_image_file *file, mcv_image *image) {
    bmp_header header = {0};
    MCV_TRY(read_header(file, &header));
    MCV_TRY(mcv_image_new(file, header.width, header.height, image));
    return is_rle(&header) ? read_runs(file, &header, image) : read_rows(file, &header, image);
}
