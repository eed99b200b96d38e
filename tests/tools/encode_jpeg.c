/* Encodes random images as JPEG, to standard output, in forms that Pillow does not write
 * (tests/live/lib/image_files.py).
 *
 * usage: encode_jpeg WIDTH HEIGHT SEED QUALITY SPACE HxV PROGRESSIVE ARITHMETIC RESTART
 *
 * SPACE: gray, ycc, rgb, cmyk or ycck; HxV: the first component's sampling factors, the others' being 1x1; the last two
 * but one are 0 or 1; RESTART: an interval of restart markers in blocks, 0 for none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

static const struct {
    const char *name;
    J_COLOR_SPACE input, stored;
    int components;
} SPACES[] = {
    {"gray", JCS_GRAYSCALE, JCS_GRAYSCALE, 1}, {"ycc", JCS_RGB, JCS_YCbCr, 3},  {"rgb", JCS_RGB, JCS_RGB, 3},
    {"cmyk", JCS_CMYK, JCS_CMYK, 4},           {"ycck", JCS_CMYK, JCS_YCCK, 4},
};

/* Smooth slopes with noise on them. */
static JSAMPLE sample(unsigned x, unsigned y, unsigned channel, unsigned *seed) {
    *seed = *seed * 1664525 + 1013904223;
    return (JSAMPLE)((x * (3 + channel) + y * (5 - channel) + (*seed >> 24) / 3) & 255);
}

static void choose_space(struct jpeg_compress_struct *info, const char *name) {
    for (size_t i = 0; i < sizeof SPACES / sizeof SPACES[0]; i++)
        if (strcmp(SPACES[i].name, name) == 0) {
            info->in_color_space = SPACES[i].input;
            info->input_components = SPACES[i].components;
            jpeg_set_defaults(info);
            jpeg_set_colorspace(info, SPACES[i].stored);
            return;
        }
    fprintf(stderr, "encode_jpeg: unknown colour space %s\n", name);
    exit(2);
}

static void write_rows(struct jpeg_compress_struct *info, unsigned seed) {
    unsigned components = (unsigned)info->input_components;
    JSAMPLE *row = malloc((size_t)info->image_width * components);
    while (row && info->next_scanline < info->image_height) {
        for (unsigned i = 0; i < info->image_width * components; i++)
            row[i] = sample(i / components, info->next_scanline, i % components, &seed);
        jpeg_write_scanlines(info, &row, 1);
    }
    free(row);
}

int main(int count, char **words) {
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    if (count != 10) {
        fprintf(stderr, "usage: encode_jpeg WIDTH HEIGHT SEED QUALITY SPACE HxV PROGRESSIVE ARITHMETIC RESTART\n");
        return 2;
    }
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_stdio_dest(&info, stdout);
    info.image_width = (JDIMENSION)atoi(words[1]);
    info.image_height = (JDIMENSION)atoi(words[2]);
    choose_space(&info, words[5]);
    jpeg_set_quality(&info, atoi(words[4]), TRUE);
    sscanf(words[6], "%dx%d", &info.comp_info[0].h_samp_factor, &info.comp_info[0].v_samp_factor);
    for (int c = 1; c < info.num_components; c++)
        info.comp_info[c].h_samp_factor = info.comp_info[c].v_samp_factor = 1;
    if (info.num_components == 4) /* black is stored as finely as brightness */
        info.comp_info[3].h_samp_factor = info.comp_info[0].h_samp_factor,
        info.comp_info[3].v_samp_factor = info.comp_info[0].v_samp_factor;
    if (atoi(words[7]))
        jpeg_simple_progression(&info);
    info.arith_code = (boolean)atoi(words[8]);
    info.restart_interval = (unsigned)atoi(words[9]);
    jpeg_start_compress(&info, TRUE);
    write_rows(&info, (unsigned)atoi(words[3]));
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    return fflush(stdout) == 0 ? 0 : 1;
}
