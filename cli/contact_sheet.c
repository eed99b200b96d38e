#include "cli/contact_sheet.h"

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "formats/image_decoders.h"
#include "ref/pillow_resize.h"

enum {
    FRAME_AREA = 26000, /* pixels; 215 x 121 at 16:9 */
    LEAST_WIDTH = 176,  /* room for the texts */
    LEAST_HEIGHT = 24,
    MOST_SIDE = 400,
    MARGIN = 20,
    GAP = 4,        /* between two frames */
    GROUP_GAP = 14, /* between two groups */
    INDENT = 5,     /* of texts */
    BAND = 22,
    CAPTION = 26,
    GLYPH_WIDTH = 5,
    GLYPH_HEIGHT = 7,
    GLYPH_SCALE = 2,
    GLYPH_STEP = (GLYPH_WIDTH + 1) * GLYPH_SCALE,
};

static const uint8_t PAPER[3] = {247, 246, 243}, INK[3] = {50, 50, 56}, FAINT[3] = {140, 140, 146};
static const uint8_t WHITE[3] = {255, 255, 255}, PALE[3] = {220, 228, 236};
static const uint8_t BANDS[2][3] = {{52, 101, 152}, {196, 106, 36}}; /* of groups in turn */

/* ---- Layout ------------------------------------------------------------------------------------------------------ */

static int row_height(const mcv_contact_sheet *sheet) {
    return BAND + sheet->frame_height + CAPTION + GROUP_GAP;
}

/* Of a whole group with the gap behind it. */
static int group_width(const mcv_contact_sheet *sheet) {
    return sheet->sampling->packing * (sheet->frame_width + GAP) - GAP + GROUP_GAP;
}

static int column_x(const mcv_contact_sheet *sheet, int position) {
    int column = position % sheet->columns, packing = sheet->sampling->packing;
    return MARGIN + column / packing * group_width(sheet) + column % packing * (sheet->frame_width + GAP);
}

static int row_y(const mcv_contact_sheet *sheet, int position) {
    return MARGIN + position / sheet->columns * row_height(sheet);
}

static int clamp(double value, int low, int high) {
    return value < low ? low : value > high ? high : (int)value;
}

/* Whole groups in each row, as many as make the page about 3:2. */
static int choose_columns(const mcv_contact_sheet *sheet) {
    int num_groups = sheet->sampling->num_groups;
    double page_height = (double)num_groups * row_height(sheet); /* of a single column of groups */
    int groups = (int)ceil(sqrt(1.5 * page_height / group_width(sheet)));
    return (groups < num_groups ? groups : num_groups) * sheet->sampling->packing;
}

static mcv_status new_page(mcv_contact_sheet *sheet) {
    int rows = (sheet->sampling->num_frames - 1) / sheet->columns + 1;
    int groups = sheet->columns / sheet->sampling->packing;
    uint64_t width = 2 * MARGIN - GROUP_GAP + (uint64_t)groups * (uint64_t)group_width(sheet);
    uint64_t height = 2 * MARGIN - GROUP_GAP + (uint64_t)rows * (uint64_t)row_height(sheet);
    MCV_TRY(mcv_image_new(&(mcv_image_file){.name = "contact sheet"}, width, height, &sheet->page));
    for (size_t i = 0; i < width * height; i++)
        mcv_image_put(sheet->page.rgb + 3 * i, PAPER);
    return MCV_OK;
}

mcv_status mcv_contact_sheet_init(mcv_contact_sheet *sheet, const mcv_frame_sampling *sampling, int width, int height) {
    double ratio = (double)width / height;
    *sheet = (mcv_contact_sheet){.sampling = sampling};
    sheet->frame_width = clamp(sqrt(FRAME_AREA * ratio), LEAST_WIDTH, MOST_SIDE);
    sheet->frame_height = clamp(sqrt(FRAME_AREA / ratio), LEAST_HEIGHT, MOST_SIDE);
    sheet->columns = choose_columns(sheet);
    return new_page(sheet);
}

void mcv_contact_sheet_free(mcv_contact_sheet *sheet) {
    mcv_image_free(&sheet->page);
    *sheet = (mcv_contact_sheet){0};
}

/* ---- Drawing ----------------------------------------------------------------------------------------------------- */

static void fill(mcv_image *page, int x, int y, int width, int height, const uint8_t color[3]) {
    for (int row = y; row < y + height; row++)
        for (int column = x; column < x + width; column++)
            mcv_image_put(mcv_image_row(page, (size_t)row) + 3 * column, color);
}

/* Rows of 5 pixels, the leftmost in bit 4. */
static const struct {
    char character;
    uint8_t rows[GLYPH_HEIGHT];
} GLYPHS[] = {
    {'0', {0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e}}, {'1', {0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e}},
    {'2', {0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f}}, {'3', {0x1f, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0e}},
    {'4', {0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02}}, {'5', {0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e}},
    {'6', {0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e}}, {'7', {0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08}},
    {'8', {0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e}}, {'9', {0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c}},
    {'.', {0x00, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x0c}}, {':', {0x00, 0x0c, 0x0c, 0x00, 0x0c, 0x0c, 0x00}},
    {'s', {0x00, 0x00, 0x0f, 0x10, 0x0e, 0x01, 0x1e}}, {'t', {0x08, 0x08, 0x1e, 0x08, 0x08, 0x09, 0x06}},
    {'#', {0x0a, 0x0a, 0x1f, 0x0a, 0x1f, 0x0a, 0x0a}},
};

static const uint8_t *glyph_of(char character) {
    static const uint8_t BLANK[GLYPH_HEIGHT];
    for (size_t i = 0; i < sizeof GLYPHS / sizeof GLYPHS[0]; i++)
        if (GLYPHS[i].character == character)
            return GLYPHS[i].rows;
    return BLANK;
}

static int text_width(const char *text) {
    return (int)strlen(text) * GLYPH_STEP - GLYPH_SCALE;
}

static void draw_text(mcv_image *page, int x, int y, const char *text, const uint8_t color[3]) {
    for (; *text; text++, x += GLYPH_STEP) {
        const uint8_t *rows = glyph_of(*text);
        for (int row = 0; row < GLYPH_HEIGHT; row++)
            for (int column = 0; column < GLYPH_WIDTH; column++)
                if (rows[row] >> (GLYPH_WIDTH - 1 - column) & 1)
                    fill(page, x + column * GLYPH_SCALE, y + row * GLYPH_SCALE, GLYPH_SCALE, GLYPH_SCALE, color);
    }
}

/* On the left and on the right of a frame's width. */
static void draw_texts(mcv_contact_sheet *sheet, int position, int y, const char *left, const uint8_t left_color[3],
                       const char *right, const uint8_t right_color[3]) {
    int x = column_x(sheet, position);
    draw_text(&sheet->page, x + INDENT, y, left, left_color);
    draw_text(&sheet->page, x + sheet->frame_width - INDENT - text_width(right), y, right, right_color);
}

static void format_time(double seconds, char *text, size_t size) {
    int minutes = (int)(seconds / 60);
    if (minutes > 0)
        snprintf(text, size, "%d:%05.2f", minutes, seconds - 60.0 * minutes);
    else
        snprintf(text, size, "%.2f s", seconds);
}

static void draw_band(mcv_contact_sheet *sheet, int position) {
    const mcv_frame_sampling *sampling = sheet->sampling;
    int packing = sampling->packing, group = position / packing;
    bool is_last = (position + 1) % packing == 0 || position + 1 == sampling->num_frames;
    int x = column_x(sheet, position), y = row_y(sheet, position);
    char number[16] = "", id[16];
    fill(&sheet->page, x, y, sheet->frame_width + (is_last ? 0 : GAP), BAND, BANDS[group % 2]);
    if (position % packing == 0)
        snprintf(number, sizeof number, "%d", group + 1);
    snprintf(id, sizeof id, "t%d", (int)sampling->temporal_ids[position]);
    draw_texts(sheet, position, y + (BAND - GLYPH_HEIGHT * GLYPH_SCALE) / 2, number, WHITE, id, PALE);
}

static void draw_caption(mcv_contact_sheet *sheet, int position) {
    char time[32], index[32];
    format_time(sheet->sampling->timestamps[position], time, sizeof time);
    snprintf(index, sizeof index, "#%lld", (long long)sheet->sampling->frame_indices[position]);
    draw_texts(sheet, position, row_y(sheet, position) + BAND + sheet->frame_height + 7, time, INK, index, FAINT);
}

/* The frame in the middle of its room, as large as fits. */
static mcv_status draw_frame(mcv_contact_sheet *sheet, int position, const mcv_image *frame) {
    double scale = fmin((double)sheet->frame_width / frame->width, (double)sheet->frame_height / frame->height);
    int width = clamp(frame->width * scale, 1, sheet->frame_width);
    int height = clamp(frame->height * scale, 1, sheet->frame_height);
    int x = column_x(sheet, position) + (sheet->frame_width - width) / 2;
    int y = row_y(sheet, position) + BAND + (sheet->frame_height - height) / 2;
    mcv_image small;
    MCV_TRY(pillow_resize_bicubic(frame, width, height, PILLOW_13, &PILLOW_PASSES, &small));
    for (int row = 0; row < height; row++)
        memcpy(mcv_image_row(&sheet->page, (size_t)(y + row)) + 3 * x, mcv_image_row(&small, (size_t)row),
               (size_t)width * 3);
    mcv_image_free(&small);
    return MCV_OK;
}

mcv_status mcv_contact_sheet_put(mcv_contact_sheet *sheet, int position, const mcv_image *frame) {
    draw_band(sheet, position);
    draw_caption(sheet, position);
    return draw_frame(sheet, position, frame);
}

/* ---- PNG --------------------------------------------------------------------------------------------------------- */

mcv_status mcv_contact_sheet_write(const mcv_contact_sheet *sheet, const char *path) {
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)sheet->page.width,
                     .height = (png_uint_32)sheet->page.height,
                     .format = PNG_FORMAT_RGB};
    mcv_file_writer writer;
    MCV_TRY(mcv_writer_open(&writer, path));
    if (!png_image_write_to_stdio(&png, writer.stream, 0, sheet->page.rgb, 0, NULL)) {
        mcv_writer_abandon(&writer);
        return MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be written: %s", path, png.message);
    }
    return mcv_writer_commit(&writer);
}
