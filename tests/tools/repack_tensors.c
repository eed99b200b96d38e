/* Reads safetensors files and writes their tensors again (tests/live/tensor_files.py): a line "IN OUT FOLDER" asks for
 * OUT, a copy of IN with its metadata "key", and FOLDER/0.npy, 1.npy, ...; the answer is "0 COUNT" or "STATUS message".
 */
#include <stdio.h>

#include "core/file.h"
#include "formats/npy.h"
#include "formats/safetensors.h"

static mcv_status write_npy(const char *folder, size_t index, const mcv_tensor *tensor) {
    char path[4096];
    mcv_npy array;
    snprintf(path, sizeof path, "%s/%zu.npy", folder, index);
    MCV_TRY(mcv_npy_write(path, tensor));
    MCV_TRY(mcv_npy_open(path, &array));
    bool same = mcv_tensor_same_shape(tensor, &array.tensor);
    mcv_npy_close(&array);
    return same ? MCV_OK : MCV_FAIL(MCV_DIFFERS, "%s: another shape than was written", path);
}

static mcv_status copy_tensors(const mcv_safetensors *in, mcv_safetensors_writer *out, const char *folder) {
    const char *value = mcv_safetensors_metadata(in, "key");
    if (value)
        MCV_TRY(mcv_safetensors_add_metadata(out, "key", value));
    for (size_t i = 0; i < mcv_safetensors_count(in); i++) {
        mcv_tensor tensor = mcv_safetensors_at(in, i);
        MCV_TRY(mcv_safetensors_add(out, mcv_safetensors_name(in, i), &tensor));
        MCV_TRY(write_npy(folder, i, &tensor));
    }
    return MCV_OK;
}

static mcv_status repack(const char *in_path, const char *out_path, const char *folder, size_t *count) {
    mcv_safetensors *in;
    mcv_safetensors_writer *out;
    MCV_TRY(mcv_safetensors_open(in_path, &in));
    *count = mcv_safetensors_count(in);
    mcv_status status = mcv_safetensors_create(out_path, &out);
    if (status == MCV_OK)
        status = copy_tensors(in, out, folder);
    if (status == MCV_OK)
        status = mcv_safetensors_commit(out);
    else
        mcv_safetensors_abandon(out);
    mcv_safetensors_close(in);
    return status;
}

int main(void) {
    char in[1024], out[1024], folder[1024];
    while (scanf("%1023s %1023s %1023s", in, out, folder) == 3) {
        size_t count = 0;
        mcv_status status = repack(in, out, folder, &count);
        if (status == MCV_OK)
            printf("0 %zu\n", count);
        else
            printf("%d %s\n", (int)status, mcv_error_message());
        fflush(stdout);
    }
    return 0;
}
