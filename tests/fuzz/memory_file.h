/* A file without a name, for readers that want a path. */
#ifndef MCV_TESTS_FUZZ_MEMORY_FILE_H
#define MCV_TESTS_FUZZ_MEMORY_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct MemoryFile {
    int descriptor; /* to be closed */
    char path[64];
} MemoryFile;

static inline MemoryFile memory_file(const uint8_t *data, size_t size) {
    MemoryFile file = {.descriptor = memfd_create("fuzz", MFD_CLOEXEC)};
    if (file.descriptor < 0 || write(file.descriptor, data, size) != (ssize_t)size)
        abort();
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.descriptor);
    return file;
}

#endif
