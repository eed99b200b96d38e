/* Files for one test, in a folder of its own (in $TMPDIR, or /tmp) that is removed when the test's process ends. */
#ifndef MCV_TESTS_TEMPORARY_H
#define MCV_TESTS_TEMPORARY_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char temporary_root[128];

static inline int temporary_remove(const char *path, const struct stat *about, int type, struct FTW *walk) {
    (void)about, (void)type, (void)walk;
    return remove(path);
}

static inline void temporary_clean(void) {
    nftw(temporary_root, temporary_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* The folder. */
static inline const char *temporary_folder(void) {
    if (!temporary_root[0]) {
        const char *parent = getenv("TMPDIR");
        snprintf(temporary_root, sizeof temporary_root, "%s/minicpmv-test-XXXXXX", parent ? parent : "/tmp");
        if (!mkdtemp(temporary_root))
            abort();
        atexit(temporary_clean);
    }
    return temporary_root;
}

/* A path in the folder; valid until the fourth call after. */
static inline const char *temporary_path(const char *name) {
    static char paths[4][256];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s/%s", temporary_folder(), name);
    return paths[next];
}

static inline const char *temporary_file(const char *name, const void *bytes, size_t size) {
    const char *path = temporary_path(name);
    FILE *stream = fopen(path, "wb");
    if (!stream || (size && fwrite(bytes, 1, size, stream) != size) || fclose(stream) != 0)
        abort();
    return path;
}

static inline const char *temporary_text(const char *name, const char *text) {
    return temporary_file(name, text, strlen(text));
}

#endif
