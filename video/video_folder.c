/* A folder of images as a video: in the order of their names, numbers in them by value (GNU's strverscmp), shown at a
 * frame rate or at times from a file. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "core/file.h"
#include "video/video_backend.h"

typedef struct folder_reader {
    char **names; /* [count] */
    size_t count, capacity;
} folder_reader;

static void close_folder(mcv_video *video) {
    folder_reader *reader = video->reader;
    for (size_t i = 0; i < reader->count; i++)
        free(reader->names[i]);
    free(reader->names);
    free(reader);
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static bool is_image(const char *name) {
    static const char *const ENDINGS[] = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".ppm", ".pgm", ".pnm"};
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending && name[0] != '.' && i < sizeof ENDINGS / sizeof ENDINGS[0]; i++)
        if (strcasecmp(ending, ENDINGS[i]) == 0)
            return true;
    return false;
}

static int compare_names(const void *a, const void *b) {
    return strverscmp(*(char *const *)a, *(char *const *)b);
}

static mcv_status add_name(folder_reader *reader, const char *name) {
    MCV_TRY(MCV_GROW(&reader->names, &reader->capacity, reader->count + 1));
    MCV_TRY(mcv_strdup(&reader->names[reader->count], name));
    reader->count++;
    return MCV_OK;
}

static mcv_status list_names(const char *path, folder_reader *reader) {
    DIR *folder = opendir(path);
    mcv_status status = MCV_OK;
    if (!folder)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    for (struct dirent *entry; status == MCV_OK && (entry = readdir(folder));)
        if (is_image(entry->d_name))
            status = add_name(reader, entry->d_name);
    closedir(folder);
    MCV_TRY(status);
    if (reader->count == 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: no images (png, jpg, webp, bmp, gif, ppm) in the folder", path);
    qsort(reader->names, reader->count, sizeof *reader->names, compare_names);
    return MCV_OK;
}

/* ---- Times ------------------------------------------------------------------------------------------------------- */

static mcv_status set_rate(mcv_video *video, double rate) {
    if (!(rate > 0 && isfinite(rate)))
        return MCV_FAIL(MCV_USAGE, "%s: %g frames a second", video->path, rate);
    for (int64_t i = 0; i < video->info.frame_count; i++)
        video->times[i] = (double)i / rate;
    video->info.container_fps = rate;
    return MCV_OK;
}

/* Time number `index` of the file goes to where it belongs; where the file's format `has_end`, one more than there are
 * images ends the last of them. */
static mcv_status put_time(mcv_video *video, const char *file, int line, double time, int64_t index, double first_time,
                           bool has_end) {
    double *times = video->times;
    int64_t count = video->info.frame_count;
    if (index >= count + has_end)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: line %d: more times than the %lld images of %s", file, line,
                        (long long)count, video->path);
    double before = index > 0 ? times[index - 1] + first_time : -INFINITY;
    if (!isfinite(time) || time < before)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: line %d: %g, expected a time that is not before %g", file, line, time,
                        before);
    if (index == count)
        video->last_duration = time - before;
    else
        times[index] = time - first_time;
    return MCV_OK;
}

/* `text` is taken apart. */
static mcv_status parse_times(mcv_video *video, const char *file, char *text) {
    int64_t found = 0;
    double unit = 1, first_time = 0;
    bool is_v2 = false;
    int line_number = 0;
    for (char *line; (line = strsep(&text, "\n"));) {
        char *end;
        line_number++;
        if (strncmp(line, "# timestamp format v2", 21) == 0 || strncmp(line, "# timecode format v2", 20) == 0)
            is_v2 = true, unit = 0.001;
        if (line[0] == '#' || line[strspn(line, " \t\r")] == 0)
            continue;
        double time = strtod(line, &end) * unit;
        if (end == line || end[strspn(end, " \t\r")] != 0)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: line %d: expected a number, found '%.40s'", file, line_number, line);
        if (found == 0)
            first_time = time;
        MCV_TRY(put_time(video, file, line_number, time, found++, first_time, is_v2));
    }
    if (found < video->info.frame_count)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %lld times for the %lld images of %s", file, (long long)found,
                        (long long)video->info.frame_count, video->path);
    return MCV_OK;
}

static mcv_status read_times(mcv_video *video, const char *file) {
    static const size_t LIMIT = 1 << 28;
    mcv_buffer text = {0};
    mcv_status status = mcv_file_read(file, LIMIT, &text);
    if (status == MCV_OK)
        status = parse_times(video, file, text.data);
    mcv_buffer_free(&text);
    return status;
}

static mcv_status set_times(mcv_video *video, const mcv_video_options *options) {
    if ((options->frame_rate != 0) == (options->timestamps != NULL))
        return MCV_FAIL(MCV_USAGE, "%s: a folder of images needs a frame rate or a file of timestamps (one of the two)",
                        video->path);
    MCV_TRY(MCV_NEW(&video->times, (size_t)video->info.frame_count));
    return options->timestamps ? read_times(video, options->timestamps) : set_rate(video, options->frame_rate);
}

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */

static mcv_status read_folder(mcv_video *video, int64_t index, mcv_image *image) {
    const folder_reader *reader = video->reader;
    char *path;
    MCV_TRY(mcv_path_join(&path, video->path, reader->names[index]));
    mcv_status status = mcv_image_load(path, image);
    free(path);
    return status;
}

mcv_status mcv_video_open_folder(mcv_video *video, const mcv_video_options *options) {
    folder_reader *reader;
    mcv_image first;
    MCV_TRY(MCV_NEW(&reader, 1));
    video->reader = reader;
    video->close = close_folder;
    video->read = read_folder;
    video->info.format = "folder of images";
    MCV_TRY(list_names(video->path, reader));
    video->info.frame_count = (int64_t)reader->count;
    MCV_TRY(set_times(video, options));
    MCV_TRY(read_folder(video, 0, &first));
    video->info.width = first.width;
    video->info.height = first.height;
    mcv_image_free(&first);
    return MCV_OK;
}
