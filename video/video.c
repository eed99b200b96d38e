#include "video/video.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "video/video_backend.h"

/* ---- Which reader ------------------------------------------------------------------------------------------------ */

static mcv_status refuse_folder_options(const char *path, const mcv_video_options *options) {
    if (options->frame_rate != 0 || options->timestamps)
        return MCV_FAIL(MCV_USAGE, "%s: a frame rate or timestamps are for folders of images; this is a file", path);
    return MCV_OK;
}

static mcv_status open_file(mcv_video *video, const mcv_video_options *options) {
    char start[16] = {0};
    MCV_TRY(mcv_file_check_regular(video->path));
    FILE *stream = fopen(video->path, "rbe");
    if (!stream)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be opened: %s", video->path, strerror(errno));
    size_t size = fread(start, 1, sizeof start, stream);
    fclose(stream);
    MCV_TRY(refuse_folder_options(video->path, options));
    if (size == 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: the file is empty", video->path);
    if (memcmp(start, "YUV4MPEG2", 9) == 0)
        return mcv_video_open_y4m(video);
    if (memcmp(start, "RIFF", 4) == 0 && memcmp(start + 8, "WEBP", 4) == 0)
        return mcv_video_open_webp(video);
    return mcv_video_open_libav(video, options);
}

static mcv_status open_path(mcv_video *video, const char *path, const mcv_video_options *options) {
    struct stat about;
    MCV_TRY(mcv_strdup(&video->path, path));
    if (stat(path, &about) == 0 && S_ISDIR(about.st_mode))
        return mcv_video_open_folder(video, options);
    return open_file(video, options);
}

/* ---- Times ------------------------------------------------------------------------------------------------------- */

/* Whether every picture is shown at its number divided by the stated rate, as far as the file's precision tells, or
 * that of milliseconds, which a file may come from. */
static bool rate_is_constant(const mcv_video *video) {
    const mcv_video_info *info = &video->info;
    if (!(info->container_fps > 0))
        return false;
    double tolerance = fmax(video->time_precision, 0.002);
    for (int64_t i = 0; i < info->frame_count; i++)
        if (!(fabs(video->times[i] - (double)i / info->container_fps) <= tolerance))
            return false;
    return true;
}

static mcv_status settle_times(mcv_video *video) {
    static const double STILL_FPS = 1; /* of a single picture without a duration */
    mcv_video_info *info = &video->info;
    double last_time = video->times[info->frame_count - 1], last_duration = video->last_duration;
    info->times = video->times;
    info->variable_rate = !rate_is_constant(video);
    if (!info->variable_rate) {
        info->fps = info->container_fps;
        return MCV_OK;
    }
    if (!(last_duration > 0))
        last_duration = info->frame_count > 1 ? last_time / (double)(info->frame_count - 1) : 1 / STILL_FPS;
    info->fps = (double)info->frame_count / (last_time + last_duration);
    if (!(info->fps > 0 && isfinite(info->fps)))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: its %lld pictures last %g seconds", video->path,
                        (long long)info->frame_count, last_time + last_duration);
    return MCV_OK;
}

/* ---- Remarks ----------------------------------------------------------------------------------------------------- */

void mcv_video_remark(mcv_video *video, const char *format, ...) {
    va_list arguments;
    if (video->remark)
        return;
    va_start(arguments, format);
    if (vasprintf(&video->remark, format, arguments) < 0)
        video->remark = NULL; /* a remark less */
    va_end(arguments);
    video->info.remark = video->remark;
}

/* ---- Interface --------------------------------------------------------------------------------------------------- */

mcv_status mcv_video_open(const char *path, const mcv_video_options *options, mcv_video **out) {
    static const mcv_video_options NO_OPTIONS;
    mcv_video *video;
    *out = NULL;
    MCV_TRY(MCV_NEW(&video, 1));
    mcv_status status = open_path(video, path, options ? options : &NO_OPTIONS);
    if (status == MCV_OK)
        status = settle_times(video);
    if (status != MCV_OK) {
        mcv_video_close(video);
        return status;
    }
    *out = video;
    return MCV_OK;
}

void mcv_video_close(mcv_video *video) {
    if (!video)
        return;
    if (video->close)
        video->close(video);
    free(video->times);
    free(video->remark);
    free(video->path);
    free(video);
}

const mcv_video_info *mcv_video_get_info(const mcv_video *video) {
    return &video->info;
}

mcv_status mcv_video_expect(mcv_video *video, const int64_t *indices, size_t count) {
    return video->expect ? video->expect(video, indices, count) : MCV_OK;
}

mcv_status mcv_video_read(mcv_video *video, int64_t index, mcv_image *image) {
    *image = (mcv_image){0};
    if (index < 0 || index >= video->info.frame_count)
        return MCV_FAIL(MCV_USAGE, "%s: picture %lld of %lld", video->path, (long long)index,
                        (long long)video->info.frame_count);
    mcv_status status = video->read(video, index, image);
    if (status != MCV_OK)
        mcv_image_free(image);
    return status;
}
