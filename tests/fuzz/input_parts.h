/* Inputs that hold several files: behind a line ">>>> NAME" stands the file NAME, to the next such line. */
#ifndef MCV_TESTS_FUZZ_INPUT_PARTS_H
#define MCV_TESTS_FUZZ_INPUT_PARTS_H

#include "tests/fuzz/tensor_lines.h"
#include "tests/temporary.h"

/* *part: the file behind the line that *rest begins with; *rest moves behind it. False where no file is left. */
static inline bool next_part(mcv_bytes *rest, char *name, size_t name_size, mcv_bytes *part) {
    static const char MARK[] = ">>>> ", NEXT[] = "\n>>>> ";
    size_t mark = sizeof MARK - 1;
    if (rest->size < mark || memcmp(rest->data, MARK, mark) != 0)
        return false;
    mcv_bytes line = take_line(rest);
    size_t length = line.size - mark < name_size ? line.size - mark : name_size - 1;
    memcpy(name, line.data + mark, length);
    name[length] = 0;
    const uint8_t *next = rest->size ? memmem(rest->data, rest->size, NEXT, sizeof NEXT - 1) : NULL;
    *part = (mcv_bytes){rest->data, next ? (size_t)(next - rest->data) : rest->size};
    *rest = next ? (mcv_bytes){next + 1, rest->size - part->size - 1} : (mcv_bytes){0};
    return true;
}

static inline bool is_input_of_parts(const uint8_t *data, size_t size) {
    return size >= 5 && memcmp(data, ">>>> ", 5) == 0;
}

/* A folder that holds the parts of an input that have one of these names. Of ".safetensors" files the input may hold
 * the lines of tensor_lines.h. */
static inline const char *folder_of_parts(const char *const *names, size_t count, const uint8_t *data, size_t size) {
    mcv_bytes rest = {data, size}, part;
    char name[64];
    for (size_t i = 0; i < count; i++)
        unlink(temporary_path(names[i]));
    while (next_part(&rest, name, sizeof name, &part)) {
        size_t i = 0;
        while (i < count && strcmp(names[i], name) != 0)
            i++;
        if (i == count)
            continue;
        mcv_buffer tensors = {0};
        if (strstr(name, ".safetensors") && !strstr(name, ".json") && are_tensor_lines(part)) {
            tensors = tensors_of_lines(part);
            part = (mcv_bytes){(const uint8_t *)tensors.data, tensors.size};
        }
        temporary_file(name, part.data, part.size);
        mcv_buffer_free(&tensors);
    }
    return temporary_folder();
}

#endif
