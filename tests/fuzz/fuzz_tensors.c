/* libFuzzer: safetensors, as they are or as lines (tensor_lines.h), and .npy files, told apart by their first bytes.
 * Every element of what opens is read, of safetensors also as weights, of which several tensors can make up one. */
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/read_weights.h"
#include "tests/fuzz/tensor_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

double fuzz_sum;

static void read_all(const mcv_tensor *tensor) {
    size_t count;
    if (!mcv_tensor_count(tensor, &count))
        abort();
    for (size_t i = 0; i < count; i++)
        fuzz_sum += mcv_tensor_get(tensor, i);
}

static void read_safetensors(const char *path) {
    mcv_safetensors *file;
    if (mcv_safetensors_open(path, &file) != MCV_OK)
        return;
    for (size_t i = 0; i < mcv_safetensors_count(file); i++) {
        mcv_tensor tensor = mcv_safetensors_at(file, i);
        read_all(&tensor);
        if (!mcv_safetensors_find(file, mcv_safetensors_name(file, i), &tensor))
            abort();
    }
    mcv_safetensors_close(file);
}

static void read_npy(const char *path) {
    mcv_npy array;
    if (mcv_npy_open(path, &array) != MCV_OK)
        return;
    read_all(&array.tensor);
    mcv_npy_close(&array);
}

static void read_file(mcv_bytes bytes) {
    MemoryFile file = memory_file(bytes.data, bytes.size);
    if (bytes.size && bytes.data[0] == 0x93) {
        read_npy(file.path);
    } else {
        read_safetensors(file.path);
        read_weights(file.path, NULL, NULL);
    }
    close(file.descriptor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mcv_bytes file = {data, size};
    mcv_buffer tensors = {0};
    if (size && data[0] != 0x93 && are_tensor_lines(file)) {
        tensors = tensors_of_lines(file);
        file = (mcv_bytes){(const uint8_t *)tensors.data, tensors.size};
    }
    read_file(file);
    mcv_buffer_free(&tensors);
    return 0;
}
