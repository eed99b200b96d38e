/* Y4M: raw pictures behind lines of text. Format: yuv4mpeg(5) of mjpegtools. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "video/video_backend.h"

enum { MAX_LINE = 256 };

/* A colour space of the header's C tag: samples of 8 bits, planes of Y, Cb, Cr. */
typedef struct y4m_layout {
    const char *name;
    int chroma_shift_x, chroma_shift_y; /* chroma has 1 sample for 1 << shift pixels */
    bool gray;
} y4m_layout;

/* Where chroma samples lie between the pixels makes no difference here: each is taken for all of its pixels. */
static const y4m_layout LAYOUTS[] = {
    {"420", 1, 1, false}, {"420jpeg", 1, 1, false}, {"420mpeg2", 1, 1, false}, {"420paldv", 1, 1, false},
    {"422", 1, 0, false}, {"444", 0, 0, false},     {"411", 2, 0, false},      {"mono", 0, 0, true},
};

typedef struct y4m_reader {
    FILE *stream;
    const y4m_layout *layout;
    bool full_range;
    int rate, rate_scale; /* frames a second as a fraction */
    int chroma_width, chroma_height;
    size_t luma_size, chroma_size, picture_size; /* bytes */
    int64_t *offsets;                            /* [frame_count]: where each picture's data begins */
    size_t capacity;
    uint8_t *data; /* [picture_size] */
} y4m_reader;

static void close_y4m(mcv_video *video) {
    y4m_reader *reader = video->reader;
    if (reader->stream)
        fclose(reader->stream);
    free(reader->offsets);
    free(reader->data);
    free(reader);
}

/* ---- Header ------------------------------------------------------------------------------------------------------ */

/* A line without its end. false at the end of the file, or where the line is too long to be one. */
static bool read_line(FILE *stream, char line[MAX_LINE]) {
    if (!fgets(line, MAX_LINE, stream))
        return false;
    char *end = strchr(line, '\n');
    if (end)
        *end = 0;
    return end != NULL;
}

static mcv_status choose_layout(const mcv_video *video, y4m_reader *reader, const char *name) {
    for (size_t i = 0; i < sizeof LAYOUTS / sizeof LAYOUTS[0]; i++)
        if (strcmp(name, LAYOUTS[i].name) == 0) {
            reader->layout = &LAYOUTS[i];
            return MCV_OK;
        }
    return MCV_FAIL(MCV_UNSUPPORTED,
                    "%s: Y4M colour space %s, expected 420, 420jpeg, 420mpeg2, 420paldv, 422, 444, 411 or mono",
                    video->path, name);
}

static mcv_status read_tag(mcv_video *video, y4m_reader *reader, const char *tag) {
    switch (tag[0]) {
    case 'W':
        return sscanf(tag, "W%9d", &video->info.width), MCV_OK;
    case 'H':
        return sscanf(tag, "H%9d", &video->info.height), MCV_OK;
    case 'F':
        return sscanf(tag, "F%9d:%9d", &reader->rate, &reader->rate_scale), MCV_OK;
    case 'C':
        return choose_layout(video, reader, tag + 1);
    case 'X':
        reader->full_range = reader->full_range || strcmp(tag, "XCOLORRANGE=FULL") == 0;
        return MCV_OK;
    default: /* interlacing and the pixels' aspect, which are not used */
        return MCV_OK;
    }
}

static mcv_status set_sizes(mcv_video *video, y4m_reader *reader) {
    int width = video->info.width, height = video->info.height;
    mcv_image_file file = {.name = video->path};
    if (width < 1 || height < 1)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: Y4M pictures of %d x %d pixels", video->path, width, height);
    MCV_TRY(mcv_image_check_size(&file, (uint64_t)width, (uint64_t)height));
    const y4m_layout *layout = reader->layout;
    int round_x = (1 << layout->chroma_shift_x) - 1, round_y = (1 << layout->chroma_shift_y) - 1;
    reader->chroma_width = layout->gray ? 0 : (width + round_x) >> layout->chroma_shift_x;
    reader->chroma_height = layout->gray ? 0 : (height + round_y) >> layout->chroma_shift_y;
    reader->luma_size = (size_t)width * (size_t)height;
    reader->chroma_size = (size_t)reader->chroma_width * (size_t)reader->chroma_height;
    reader->picture_size = reader->luma_size + 2 * reader->chroma_size;
    return MCV_NEW(&reader->data, reader->picture_size);
}

static mcv_status read_header(mcv_video *video, y4m_reader *reader) {
    char line[MAX_LINE], *rest = line, *tag;
    reader->layout = &LAYOUTS[0];
    if (!read_line(reader->stream, line))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: its Y4M header does not end within %d bytes", video->path, MAX_LINE);
    while ((tag = strsep(&rest, " ")))
        MCV_TRY(read_tag(video, reader, tag));
    return set_sizes(video, reader);
}

/* ---- Index ------------------------------------------------------------------------------------------------------- */

static mcv_status file_size(const mcv_video *video, FILE *stream, int64_t *size) {
    int64_t here = ftello(stream);
    if (here < 0 || fseeko(stream, 0, SEEK_END) != 0 || (*size = ftello(stream)) < 0 ||
        fseeko(stream, here, SEEK_SET) != 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %s", video->path, strerror(errno));
    return MCV_OK;
}

/* Finds the pictures. One that is cut short at the end is left out. */
static mcv_status index_pictures(mcv_video *video, y4m_reader *reader) {
    char line[MAX_LINE];
    int64_t size = 0, count = 0;
    MCV_TRY(file_size(video, reader->stream, &size));
    while (read_line(reader->stream, line)) {
        int64_t offset = ftello(reader->stream);
        if (strncmp(line, "FRAME", 5) != 0)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: picture %lld, before byte %lld: expected FRAME", video->path,
                            (long long)count, (long long)offset);
        if (offset < 0 || size - offset < (int64_t)reader->picture_size) {
            mcv_video_remark(video, "cut short: its last picture is not whole");
            break;
        }
        MCV_TRY(MCV_GROW(&reader->offsets, &reader->capacity, (size_t)count + 1));
        reader->offsets[count++] = offset;
        if (fseeko(reader->stream, (off_t)reader->picture_size, SEEK_CUR) != 0)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s", video->path, strerror(errno));
    }
    video->info.frame_count = count;
    return count > 0 ? MCV_OK : MCV_FAIL(MCV_BAD_INPUT, "%s: a video without pictures", video->path);
}

static mcv_status set_times(mcv_video *video, const y4m_reader *reader) {
    static const double UNKNOWN_FPS = 25; /* as FFmpeg takes it */
    bool known = reader->rate > 0 && reader->rate_scale > 0;
    double fps = known ? (double)reader->rate / reader->rate_scale : UNKNOWN_FPS;
    video->info.container_fps = fps;
    MCV_TRY(MCV_NEW(&video->times, (size_t)video->info.frame_count));
    for (int64_t i = 0; i < video->info.frame_count; i++)
        video->times[i] = (double)i / fps;
    return MCV_OK;
}

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */

/* BT.601 in 13-bit fixed point, as libswscale has it, so that pictures equal those of the program `ffmpeg`. */
typedef struct yuv_coefficients {
    int y_offset, y, v_to_r, u_to_g, v_to_g, u_to_b;
} yuv_coefficients;

static const yuv_coefficients LIMITED = {16, 9539, 13075, -3209, -6660, 16525};
static const yuv_coefficients FULL = {0, 8192, 11485, -2819, -5850, 14516};

static uint8_t clamp(int level) {
    return (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
}

/* Each product is rounded down: libswscale's vectorized conversion of pictures with coarser chroma. */
static void put_pixel(const yuv_coefficients *c, int y, int u, int v, uint8_t rgb[3]) {
    y = (y - c->y_offset) * c->y >> 13;
    u -= 128;
    v -= 128;
    rgb[0] = clamp(y + (v * c->v_to_r >> 13));
    rgb[1] = clamp(y + (u * c->u_to_g >> 13) + (v * c->v_to_g >> 13));
    rgb[2] = clamp(y + (u * c->u_to_b >> 13));
}

/* The sum is rounded to the nearest: its conversion of pictures with chroma at each pixel. */
static void put_pixel_444(const yuv_coefficients *c, int y, int u, int v, uint8_t rgb[3]) {
    y = (y - c->y_offset) * c->y + (1 << 12);
    u -= 128;
    v -= 128;
    rgb[0] = clamp((y + v * c->v_to_r) >> 13);
    rgb[1] = clamp((y + u * c->u_to_g + v * c->v_to_g) >> 13);
    rgb[2] = clamp((y + u * c->u_to_b) >> 13);
}

static void convert(const y4m_reader *reader, mcv_image *image) {
    const y4m_layout *layout = reader->layout;
    const yuv_coefficients *coefficients = reader->full_range ? &FULL : &LIMITED;
    bool each_has_chroma = layout->chroma_shift_x == 0 && !layout->gray;
    void (*put)(const yuv_coefficients *, int, int, int, uint8_t[3]) = each_has_chroma ? put_pixel_444 : put_pixel;
    for (int row = 0; row < image->height; row++) {
        size_t chroma_row = (size_t)(row >> layout->chroma_shift_y) * (size_t)reader->chroma_width;
        const uint8_t *y = reader->data + (size_t)row * (size_t)image->width;
        const uint8_t *u = reader->data + reader->luma_size + chroma_row, *v = u + reader->chroma_size;
        uint8_t *rgb = mcv_image_row(image, (size_t)row);
        for (int x = 0; x < image->width; x++, rgb += 3) {
            int chroma = x >> layout->chroma_shift_x;
            put(coefficients, y[x], layout->gray ? 128 : u[chroma], layout->gray ? 128 : v[chroma], rgb);
        }
    }
}

static mcv_status read_y4m(mcv_video *video, int64_t index, mcv_image *image) {
    y4m_reader *reader = video->reader;
    mcv_image_file file = {.name = video->path};
    if (fseeko(reader->stream, reader->offsets[index], SEEK_SET) != 0 ||
        fread(reader->data, 1, reader->picture_size, reader->stream) != reader->picture_size)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: picture %lld at byte %lld cannot be read: %s", video->path,
                        (long long)index, (long long)reader->offsets[index],
                        ferror(reader->stream) ? strerror(errno) : "the file has become shorter");
    MCV_TRY(mcv_image_new(&file, (uint64_t)video->info.width, (uint64_t)video->info.height, image));
    convert(reader, image);
    return MCV_OK;
}

mcv_status mcv_video_open_y4m(mcv_video *video) {
    y4m_reader *reader;
    MCV_TRY(MCV_NEW(&reader, 1));
    video->reader = reader;
    video->close = close_y4m;
    video->read = read_y4m;
    video->info.format = "Y4M";
    reader->stream = fopen(video->path, "rbe");
    if (!reader->stream)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be opened: %s", video->path, strerror(errno));
    MCV_TRY(read_header(video, reader));
    MCV_TRY(index_pictures(video, reader));
    return set_times(video, reader);
}
