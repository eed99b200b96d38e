/* libFuzzer: folders of safetensors with their index and config.json: AWQ, GPTQ, INT8 and NF4, which several tensors
 * and the configuration make up. All rows are read, and packed in every way in which the engine packs them. */
#include "simd/engine/packed.h"
#include "tests/fuzz/input_parts.h"
#include "tests/fuzz/read_weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

double fuzz_sum;

static const char *const FILES[] = {"config.json", "model.safetensors", "model.safetensors.index.json", "a.safetensors",
                                    "b.safetensors"};

static void pack(const mcv_weight *weight) {
    enum { MOST = 1 << 14 };
    static const mcv_precision PRECISIONS[] = {MCV_PRECISION_STORED, MCV_PRECISION_INT4, MCV_PRECISION_INT8,
                                               MCV_PRECISION_BF16, MCV_PRECISION_F32};
    Linear linear = {.name = "layer", .weight = *weight};
    if (weight->rank != 2 || weight->columns == 0 || weight->rows * weight->columns > MOST)
        return;
    for (size_t i = 0; i < sizeof PRECISIONS / sizeof *PRECISIONS; i++) {
        mcv_arena arena = {0};
        mcv_packer packer = {.arena = &arena, .group = 32};
        mcv_packed packed;
        if (mcv_pack_linear(&packer, "layer", &linear, PRECISIONS[i], &packed) == MCV_OK)
            fuzz_sum += packed.parts[MCV_PART_W].data[0];
        mcv_arena_free(&arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    read_weights(folder_of_parts(FILES, sizeof FILES / sizeof *FILES, data, size), NULL, pack);
    return 0;
}
