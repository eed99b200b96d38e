/* The readers that need no FFmpeg: Y4M, animated WebP, folders of images. */
#include <criterion/criterion.h>
#include <sys/stat.h>

#include "tests/temporary.h"
#include "video/clip.h"

static mcv_video *open_video(const char *path, const mcv_video_options *options) {
    mcv_video *video;
    mcv_status status = mcv_video_open(path, options, &video);
    cr_assert_eq(status, MCV_OK, "%s", mcv_error_message());
    return video;
}

static void expect_failure(const char *path, const mcv_video_options *options, mcv_status expected, const char *words) {
    mcv_video *video;
    cr_expect_eq(mcv_video_open(path, options, &video), expected, "%s", path);
    cr_expect_null(video);
    cr_expect_not_null(strstr(mcv_error_message(), words), "'%s' in: %s", words, mcv_error_message());
}

static void expect_pixel(const mcv_image *image, int x, int y, int r, int g, int b) {
    const uint8_t *rgb = image->rgb + 3 * (y * image->width + x);
    cr_expect(rgb[0] == r && rgb[1] == g && rgb[2] == b, "(%d, %d): %d %d %d, expected %d %d %d", x, y, rgb[0], rgb[1],
              rgb[2], r, g, b);
}

/* ---- Y4M --------------------------------------------------------------------------------------------------------- */

/* Writes a header and `count` pictures; in picture i all samples are base + i. */
static const char *y4m_file(const char *name, const char *header, size_t picture_size, int count, int base) {
    char data[4096];
    size_t size = (size_t)snprintf(data, sizeof data, "%s\n", header);
    for (int i = 0; i < count; i++) {
        size += (size_t)snprintf(data + size, sizeof data - size, "FRAME\n");
        memset(data + size, base + i, picture_size);
        size += picture_size;
    }
    return temporary_file(name, data, size);
}

Test(video, y4m_pictures_and_times) {
    mcv_video *video = open_video(y4m_file("a.y4m", "YUV4MPEG2 W6 H4 F30000:1001 Ip A1:1 C420jpeg", 36, 5, 126), NULL);
    const mcv_video_info *info = mcv_video_get_info(video);
    cr_expect_eq(info->frame_count, 5);
    cr_expect_eq(info->width, 6);
    cr_expect_eq(info->height, 4);
    cr_expect_eq(info->fps, 30000.0 / 1001);
    cr_expect_eq(info->container_fps, 30000.0 / 1001);
    cr_expect_not(info->variable_rate);
    cr_expect_null(info->remark);
    cr_expect_eq(info->times[3], 3 / (30000.0 / 1001));
    static const int ORDER[] = {0, 4, 2, 2, 3};
    for (int i = 0; i < 5; i++) {
        mcv_image image;
        cr_assert_eq(mcv_video_read(video, ORDER[i], &image), MCV_OK);
        if (ORDER[i] == 2) /* Y, Cb and Cr 128: (128 - 16) * 255 / 219 is 130.4 */
            expect_pixel(&image, 5, 3, 130, 130, 130);
        mcv_image_free(&image);
    }
    mcv_image image;
    cr_expect_eq(mcv_video_read(video, 5, &image), MCV_USAGE);
    cr_expect_eq(mcv_video_read(video, -1, &image), MCV_USAGE);
    mcv_video_close(video);
}

/* Chroma differs between the planes and the pixels; levels beyond the limits are clamped. */
Test(video, y4m_layouts) {
    static const char FILE_444[] = "YUV4MPEG2 W2 H1 C444 XCOLORRANGE=FULL\nFRAME\n\x80\xff\x80\x80\x80\xff";
    static const char FILE_GRAY[] = "YUV4MPEG2 W3 H1 Cmono\nFRAME\n\x10\xeb\xff";
    static const char FILE_422[] = "YUV4MPEG2 W3 H1 C422\nFRAME\n\x80\x80\x80\x80\xff\x80\x80";
    mcv_image image;
    mcv_video *video = open_video(temporary_file("444.y4m", FILE_444, sizeof FILE_444 - 1), NULL);
    cr_expect_eq(mcv_video_get_info(video)->fps, 25); /* where none is given */
    cr_assert_eq(mcv_video_read(video, 0, &image), MCV_OK);
    expect_pixel(&image, 0, 0, 128, 128, 128);
    expect_pixel(&image, 1, 0, 255, 164, 255); /* 255 - 0.714136 * 127 = 164.3 */
    mcv_image_free(&image);
    mcv_video_close(video);

    video = open_video(temporary_file("gray.y4m", FILE_GRAY, sizeof FILE_GRAY - 1), NULL);
    cr_assert_eq(mcv_video_read(video, 0, &image), MCV_OK);
    expect_pixel(&image, 0, 0, 0, 0, 0);
    expect_pixel(&image, 1, 0, 255, 255, 255);
    expect_pixel(&image, 2, 0, 255, 255, 255);
    mcv_image_free(&image);
    mcv_video_close(video);

    video = open_video(temporary_file("422.y4m", FILE_422, sizeof FILE_422 - 1), NULL);
    cr_assert_eq(mcv_video_read(video, 0, &image), MCV_OK);
    expect_pixel(&image, 1, 0, 130, 130, 130);
    expect_pixel(&image, 2, 0, 130, 80, 255); /* 130.4 - 0.391762 * 127 = 80.7 */
    mcv_image_free(&image);
    mcv_video_close(video);
}

Test(video, y4m_of_one_pixel) {
    mcv_image image;
    mcv_video *video = open_video(y4m_file("pixel.y4m", "YUV4MPEG2 W1 H1 F5:1", 3, 1, 128), NULL);
    cr_assert_eq(mcv_video_read(video, 0, &image), MCV_OK);
    cr_expect_eq(image.width * image.height, 1);
    expect_pixel(&image, 0, 0, 130, 130, 130);
    mcv_image_free(&image);
    mcv_video_close(video);
}

Test(video, y4m_cut_short_loses_its_last_picture) {
    char data[4096];
    const char *whole = y4m_file("whole.y4m", "YUV4MPEG2 W6 H4", 36, 3, 0);
    FILE *file = fopen(whole, "rb");
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    mcv_video *video = open_video(temporary_file("short.y4m", data, size - 1), NULL);
    cr_expect_eq(mcv_video_get_info(video)->frame_count, 2);
    cr_expect_not_null(strstr(mcv_video_get_info(video)->remark, "cut short"));
    mcv_video_close(video);
}

Test(video, pipes_are_refused) {
    static const char START[] = "YUV4MPEG2 W2 H1 Cmono\nFRAME\n\x10\x10";
    int ends[2];
    char path[32];
    cr_assert(pipe(ends) == 0 && write(ends[1], START, sizeof START - 1) == sizeof START - 1 && close(ends[1]) == 0);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    expect_failure(path, NULL, MCV_BAD_INPUT, "a pipe");
    close(ends[0]);
}

Test(video, y4m_refusals) {
    expect_failure(temporary_text("empty.y4m", ""), NULL, MCV_BAD_INPUT, "empty");
    expect_failure(temporary_text("none.y4m", "YUV4MPEG2 W2 H2\n"), NULL, MCV_BAD_INPUT, "without pictures");
    expect_failure(temporary_text("part.y4m", "YUV4MPEG2 W2 H2\nFRAME\nabc"), NULL, MCV_BAD_INPUT, "without pictures");
    expect_failure(temporary_text("line.y4m", "YUV4MPEG2 W2 H2"), NULL, MCV_BAD_INPUT, "does not end");
    expect_failure(temporary_text("size.y4m", "YUV4MPEG2 W2\nFRAME\n"), NULL, MCV_BAD_INPUT, "2 x 0");
    expect_failure(temporary_text("minus.y4m", "YUV4MPEG2 W-2 H2\nFRAME\n"), NULL, MCV_BAD_INPUT, "-2 x 2");
    expect_failure(temporary_text("huge.y4m", "YUV4MPEG2 W999999999 H999999999\n"), NULL, MCV_BAD_INPUT, "999999999");
    expect_failure(temporary_text("deep.y4m", "YUV4MPEG2 W2 H2 C420p10\n"), NULL, MCV_UNSUPPORTED, "420p10");
    expect_failure(temporary_text("frame.y4m", "YUV4MPEG2 W1 H1 Cmono\nFRAME\naFRAMX\nb"), NULL, MCV_BAD_INPUT,
                   "picture 1");
}

/* ---- WebP -------------------------------------------------------------------------------------------------------- */

/* 6 x 4 pixels for 100, 250 and 50 ms. Picture i has the colour (10 + i, 200 - i, 30 i), but (255, 0, 1) at (i, i).
 * Made by Pillow: save("...", save_all=True, append_images=..., duration=[100, 250, 50], lossless=True,
 * minimize_size=True). */
static const uint8_t WEBP[] = {
    0x52, 0x49, 0x46, 0x46, 0xcc, 0x00, 0x00, 0x00, 0x57, 0x45, 0x42, 0x50, 0x56, 0x50, 0x38, 0x58, 0x0a, 0x00,
    0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x03, 0x00, 0x00, 0x41, 0x4e, 0x49, 0x4d, 0x06, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x41, 0x4e, 0x4d, 0x46, 0x2e, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x03, 0x00, 0x00, 0x64, 0x00, 0x00, 0x02, 0x56, 0x50, 0x38, 0x4c,
    0x15, 0x00, 0x00, 0x00, 0x2f, 0x05, 0xc0, 0x00, 0x00, 0x0f, 0x70, 0x1c, 0xe4, 0x2b, 0xd4, 0x4f, 0xc0, 0xfc,
    0x47, 0x1a, 0x26, 0x20, 0xa2, 0xff, 0x11, 0x00, 0x41, 0x4e, 0x4d, 0x46, 0x2e, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x03, 0x00, 0x00, 0xfa, 0x00, 0x00, 0x00, 0x56, 0x50, 0x38, 0x4c,
    0x16, 0x00, 0x00, 0x00, 0x2f, 0x05, 0xc0, 0x00, 0x00, 0x0f, 0xf0, 0x9c, 0xe3, 0x2f, 0xd0, 0xdf, 0x63, 0x7c,
    0xfe, 0x23, 0x0d, 0x23, 0x10, 0xd1, 0xff, 0x10, 0x41, 0x4e, 0x4d, 0x46, 0x34, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x03, 0x00, 0x00, 0x32, 0x00, 0x00, 0x00, 0x56, 0x50, 0x38, 0x4c,
    0x1b, 0x00, 0x00, 0x00, 0x2f, 0x05, 0xc0, 0x00, 0x00, 0x0f, 0x70, 0x1d, 0xe3, 0x33, 0xcc, 0x9f, 0xa7, 0x78,
    0xfe, 0x23, 0x0d, 0x04, 0x92, 0xb6, 0x78, 0xdb, 0x1f, 0xd1, 0xff, 0x80, 0x03, 0x00};

static void expect_webp_picture(mcv_video *video, int index) {
    mcv_image image;
    cr_assert_eq(mcv_video_read(video, index, &image), MCV_OK, "%s", mcv_error_message());
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 6; x++)
            if (x == index && y == index)
                expect_pixel(&image, x, y, 255, 0, 1);
            else
                expect_pixel(&image, x, y, 10 + index, 200 - index, 30 * index);
    mcv_image_free(&image);
}

Test(video, webp_pictures_and_times) {
    mcv_video *video = open_video(temporary_file("a.webp", WEBP, sizeof WEBP), NULL);
    const mcv_video_info *info = mcv_video_get_info(video);
    cr_assert_eq(info->frame_count, 3);
    cr_expect_eq(info->width, 6);
    cr_expect_eq(info->height, 4);
    cr_expect(info->variable_rate);
    cr_expect_float_eq(info->times[1], 0.1, 1e-12);
    cr_expect_float_eq(info->times[2], 0.35, 1e-12);
    cr_expect_float_eq(info->fps, 3 / 0.4, 1e-12);
    static const int ORDER[] = {0, 1, 2, 2, 1, 0, 2};
    for (int i = 0; i < 7; i++)
        expect_webp_picture(video, ORDER[i]);
    mcv_video_close(video);
}

/* Durations of 0, 11 and 10 ms: what is too short to be seen is shown for 100 ms. */
Test(video, webp_durations_that_nobody_can_see) {
    static const size_t DURATIONS_AT[] = {64, 118, 172}; /* 24 bits, low first, of each ANMF chunk */
    static const uint8_t DURATIONS[] = {0, 11, 10};
    uint8_t data[sizeof WEBP];
    memcpy(data, WEBP, sizeof WEBP);
    for (int i = 0; i < 3; i++)
        data[DURATIONS_AT[i]] = DURATIONS[i];
    mcv_video *video = open_video(temporary_file("brief.webp", data, sizeof data), NULL);
    const mcv_video_info *info = mcv_video_get_info(video);
    cr_expect_float_eq(info->times[1], 0.1, 1e-12);
    cr_expect_float_eq(info->times[2], 0.111, 1e-12);
    cr_expect_float_eq(info->fps, 3 / 0.211, 1e-12);
    for (int i = 0; i < 3; i++)
        expect_webp_picture(video, i);
    mcv_video_close(video);
}

/* Whatever is wrong with it, it is refused or gives pictures. */
Test(video, webp_damaged) {
    uint8_t data[sizeof WEBP];
    for (size_t size = 1; size < sizeof WEBP; size++) {
        mcv_video *video;
        mcv_status status = mcv_video_open(temporary_file("cut.webp", WEBP, size), NULL, &video);
        cr_expect(status == MCV_BAD_INPUT || status == MCV_UNSUPPORTED, "%zu bytes: %d", size, status);
    }
    for (size_t i = 12; i < sizeof WEBP; i++) {
        mcv_video *video;
        mcv_image image;
        memcpy(data, WEBP, sizeof WEBP);
        data[i] ^= 0x55;
        mcv_status status = mcv_video_open(temporary_file("bad.webp", data, sizeof data), NULL, &video);
        for (int64_t j = 0; status == MCV_OK && j < mcv_video_get_info(video)->frame_count; j++) {
            status = mcv_video_read(video, j, &image);
            mcv_image_free(&image);
        }
        cr_expect(status == MCV_OK || status == MCV_BAD_INPUT, "byte %zu: %d: %s", i, status, mcv_error_message());
        mcv_video_close(video);
    }
}

/* ---- Folders of images ------------------------------------------------------------------------------------------- */

/* A folder with pictures of one colour each, (number, 0, 0), their numbers not padded. */
static const char *make_folder(int first, int last) {
    static char folder[256];
    char name[64], text[256];
    strcpy(folder, temporary_path("pictures"));
    cr_assert_eq(mkdir(folder, 0777), 0);
    for (int number = first; number <= last; number++) {
        snprintf(name, sizeof name, "pictures/p%d.ppm", number);
        snprintf(text, sizeof text, "P3 %d 2 255 ", number);
        for (int i = 0; i < 2 * number; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%d 0 0 ", number);
        temporary_text(name, text);
    }
    temporary_text("pictures/notes.txt", "no picture");
    temporary_text("pictures/.hidden.png", "no picture");
    return folder;
}

Test(video, folder_in_the_order_of_its_numbers) {
    mcv_video_options options = {.frame_rate = 12.5};
    mcv_video *video = open_video(make_folder(1, 3), &options);
    const mcv_video_info *info = mcv_video_get_info(video);
    cr_assert_eq(info->frame_count, 3);
    cr_expect_eq(info->fps, 12.5);
    cr_expect_not(info->variable_rate);
    for (int i = 2; i >= 0; i--) { /* sizes differ */
        mcv_image image;
        cr_assert_eq(mcv_video_read(video, i, &image), MCV_OK, "%s", mcv_error_message());
        cr_expect_eq(image.width, i + 1);
        expect_pixel(&image, 0, 1, i + 1, 0, 0);
        mcv_image_free(&image);
    }
    mcv_video_close(video);
}

Test(video, folder_beyond_nine) {
    mcv_video_options options = {.frame_rate = 1};
    mcv_image image;
    mcv_video *video = open_video(make_folder(8, 10), &options);
    cr_assert_eq(mcv_video_read(video, 2, &image), MCV_OK, "%s", mcv_error_message());
    cr_expect_eq(image.width, 10);
    mcv_image_free(&image);
    mcv_video_close(video);
}

Test(video, folder_with_timestamps) {
    const char *folder = make_folder(1, 3);
    mcv_video_options options = {.timestamps = temporary_text("seconds", "# when\n10\n10.5\n\n  17 \r\n")};
    mcv_video *video = open_video(folder, &options);
    const mcv_video_info *info = mcv_video_get_info(video);
    cr_expect(info->variable_rate);
    cr_expect_eq(info->times[0], 0);
    cr_expect_eq(info->times[1], 0.5);
    cr_expect_eq(info->times[2], 7);
    cr_expect_eq(info->fps, 3 / (7 + 3.5)); /* the last as long as the others on average */
    mcv_video_close(video);

    options.timestamps = temporary_text("v2", "# timestamp format v2\n0\n500\n1000\n1250\n"); /* and the end */
    video = open_video(folder, &options);
    cr_expect_eq(mcv_video_get_info(video)->times[2], 1);
    cr_expect_eq(mcv_video_get_info(video)->fps, 3 / 1.25);
    mcv_video_close(video);
}

Test(video, folder_refusals) {
    const char *folder = make_folder(1, 2), *y4m = y4m_file("a.y4m", "YUV4MPEG2 W6 H4", 36, 1, 0);
    mcv_video_options options = {0};
    expect_failure(folder, &options, MCV_USAGE, "frame rate");
    options = (mcv_video_options){.frame_rate = -1};
    expect_failure(folder, &options, MCV_USAGE, "-1");
    options = (mcv_video_options){.frame_rate = 1};
    expect_failure(y4m, &options, MCV_USAGE, "folders");
    expect_failure(temporary_path("nowhere"), &options, MCV_BAD_INPUT, "No such file");
    options = (mcv_video_options){.timestamps = temporary_path("nothing")};
    expect_failure(folder, &options, MCV_BAD_INPUT, "nothing");
    static const struct {
        const char *times, *words;
    } BAD[] = {{"0\n", "1 times for the 2 images"},
               {"0\n1\n2\n", "line 3: more times than the 2 images"},
               {"# timestamp format v2\n0\n1\n2\n3\n", "line 5: more times"},
               {"5\n4\n", "line 2: 4"},
               {"0\nnan\n", "line 2"},
               {"0\none\n", "'one'"},
               {"0 1\n", "'0 1'"}};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        options.timestamps = temporary_text("times", BAD[i].times);
        expect_failure(folder, &options, MCV_BAD_INPUT, BAD[i].words);
    }
    options = (mcv_video_options){.frame_rate = 1};
    temporary_text("pictures/p1.ppm", "P3 1 x");
    expect_failure(folder, &options, MCV_BAD_INPUT, "p1.ppm");
    cr_assert_eq(mkdir(temporary_path("bare"), 0777), 0);
    expect_failure(temporary_path("bare"), &options, MCV_BAD_INPUT, "no images");
}

/* ---- Clips ------------------------------------------------------------------------------------------------------- */

/* Pictures at 0, 1, 5, 5.5 and 6 s, the last for 2 s. */
static const char *uneven_folder(mcv_clip_options *options) {
    static char times[256];
    const char *folder = make_folder(1, 5);
    strcpy(times, temporary_text("uneven", "# timestamp format v2\n0\n1000\n5000\n5500\n6000\n8000\n"));
    *options = mcv_clip_options_default();
    options->timestamps = times;
    return folder;
}

static mcv_clip open_clip(const char *path, const mcv_clip_options *options) {
    mcv_clip clip;
    cr_assert_eq(mcv_clip_open(path, options, &clip), MCV_OK, "%s", mcv_error_message());
    return clip;
}

Test(clip, a_section_is_a_video_of_its_own) {
    mcv_clip_options options;
    const char *folder = uneven_folder(&options);
    options.start = 0.5;
    options.end = 6;
    mcv_clip clip = open_clip(folder, &options);
    cr_expect_eq(clip.duration, 5);            /* from 1 s to 6 s */
    cr_assert_eq(clip.sampling.num_frames, 5); /* 3 pictures in 5 s round to 1 a second */
    static const int INDICES[] = {1, 1, 2, 3, 3}, IDS[] = {0, 0, 40, 45, 45};
    static const double TIMES[] = {1, 1, 5, 5.5, 5.5};
    for (int i = 0; i < 5; i++) {
        cr_expect_eq(clip.sampling.frame_indices[i], INDICES[i]);
        cr_expect_eq(clip.sampling.timestamps[i], TIMES[i]);
        cr_expect_eq(clip.sampling.temporal_ids[i], IDS[i]);
    }
    mcv_image image;
    cr_assert_eq(mcv_clip_read(&clip, 2, &image), MCV_OK);
    expect_pixel(&image, 0, 0, 3, 0, 0);
    mcv_image_free(&image);
    mcv_clip_close(&clip);
}

Test(clip, the_cards_timing_has_even_steps) {
    mcv_clip_options options;
    const char *folder = uneven_folder(&options);
    options.card_timing = true;
    mcv_clip clip = open_clip(folder, &options);
    cr_expect_eq(clip.duration, 8);
    for (int i = 0; i < clip.sampling.num_frames; i++)
        cr_expect_eq(clip.sampling.timestamps[i], (double)clip.sampling.frame_indices[i] / (5 / 8.0));
    mcv_clip_close(&clip);
}

Test(clip, sections_without_pictures) {
    mcv_clip clip;
    mcv_clip_options options;
    const char *folder = uneven_folder(&options);
    options.start = 1.5;
    options.end = 4;
    cr_expect_eq(mcv_clip_open(folder, &options, &clip), MCV_USAGE);
    options.end = 0;
    options.start = 8;
    cr_expect_eq(mcv_clip_open(folder, &options, &clip), MCV_USAGE);
    cr_expect_not_null(strstr(mcv_error_message(), "from 8 s on"), "%s", mcv_error_message());
    cr_expect_null(clip.video);
}

/* ---- Builds without FFmpeg --------------------------------------------------------------------------------------- */

Test(video, says_what_a_build_lacks) {
    static const char MP4[] = "\0\0\0\x18"
                              "ftypisom\0\0\0\0isommp42";
    if (mcv_video_has_libav)
        cr_skip_test("this build has FFmpeg's libraries");
    expect_failure(temporary_file("a.mp4", MP4, sizeof MP4 - 1), NULL, MCV_UNSUPPORTED, "libavformat-dev");
}
