/* GIF: the first frame, as Pillow's GifImagePlugin and GifDecode read it.
 * Format: https://www.w3.org/Graphics/GIF/spec-gif89a.txt */
#include <string.h>

#include "formats/image_decoders.h"

enum { MAX_BITS = 12, TABLE_SIZE = 1 << MAX_BITS };

typedef struct gif_frame {
    size_t left, top, width, height;
    bool interlaced;
    int transparent;         /* a colour's index, -1 where there is none */
    uint8_t palette[256][3]; /* beyond its end black; the index as gray where the file has none */
    unsigned bits;           /* of the first codes, less one */
    size_t canvas_width, canvas_height;
} gif_frame;

/* ---- Header ---------------------------------------------------------------------------------------------------- */

typedef struct gif_reader {
    const mcv_image_file *file;
    size_t offset;
} gif_reader;

static mcv_status read_bytes(gif_reader *reader, void *bytes, size_t count) {
    if (count > reader->file->size - reader->offset)
        return mcv_image_cut_short(reader->file, reader->offset, "GIF header");
    memcpy(bytes, reader->file->data + reader->offset, count);
    reader->offset += count;
    return MCV_OK;
}

static size_t little_16(const uint8_t *bytes) {
    return bytes[0] | (size_t)bytes[1] << 8;
}

/* `flags` hold whether a palette follows and its size. One that is a gray ramp goes on as such: Pillow drops it. */
static mcv_status read_palette(gif_reader *reader, unsigned flags, gif_frame *frame) {
    uint8_t colors[256][3];
    int count = flags & 128 ? 2 << (flags & 7) : 0;
    bool ramp = true;
    MCV_TRY(read_bytes(reader, colors, (size_t)count * 3));
    for (int i = 0; i < count; i++)
        ramp = ramp && colors[i][0] == i && colors[i][1] == i && colors[i][2] == i;
    for (int i = 0; i < 256 && count; i++)
        memset(frame->palette[i], ramp ? i : 0, 3);
    memcpy(frame->palette, colors, (size_t)count * 3);
    return MCV_OK;
}

/* Passes over a chain of blocks. `first` receives the first one, filled up with zeros. */
static mcv_status read_blocks(gif_reader *reader, uint8_t first[255]) {
    uint8_t length, ignored[255];
    memset(first, 0, 255);
    for (uint8_t *block = first;; block = ignored) {
        MCV_TRY(read_bytes(reader, &length, 1));
        if (length == 0)
            return MCV_OK;
        MCV_TRY(read_bytes(reader, block, length));
    }
}

static mcv_status read_extension(gif_reader *reader, gif_frame *frame) {
    enum { GRAPHIC_CONTROL = 249 };
    uint8_t label, block[255];
    MCV_TRY(read_bytes(reader, &label, 1));
    MCV_TRY(read_blocks(reader, block));
    if (label == GRAPHIC_CONTROL && block[0] & 1)
        frame->transparent = block[3];
    return MCV_OK;
}

static mcv_status read_image_descriptor(gif_reader *reader, gif_frame *frame) {
    uint8_t descriptor[9], bits;
    MCV_TRY(read_bytes(reader, descriptor, sizeof descriptor));
    frame->left = little_16(descriptor);
    frame->top = little_16(descriptor + 2);
    frame->width = little_16(descriptor + 4);
    frame->height = little_16(descriptor + 6);
    frame->interlaced = descriptor[8] & 64;
    MCV_TRY(read_palette(reader, descriptor[8], frame));
    MCV_TRY(read_bytes(reader, &bits, 1));
    if (bits > MAX_BITS)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: GIF codes of %u bits, expected at most %d", reader->file->name,
                        reader->offset - 1, bits, MAX_BITS);
    if (frame->width == 0 || frame->height == 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: a GIF frame of %zu x %zu pixels", reader->file->name, frame->width,
                        frame->height);
    frame->bits = bits;
    return MCV_OK;
}

/* Up to the first frame's data. A frame that goes beyond the canvas makes it larger. */
static mcv_status read_header(gif_reader *reader, gif_frame *frame) {
    uint8_t screen[13];
    frame->transparent = -1;
    for (int i = 0; i < 256; i++)
        memset(frame->palette[i], i, 3);
    MCV_TRY(read_bytes(reader, screen, sizeof screen));
    MCV_TRY(read_palette(reader, screen[10], frame));
    for (;;) {
        uint8_t kind;
        MCV_TRY(read_bytes(reader, &kind, 1));
        if (kind == ',')
            break;
        if (kind == ';')
            return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: a GIF without an image", reader->file->name,
                            reader->offset - 1);
        if (kind == '!') /* other bytes are passed over */
            MCV_TRY(read_extension(reader, frame));
    }
    MCV_TRY(read_image_descriptor(reader, frame));
    size_t right = frame->left + frame->width, bottom = frame->top + frame->height;
    frame->canvas_width = little_16(screen + 6) > right ? little_16(screen + 6) : right;
    frame->canvas_height = little_16(screen + 8) > bottom ? little_16(screen + 8) : bottom;
    return MCV_OK;
}

/* ---- Data: LZW codes in blocks ---------------------------------------------------------------------------------- */

typedef struct lzw_reader {
    gif_reader *blocks;
    size_t block_left;
    uint32_t bits;
    unsigned bit_count;
} lzw_reader;

static mcv_status read_code(lzw_reader *lzw, unsigned size, unsigned *code) {
    gif_reader *reader = lzw->blocks;
    const mcv_image_file *file = reader->file;
    while (lzw->bit_count < size) {
        if (lzw->block_left == 0) {
            if (reader->offset >= file->size || file->data[reader->offset] > file->size - reader->offset - 1)
                return mcv_image_cut_short(file, reader->offset, "GIF data");
            lzw->block_left = file->data[reader->offset++];
            continue;
        }
        lzw->bits |= (uint32_t)file->data[reader->offset++] << lzw->bit_count;
        lzw->bit_count += 8;
        lzw->block_left--;
    }
    *code = lzw->bits & ((1u << size) - 1);
    lzw->bits >>= size;
    lzw->bit_count -= size;
    return MCV_OK;
}

typedef struct lzw_table {
    uint16_t prefix[TABLE_SIZE];
    uint8_t last[TABLE_SIZE];
    unsigned clear;         /* codes below it stand for themselves */
    unsigned next, size;    /* the code to be defined next, and the bits of a code */
    bool has_previous;      /* false behind a clear code */
    unsigned previous;      /* the code before */
    uint8_t previous_first; /* the first byte of what it stands for */
} lzw_table;

static void clear_table(lzw_table *table, unsigned bits) {
    table->clear = 1u << bits;
    table->next = table->clear + 2;
    table->size = bits + 1;
    table->has_previous = false;
}

/* Writes what `code` stands for to the end of `string`, *start being where it begins. false where it has no meaning. */
static bool expand_code(const lzw_table *table, unsigned code, uint8_t string[TABLE_SIZE], unsigned *start) {
    unsigned at = TABLE_SIZE;
    if (table->has_previous ? code > table->next : code >= table->clear)
        return false;
    if (code == table->next) { /* the one that is about to be defined */
        string[--at] = table->previous_first;
        code = table->previous;
    }
    for (; code >= table->clear; code = table->prefix[code]) {
        if (at == 1 || code >= TABLE_SIZE)
            return false;
        string[--at] = table->last[code];
    }
    string[--at] = (uint8_t)code;
    *start = at;
    return true;
}

/* Defines the next code: what the one before stands for, and one byte more. */
static void define_code(lzw_table *table, uint8_t last) {
    if (!table->has_previous || table->next >= TABLE_SIZE)
        return;
    table->prefix[table->next] = (uint16_t)table->previous;
    table->last[table->next] = last;
    if (table->next == (1u << table->size) - 1 && table->size < MAX_BITS)
        table->size++;
    table->next++;
}

/* pixels: [count], the colours' indices. */
static mcv_status read_pixels(gif_reader *reader, unsigned bits, uint8_t *pixels, size_t count) {
    lzw_reader lzw = {.blocks = reader};
    lzw_table table = {0};
    uint8_t string[TABLE_SIZE];
    clear_table(&table, bits);
    for (size_t done = 0; done < count;) {
        unsigned code, start;
        MCV_TRY(read_code(&lzw, table.size, &code));
        if (code == table.clear) {
            clear_table(&table, bits);
            continue;
        }
        if (code == table.clear + 1)
            return mcv_image_cut_short(reader->file, reader->offset, "GIF data ends before the last pixel");
        if (!expand_code(&table, code, string, &start))
            return MCV_FAIL(MCV_BAD_INPUT, "%s: byte %zu: GIF code %u, expected at most %u", reader->file->name,
                            reader->offset, code, table.next);
        define_code(&table, string[start]);
        table.has_previous = true;
        table.previous = code;
        table.previous_first = string[start];
        size_t length = TABLE_SIZE - start, part = length < count - done ? length : count - done;
        memcpy(pixels + done, string + start, part);
        done += part;
    }
    return MCV_OK;
}

/* ---- Picture --------------------------------------------------------------------------------------------------- */

static void put_row(const gif_frame *frame, const uint8_t *pixels, size_t y, mcv_image *image) {
    uint8_t *rgb = mcv_image_row(image, frame->top + y) + 3 * frame->left;
    for (size_t x = 0; x < frame->width; x++)
        mcv_image_put(rgb + 3 * x, frame->palette[pixels[x]]);
}

static void put_frame(const gif_frame *frame, const uint8_t *pixels, mcv_image *image) {
    static const struct {
        size_t first, step;
    } PASSES[] = {{0, 1}, {0, 8}, {4, 8}, {2, 4}, {1, 2}}; /* the first where the frame is not interlaced */
    int begin = frame->interlaced ? 1 : 0, end = frame->interlaced ? 5 : 1;
    for (int pass = begin; pass < end; pass++)
        for (size_t y = PASSES[pass].first; y < frame->height; y += PASSES[pass].step, pixels += frame->width)
            put_row(frame, pixels, y, image);
}

/* Around the frame lies the transparent colour, or the first one where there is none. */
static void fill_canvas(const gif_frame *frame, mcv_image *image) {
    const uint8_t *color = frame->palette[frame->transparent < 0 ? 0 : frame->transparent];
    size_t pixels = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < pixels; i++)
        mcv_image_put(image->rgb + 3 * i, color);
}

mcv_status mcv_image_decode_gif(const mcv_image_file *file, mcv_image *image) {
    gif_reader reader = {.file = file};
    gif_frame frame = {0};
    uint8_t *pixels;
    MCV_TRY(read_header(&reader, &frame));
    MCV_TRY(mcv_image_new(file, frame.canvas_width, frame.canvas_height, image));
    MCV_TRY(MCV_NEW(&pixels, frame.width * frame.height));
    mcv_status status = read_pixels(&reader, frame.bits, pixels, frame.width * frame.height);
    if (status == MCV_OK) {
        fill_canvas(&frame, image);
        put_frame(&frame, pixels, image);
    }
    free(pixels);
    return status;
}
