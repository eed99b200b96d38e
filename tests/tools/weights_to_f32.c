/* Writes every weight of a model's files in FP32, under its Hugging Face name:
 *
 *     weights_to_f32 MODEL [MMPROJ] OUTPUT.safetensors */
#include <stdio.h>

#include "formats/safetensors.h"
#include "formats/weights.h"

static mcv_status add(mcv_safetensors_writer *writer, const char *name, const mcv_weight *weight) {
    float *values;
    mcv_tensor tensor = {.dtype = MCV_F32, .rank = weight->rank};
    memcpy(tensor.shape, weight->shape, sizeof weight->shape);
    MCV_TRY(MCV_NEW(&values, weight->rows * weight->columns));
    mcv_weight_to_f32(weight, 0, weight->rows, values);
    tensor.data = values;
    mcv_status status = mcv_safetensors_add(writer, name, &tensor);
    free(values);
    return status;
}

static mcv_status add_all(const mcv_weights *weights, mcv_safetensors_writer *writer) {
    for (size_t i = 0; i < mcv_weights_count(weights); i++) {
        mcv_weight weight;
        const char *unsupported, *name = mcv_weights_at(weights, i, &weight, &unsupported);
        if (!unsupported)
            MCV_TRY(add(writer, name, &weight));
    }
    return MCV_OK;
}

static mcv_status convert(const char *model, const char *mmproj, const char *output) {
    mcv_weights *weights;
    mcv_safetensors_writer *writer = NULL;
    MCV_TRY(mcv_weights_open(model, mmproj, &weights));
    mcv_status status = mcv_safetensors_create(output, &writer);
    if (status == MCV_OK)
        status = add_all(weights, writer);
    if (status == MCV_OK)
        status = mcv_safetensors_commit(writer);
    else
        mcv_safetensors_abandon(writer);
    mcv_weights_close(weights);
    return status;
}

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: weights_to_f32 MODEL [MMPROJ] OUTPUT\n");
        return 2;
    }
    mcv_status status = convert(argv[1], argc == 4 ? argv[2] : NULL, argv[argc - 1]);
    if (status != MCV_OK)
        fprintf(stderr, "weights_to_f32: %s\n", mcv_error_message());
    return mcv_exit_code(status);
}
