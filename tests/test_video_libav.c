/* Videos through FFmpeg's libraries, held to what the program `ffmpeg` of the same machine makes of them. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "tests/temporary.h"
#include "video/video.h"

/* ---- ffmpeg ------------------------------------------------------------------------------------------------------ */

static void need_ffmpeg(void) {
    if (!mcv_video_has_libav)
        cr_skip_test("this build has no FFmpeg libraries");
    if (system("command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null") != 0)
        cr_skip_test("the programs ffmpeg and ffprobe are not installed");
}

/* Runs a shell command in the temporary folder; false where it fails. */
static bool run(const char *format, ...) MCV_PRINTF(1, 2);
static bool run(const char *format, ...) {
    char words[1024], command[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    snprintf(command, sizeof command, "cd %s && ff='ffmpeg -nostdin -v error -y' && %s", temporary_folder(), words);
    return system(command) == 0;
}

/* Makes a moving picture with sharp edges and flat colours. */
static bool make(const char *name, const char *source, const char *encoding) {
    return run("$ff -f lavfi -i testsrc2=%s %s %s 2>/dev/null", source, encoding, name);
}

static uint8_t *read_whole(const char *name, size_t *size) {
    FILE *file = fopen(temporary_path(name), "rb");
    struct stat about;
    cr_assert(file && fstat(fileno(file), &about) == 0);
    *size = (size_t)about.st_size;
    uint8_t *data = malloc(*size + 1);
    cr_assert_eq(fread(data, 1, *size, file), *size);
    fclose(file);
    return data;
}

static mcv_video *open_video(const char *name) {
    mcv_video *video;
    cr_assert_eq(mcv_video_open(temporary_path(name), NULL, &video), MCV_OK, "%s", mcv_error_message());
    return video;
}

static void expect_picture(mcv_video *video, const char *name, int64_t index, const uint8_t *expected) {
    mcv_image image;
    cr_assert_eq(mcv_video_read(video, index, &image), MCV_OK, "%s", mcv_error_message());
    size_t size = (size_t)image.width * (size_t)image.height * 3;
    cr_expect(memcmp(image.rgb, expected + (size_t)index * size, size) == 0, "%s: picture %d differs", name,
              (int)index);
    mcv_image_free(&image);
}

/* All pictures, forward, backward, with steps over key frames, and few that were said ahead, equal ffmpeg's, byte for
 * byte. */
static void expect_ffmpegs_pictures(const char *name) {
    size_t size;
    cr_assert(run("$ff -i %s -vsync passthrough -f rawvideo -pix_fmt rgb24 expected.rgb", name));
    uint8_t *expected = read_whole("expected.rgb", &size);
    mcv_video *video = open_video(name);
    const mcv_video_info *info = mcv_video_get_info(video);
    cr_assert_eq(info->frame_count * info->width * info->height * 3, (int64_t)size, "%s: %d pictures of %d x %d", name,
                 (int)info->frame_count, info->width, info->height);
    for (int64_t i = 0; i < info->frame_count; i++)
        expect_picture(video, name, i, expected);
    for (int64_t i = info->frame_count; i-- > 0;)
        expect_picture(video, name, i, expected);
    for (int64_t i = 0; i < 12; i++)
        expect_picture(video, name, i * 29 % info->frame_count, expected);
    int64_t chosen[4] = {0, info->frame_count / 3, info->frame_count * 3 / 4, info->frame_count - 1};
    for (int64_t phase = 0; phase < 4 && info->frame_count > 16; phase++, chosen[1]++, chosen[2]++) {
        cr_assert_eq(mcv_video_expect(video, chosen, 4), MCV_OK);
        for (int i = 0; i < 4; i++)
            expect_picture(video, name, chosen[i], expected);
    }
    cr_expect_null(info->remark, "%s: %s", name, info->remark);
    mcv_video_close(video);
    free(expected);
}

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */

static const char CLIP[] = "size=98x70:rate=30:duration=1.5";

static void expect_codec(const char *name, const char *encoding) {
    need_ffmpeg();
    if (!make(name, CLIP, encoding))
        cr_skip_test("this ffmpeg cannot write it");
    mcv_video *video = open_video(name);
    cr_expect_eq(mcv_video_get_info(video)->frame_count, 45, "%s", name);
    cr_expect_float_eq(mcv_video_get_info(video)->fps, 30, 1e-9, "%s", name);
    mcv_video_close(video);
    expect_ffmpegs_pictures(name);
}

#define CODEC_TEST(name, file, encoding)                                                                               \
    Test(video_libav, name) {                                                                                          \
        expect_codec(file, encoding);                                                                                  \
    }

CODEC_TEST(h264_in_mp4, "a.mp4", "-c:v libx264 -g 12 -bf 3 -pix_fmt yuv420p")
CODEC_TEST(h264_422_in_mkv, "a.mkv", "-c:v libx264 -g 12 -bf 3 -pix_fmt yuv422p")
CODEC_TEST(h264_444_in_mov, "a.mov", "-c:v libx264 -g 12 -pix_fmt yuv444p")
CODEC_TEST(h264_of_10_bits, "a.mp4", "-c:v libx264 -g 12 -pix_fmt yuv420p10le")
CODEC_TEST(h264_full_range_bt709, "a.mp4", "-c:v libx264 -pix_fmt yuvj420p -colorspace bt709")
CODEC_TEST(h264_in_avi_without_times, "a.avi", "-c:v libx264 -g 12 -bf 3 -pix_fmt yuv420p")
CODEC_TEST(h264_alone, "a.h264", "-c:v libx264 -g 12 -bf 3 -pix_fmt yuv420p -r 30")
CODEC_TEST(h264_open_gop_in_ts, "a.ts", "-c:v libx264 -x264opts open-gop=1:keyint=12:bframes=4 -pix_fmt yuv420p")
CODEC_TEST(hevc_in_mp4, "a.mp4", "-c:v libx265 -x265-params log-level=error:keyint=12 -pix_fmt yuv420p")
CODEC_TEST(vp9_in_webm, "a.webm", "-c:v libvpx-vp9 -cpu-used 8 -g 12 -pix_fmt yuv420p")
CODEC_TEST(vp8_with_hidden_pictures, "a.webm", "-c:v libvpx -auto-alt-ref 1 -lag-in-frames 16 -b:v 100k -g 30")
CODEC_TEST(mpeg4_in_avi, "a.avi", "-c:v mpeg4 -bf 2 -g 12")
CODEC_TEST(mjpeg_in_avi, "a.avi", "-c:v mjpeg -pix_fmt yuvj422p")
CODEC_TEST(prores_in_mov, "a.mov", "-c:v prores_ks")
CODEC_TEST(ffv1_rgb_in_mkv, "a.mkv", "-c:v ffv1 -pix_fmt bgr0")
CODEC_TEST(nv12_in_mkv, "a.mkv", "-c:v rawvideo -pix_fmt nv12")
CODEC_TEST(y4m, "a.y4m", "-pix_fmt yuv420p")
CODEC_TEST(y4m_full_range, "a.y4m", "-pix_fmt yuv420p -vf scale=out_range=full -color_range pc")
CODEC_TEST(y4m_422, "a.y4m", "-pix_fmt yuv422p")
CODEC_TEST(y4m_444, "a.y4m", "-pix_fmt yuv444p")
CODEC_TEST(y4m_gray, "a.y4m", "-pix_fmt gray")

/* Their times are rounded to 1/100 s and to 1/65535 s. */
Test(video_libav, animated_images) {
    need_ffmpeg();
    cr_assert(make("a.gif", CLIP, "-c:v gif") && make("a.png", CLIP, "-c:v apng -f apng"));
    expect_ffmpegs_pictures("a.gif");
    expect_ffmpegs_pictures("a.png");
}

/* Delays of 10 ms stand for 100 ms in GIF, as in browsers. */
Test(video_libav, gif_delays_that_nobody_can_see) {
    need_ffmpeg();
    cr_assert(make("a.gif", "size=32x32:rate=100:duration=0.05", "-c:v gif"));
    mcv_video *video = open_video("a.gif");
    const mcv_video_info *info = mcv_video_get_info(video);
    cr_expect_eq(info->frame_count, 5);
    cr_expect_float_eq(info->times[4], 0.4, 1e-9);
    cr_expect_float_eq(info->fps, 10, 1e-9);
    mcv_video_close(video);
}

Test(video_libav, odd_sizes) {
    need_ffmpeg();
    cr_assert(run("$ff -f lavfi -i testsrc2=size=200x150:rate=10:duration=1 -vf crop=97:71:1:1:exact=1 "
                  "-pix_fmt yuv420p "
                  "-c:v ffv1 odd.mkv"));
    expect_ffmpegs_pictures("odd.mkv");
}

Test(video_libav, turned_pictures) {
    need_ffmpeg();
    static const char *const FORMATS[] = {"yuv420p", "yuv420p10le", "yuv444p", "yuv422p"};
    for (int format = 0; format < 4; format++)
        for (int angle = 90; angle <= 270; angle += 90) {
            cr_assert(run("$ff -f lavfi -i testsrc2=size=98x70:rate=10:duration=0.5 -c:v libx264 -pix_fmt "
                          "%s plain.mp4 "
                          "&& { $ff -display_rotation %d -i plain.mp4 -c copy turned.mp4 2>/dev/null "
                          "|| $ff -i plain.mp4 -c copy -metadata:s:v rotate=%d turned.mp4; }",
                          FORMATS[format], angle, angle));
            mcv_video *video = open_video("turned.mp4");
            cr_expect_eq(mcv_video_get_info(video)->width, angle == 180 ? 98 : 70);
            mcv_video_close(video);
            expect_ffmpegs_pictures("turned.mp4");
        }
}

/* Pictures become whole bit by bit: those behind a place to which one can seek are not those of the whole
 * stream. */
Test(video_libav, h264_intra_refresh) {
    need_ffmpeg();
    const char *encodings[] = {"keyint=10:bframes=0", "keyint=10:bframes=3", "keyint=30:bframes=3"};
    for (int i = 0; i < 3; i++) {
        cr_assert(run("$ff -f lavfi -i testsrc2=size=320x240:rate=30:duration=2 -c:v libx264 -x264-params "
                      "intra-refresh=1:%s -pix_fmt yuv420p refresh.mp4",
                      encodings[i]));
        expect_ffmpegs_pictures("refresh.mp4");
    }
}

/* ffmpeg and decord scale later pictures to the first one's size, too. */
Test(video_libav, size_changes_midway) {
    need_ffmpeg();
    cr_assert(make("a.ts", "size=96x64:rate=30:duration=0.5", "-c:v libx264"));
    cr_assert(make("b.ts", "size=64x96:rate=30:duration=0.5", "-c:v libx264 -output_ts_offset 1"));
    cr_assert(run("cat a.ts b.ts >c.ts"));
    expect_ffmpegs_pictures("c.ts");
}

/* ---- Times ------------------------------------------------------------------------------------------------------- */

Test(video_libav, variable_rate_takes_the_presentation_times) {
    need_ffmpeg();
    const char *names[] = {"v.mp4", "v.mkv"};
    for (int i = 0; i < 2; i++) {
        cr_assert(make(names[i], "size=96x64:rate=30:duration=4",
                       "-vf \"select='not(between(n,20,60))*(lt(n,70)+not(mod(n,3)))'\" -vsync vfr -c:v libx264 -g 9"));
        cr_assert(run("ffprobe -v error -select_streams v -show_entries frame=pkt_pts_time,pts_time -of "
                      "default=nokey=1:noprint_wrappers=1 %s >times",
                      names[i]));
        expect_ffmpegs_pictures(names[i]);
        mcv_video *video = open_video(names[i]);
        const mcv_video_info *info = mcv_video_get_info(video);
        cr_expect(info->variable_rate);
        FILE *file = fopen(temporary_path("times"), "r");
        double time, first = 0;
        int64_t count = 0;
        for (; fscanf(file, "%lf", &time) == 1; count++) {
            first = count == 0 ? time : first;
            cr_assert_lt(count, info->frame_count);
            cr_expect_float_eq(info->times[count], time - first, 2e-6, "%s: picture %d", names[i], (int)count);
        }
        fclose(file);
        cr_expect_eq(count, info->frame_count);
        cr_expect_float_eq((double)info->frame_count / info->fps, 4, 0.1, "%s: %g", names[i],
                           (double)info->frame_count / info->fps);
        mcv_video_close(video);
    }
}

/* AVI has no times for H.264 but those of decoding, and pictures left out. */
Test(video_libav, a_gap_in_avi) {
    need_ffmpeg();
    cr_assert(make("gap.avi", "size=96x64:rate=25:duration=1",
                   "-vf \"setpts='if(lt(N,15),N,N+100)/25/TB'\" -vsync passthrough -c:v libx264 -bf 2"));
    expect_ffmpegs_pictures("gap.avi");
    mcv_video *video = open_video("gap.avi");
    const mcv_video_info *info = mcv_video_get_info(video);
    cr_assert_eq(info->frame_count, 25);
    cr_expect(info->variable_rate);
    cr_expect_float_eq(info->times[1], 0.04, 1e-9);
    cr_expect_float_eq(info->times[24], 4.96, 1e-9);
    cr_expect_float_eq(25 / info->fps, 5, 1e-9);
    mcv_video_close(video);
}

Test(video_libav, an_edit_list_cuts_pictures_off) {
    need_ffmpeg();
    cr_assert(make("a.mp4", "size=96x64:rate=30:duration=2", "-c:v libx264 -g 40 -bf 3"));
    cr_assert(run("$ff -ss 0.5 -i a.mp4 -c copy cut.mp4"));
    expect_ffmpegs_pictures("cut.mp4");
    mcv_video *video = open_video("cut.mp4");
    cr_expect_eq(mcv_video_get_info(video)->frame_count, 45);
    mcv_video_close(video);
}

/* Two recordings behind each other, both from the same time on: pictures are taken as they come. */
Test(video_libav, times_jump_back) {
    need_ffmpeg();
    cr_assert(make("a.ts", "size=96x64:rate=30:duration=0.5", "-c:v libx264"));
    cr_assert(run("cat a.ts a.ts >b.ts"));
    expect_ffmpegs_pictures("b.ts");
    mcv_video *video = open_video("b.ts");
    cr_expect_eq(mcv_video_get_info(video)->frame_count, 30);
    cr_expect_float_eq(mcv_video_get_info(video)->times[29], 29 / 30.0, 1e-9);
    mcv_video_close(video);
}

/* ---- Bad input --------------------------------------------------------------------------------------------------- */

static void expect_refused(const char *name, mcv_status expected, const char *words) {
    mcv_video *video;
    cr_expect_eq(mcv_video_open(temporary_path(name), NULL, &video), expected, "%s", name);
    cr_expect_null(video);
    cr_expect_not_null(strstr(mcv_error_message(), words), "'%s' in: %s", words, mcv_error_message());
}

Test(video_libav, refusals) {
    need_ffmpeg();
    cr_assert(run("$ff -f lavfi -i sine=duration=1 sound.m4a && $ff -i sound.m4a sound.ogg && $ff -i "
                  "sound.m4a sound.wav"));
    expect_refused("sound.m4a", MCV_BAD_INPUT, "no video");
    expect_refused("sound.ogg", MCV_BAD_INPUT, "no video");
    expect_refused("sound.wav", MCV_BAD_INPUT, "not a video");
    cr_assert(run("$ff -f lavfi -i testsrc2=size=64x48:rate=10:duration=1 -frames:v 1 cover.png && "
                  "$ff -i sound.m4a -i cover.png -map 0 -map 1 -disposition:v attached_pic -c copy covered.m4a"));
    expect_refused("covered.m4a", MCV_BAD_INPUT, "no video");
    cr_assert(make("none.mkv", "size=64x48:rate=10:duration=1", "-frames:v 0"));
    expect_refused("none.mkv", MCV_BAD_INPUT, "none.mkv");
    cr_assert(make("a.mp4", "size=64x48:rate=10:duration=1", "-c:v libx264") && run("head -c 2000 a.mp4 >half.mp4"));
    expect_refused("half.mp4", MCV_BAD_INPUT, "half.mp4");
    temporary_text("text.mp4", "no video at all, but words\n");
    expect_refused("text.mp4", MCV_BAD_INPUT, "text.mp4");
    temporary_text("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://localhost:1/a.ts\n");
    expect_refused("list.m3u8", MCV_BAD_INPUT, "not a video");
}

Test(video_libav, one_pixel) {
    need_ffmpeg();
    cr_assert(run("$ff -f lavfi -i testsrc2=rate=10:duration=1 -vf scale=1:1 -c:v ffv1 -pix_fmt bgr0 pixel.mkv"));
    expect_ffmpegs_pictures("pixel.mkv");
}

Test(video_libav, cut_short) {
    need_ffmpeg();
    cr_assert(make("a.mkv", "size=96x64:rate=30:duration=2", "-c:v libx264 -g 12") &&
              run("head -c $(($(stat -c %%s a.mkv) / 2)) a.mkv >short.mkv"));
    mcv_video *video = open_video("short.mkv");
    int64_t count = mcv_video_get_info(video)->frame_count;
    cr_expect(count > 5 && count < 55, "%d pictures", (int)count);
    mcv_image image;
    for (int64_t i = 0; i < count; i++) {
        cr_expect_eq(mcv_video_read(video, i, &image), MCV_OK, "%s", mcv_error_message());
        mcv_image_free(&image);
    }
    mcv_video_close(video);
}

/* xorshift64: the same damage each time. */
static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static void damage(uint8_t *data, size_t *size, uint64_t *random) {
    if (next_random(random) % 4 == 0)
        *size = (size_t)(next_random(random) % *size) + 1;
    for (uint64_t i = next_random(random) % 20; i > 0; i--)
        data[next_random(random) % *size] = (uint8_t)next_random(random);
}

/* Reads some pictures; whatever the file holds, it is refused or gives pictures. */
static void expect_no_crash(const char *path, const char *name, int round) {
    mcv_video *video;
    mcv_image image;
    mcv_status status = mcv_video_open(path, &(mcv_video_options){.threads = 1}, &video);
    int64_t count = status == MCV_OK ? mcv_video_get_info(video)->frame_count : 0;
    for (int64_t i = 0; i < 5 && status == MCV_OK; i++) {
        status = mcv_video_read(video, i * 7 % count, &image);
        mcv_image_free(&image);
    }
    cr_expect(status == MCV_OK || status == MCV_BAD_INPUT || status == MCV_UNSUPPORTED, "%s, round %d: %d: %s", name,
              round, status, mcv_error_message());
    mcv_video_close(video);
}

Test(video_libav, damaged_files, .timeout = 300) {
    need_ffmpeg();
    static const struct {
        const char *name, *encoding;
    } FILES[] = {{"d.mp4", "-c:v libx264 -g 6 -bf 2"},
                 {"d.mkv", "-c:v libx264 -g 6 -bf 2"},
                 {"d.webm", "-c:v libvpx-vp9 -cpu-used 8 -g 6"},
                 {"d.avi", "-c:v mpeg4 -g 6"},
                 {"d.ts", "-c:v mpeg2video -g 6"},
                 {"d.gif", "-c:v gif"},
                 {"d.y4m", "-pix_fmt yuv420p"}};
    uint64_t random = 45;
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        size_t whole_size;
        if (!make(FILES[i].name, "size=32x32:rate=10:duration=1.5", FILES[i].encoding))
            continue;
        uint8_t *whole = read_whole(FILES[i].name, &whole_size), *data = malloc(whole_size);
        for (int round = 0; round < 60; round++) {
            size_t size = whole_size;
            memcpy(data, whole, size);
            damage(data, &size, &random);
            expect_no_crash(temporary_file("damaged", data, size), FILES[i].name, round);
        }
        free(data);
        free(whole);
    }
}
