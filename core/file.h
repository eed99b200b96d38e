/* Files: read whole, mapped, and written aside and renamed. */
#ifndef MCV_CORE_FILE_H
#define MCV_CORE_FILE_H

#include <stdio.h>

#include "core/buffer.h"
#include "core/unfinished.h"

/* A read-only memory mapping. An empty file maps to size 0 with data that must not be read. */
typedef struct mcv_file_map {
    const unsigned char *data;
    size_t size;
} mcv_file_map;

mcv_status mcv_file_open_map(const char *path, mcv_file_map *map);
void mcv_file_close_map(mcv_file_map *map);
/* Lets the system take back the memory in which these bytes of a mapping lie; whoever reads them again has them read
 * from the file again. For work that streams through mappings larger than memory should be. */
void mcv_file_forget(const void *data, size_t size);

/* Appends the file's bytes to `buffer`. "-" is standard input. Fails beyond `limit` bytes. */
mcv_status mcv_file_read(const char *path, size_t limit, mcv_buffer *buffer);
/* What messages call it: the path, or "standard input". */
const char *mcv_file_name(const char *path);

/* Whether there is anything under this name, be it unreadable: then opening it says why. */
bool mcv_file_exists(const char *path);
bool mcv_path_is_folder(const char *path);
/* MCV_BAD_INPUT: nothing is there, or no regular file (a folder, a pipe that would be waited for). */
mcv_status mcv_file_check_regular(const char *path);

/* Whether two paths stand for one regular file (by device and number, so behind links, too), or would once it is
 * written: neither is there yet and both name the same place. "-" is the same as itself; devices are not files. */
bool mcv_file_is_same(const char *a, const char *b);

/* *out = "folder/name", or `name` alone where it is absolute. To be released with free(). */
mcv_status mcv_path_join(char **out, const char *folder, const char *name);

/* *out = the folder part of a path, "." where it has none. To be released with free(). */
mcv_status mcv_path_folder(char **out, const char *path);

/* Writing: bytes go to a file beside the one that `path` stands for, which takes its name only when all of it has been
 * written. What is no regular file (a pipe, /dev/stdout) is written as it is; "-" is standard output. */
typedef struct mcv_file_writer {
    FILE *stream;
    char *path;                 /* as given, for messages */
    char *target, *aside;       /* behind links, and beside it; NULL for what is no regular file */
    mcv_unfinished *unfinished; /* `aside`, while it is there */
} mcv_file_writer;

mcv_status mcv_writer_open(mcv_file_writer *writer, const char *path);
mcv_status mcv_writer_write(mcv_file_writer *writer, const void *bytes, size_t size);
/* Renames the finished file into place. On failure the file aside is removed. */
mcv_status mcv_writer_commit(mcv_file_writer *writer);
/* Removes the file aside. Does nothing after a commit. */
void mcv_writer_abandon(mcv_file_writer *writer);

#endif
