#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static mcv_status fail_kind(const char *path, const struct stat *about) {
    const char *found = S_ISDIR(about->st_mode) ? "folder" : S_ISFIFO(about->st_mode) ? "pipe" : "device";
    return MCV_FAIL(MCV_BAD_INPUT, "%s: expected a regular file, found a %s", path, found);
}

mcv_status mcv_file_open_map(const char *path, mcv_file_map *map) {
    *map = (mcv_file_map){0};
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused, not waited for */
    if (file < 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    mcv_status status = MCV_OK;
    struct stat about;
    if (fstat(file, &about) != 0)
        status = MCV_FAIL(MCV_BAD_INPUT, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(about.st_mode))
        status = fail_kind(path, &about);
    else if (about.st_size > 0) {
        void *data = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (data == MAP_FAILED)
            status = MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be mapped: %s", path, strerror(errno));
        else
            *map = (mcv_file_map){data, (size_t)about.st_size};
    }
    close(file);
    return status;
}

void mcv_file_close_map(mcv_file_map *map) {
    if (map->data)
        munmap((void *)(uintptr_t)map->data, map->size);
    *map = (mcv_file_map){0};
}

void mcv_file_forget(const void *data, size_t size) {
    uintptr_t begin = (uintptr_t)data, page = (uintptr_t)sysconf(_SC_PAGESIZE), before = begin % page;
    if (size > 0)
        madvise((void *)(begin - before), before + size, MADV_DONTNEED);
}

static mcv_status read_stream(FILE *stream, const char *path, size_t limit, mcv_buffer *buffer) {
    char chunk[65536];
    size_t total = 0, got;
    while ((got = fread(chunk, 1, sizeof chunk, stream)) > 0) {
        total += got;
        if (total > limit)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: larger than the limit of %zu bytes", path, limit);
        MCV_TRY(mcv_buffer_append(buffer, chunk, got));
    }
    if (ferror(stream))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be read: %s", path, strerror(errno));
    return mcv_buffer_append(buffer, "", 0);
}

static bool is_standard_input(const char *path) {
    return strcmp(path, "-") == 0;
}

const char *mcv_file_name(const char *path) {
    return is_standard_input(path) ? "standard input" : path;
}

mcv_status mcv_file_read(const char *path, size_t limit, mcv_buffer *buffer) {
    if (is_standard_input(path))
        return read_stream(stdin, mcv_file_name(path), limit, buffer);
    FILE *stream = fopen(path, "rbe");
    if (!stream)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    mcv_status status = read_stream(stream, path, limit, buffer);
    fclose(stream);
    return status;
}

bool mcv_file_exists(const char *path) {
    struct stat about;
    return lstat(path, &about) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

bool mcv_path_is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

mcv_status mcv_file_check_regular(const char *path) {
    struct stat about;
    if (stat(path, &about) != 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    return S_ISREG(about.st_mode) ? MCV_OK : fail_kind(path, &about);
}

static bool is_same_entry(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool stat_folder_of(const char *path, struct stat *about) {
    char *folder;
    if (mcv_path_folder(&folder, path) != MCV_OK)
        return false;
    bool found = stat(folder, about) == 0;
    free(folder);
    return found;
}

static const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool mcv_file_is_same(const char *a, const char *b) {
    struct stat about_a, about_b;
    if (strcmp(a, "-") == 0 || strcmp(b, "-") == 0)
        return strcmp(a, b) == 0;
    bool found_a = stat(a, &about_a) == 0, found_b = stat(b, &about_b) == 0;
    if (found_a || found_b)
        return found_a && found_b && S_ISREG(about_a.st_mode) && is_same_entry(&about_a, &about_b);
    return stat_folder_of(a, &about_a) && stat_folder_of(b, &about_b) && is_same_entry(&about_a, &about_b) &&
           strcmp(name_of(a), name_of(b)) == 0;
}

mcv_status mcv_path_join(char **out, const char *folder, const char *name) {
    if (name[0] == '/' || folder[0] == 0)
        return mcv_strdup(out, name);
    mcv_buffer path = {0};
    size_t length = strlen(folder);
    MCV_TRY(mcv_buffer_printf(&path, "%s%s%s", folder, folder[length - 1] == '/' ? "" : "/", name));
    *out = path.data;
    return MCV_OK;
}

mcv_status mcv_path_folder(char **out, const char *path) {
    const char *slash = strrchr(path, '/');
    MCV_TRY(mcv_strdup(out, slash ? path : "."));
    if (slash)
        (*out)[slash == path ? 1 : slash - path] = 0;
    return MCV_OK;
}

/* Whether `path` is there and is no regular file: a pipe, a terminal, /dev/stdout. */
static bool is_device(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode);
}

/* What a link stands for, so that the link itself stays; the path as it is where nothing is there yet. */
static mcv_status resolve(const char *path, char **resolved) {
    *resolved = realpath(path, NULL);
    return *resolved ? MCV_OK : mcv_strdup(resolved, path);
}

/* A new file beside `target`, by a name that no other thread or program has; NULL and errno on failure. */
static FILE *create_aside(const char *target, mcv_buffer *name) {
    static atomic_uint created;
    int file;
    do {
        name->size = 0;
        if (mcv_buffer_printf(name, "%s.%ld.%u.part", target, (long)getpid(), atomic_fetch_add(&created, 1)) != MCV_OK)
            return NULL;
        file = open(name->data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (file < 0 && errno == EEXIST);
    FILE *stream = file < 0 ? NULL : fdopen(file, "wb");
    if (!stream && file >= 0) {
        close(file);
        unlink(name->data);
    }
    return stream;
}

static mcv_status open_aside(mcv_file_writer *writer) {
    mcv_buffer aside = {0};
    if (mcv_path_is_folder(writer->path))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be created: %s", writer->path, strerror(EISDIR));
    MCV_TRY(resolve(writer->path, &writer->target));
    writer->stream = create_aside(writer->target, &aside);
    if (!writer->stream) {
        mcv_buffer_free(&aside);
        return MCV_OK;
    }
    writer->aside = aside.data;
    return mcv_unfinished_add(writer->aside, &writer->unfinished);
}

/* A stream of its own to standard output, behind what was already printed. */
static FILE *open_standard_output(void) {
    fflush(stdout);
    int file = dup(STDOUT_FILENO);
    FILE *stream = file < 0 ? NULL : fdopen(file, "wb");
    if (!stream && file >= 0)
        close(file);
    return stream;
}

mcv_status mcv_writer_open(mcv_file_writer *writer, const char *path) {
    bool to_output = strcmp(path, "-") == 0;
    *writer = (mcv_file_writer){0};
    MCV_TRY(mcv_strdup(&writer->path, to_output ? "standard output" : path));
    mcv_status status = MCV_OK;
    if (to_output)
        writer->stream = open_standard_output();
    else if (is_device(path))
        writer->stream = fopen(path, "wbe");
    else
        status = open_aside(writer);
    if (status == MCV_OK && !writer->stream)
        status = MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be created: %s", path, strerror(errno));
    if (status != MCV_OK)
        mcv_writer_abandon(writer);
    return status;
}

mcv_status mcv_writer_write(mcv_file_writer *writer, const void *bytes, size_t size) {
    if (size && fwrite(bytes, 1, size, writer->stream) != size)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be written: %s", writer->path, strerror(errno));
    return MCV_OK;
}

static void forget(mcv_file_writer *writer) {
    mcv_unfinished_done(writer->unfinished);
    free(writer->path);
    free(writer->target);
    free(writer->aside);
    *writer = (mcv_file_writer){0};
}

mcv_status mcv_writer_commit(mcv_file_writer *writer) {
    bool written = fflush(writer->stream) == 0;
    written = fclose(writer->stream) == 0 && written;
    writer->stream = NULL;
    if (written && (!writer->aside || rename(writer->aside, writer->target) == 0)) {
        forget(writer);
        return MCV_OK;
    }
    mcv_status status = MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be written: %s", writer->path, strerror(errno));
    mcv_writer_abandon(writer);
    return status;
}

void mcv_writer_abandon(mcv_file_writer *writer) {
    if (writer->stream)
        fclose(writer->stream);
    if (writer->aside)
        unlink(writer->aside);
    forget(writer);
}
