/* libFuzzer: files of packed weights that an earlier run kept. The layers are the same in every run, so that the file
 * can be one of theirs. MCV_FUZZ_SEED=FILE writes such a one, as lines of tensor_lines.h, before anything else. */
#include "formats/safetensors.h"
#include "simd/engine/packed.h"
#include "tests/fuzz/tensor_lines.h"
#include "tests/temporary.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Seen from outside, so that the reads are not left out. */
double fuzz_sum;

enum { ROWS = 17, COLUMNS = 256, BYTES = ROWS * COLUMNS * 4 };

static uint8_t bytes[BYTES]; /* of every layer; zeros */

static const mcv_nf4 NF4 = {.weight = bytes,
                            .table = {1},
                            .elements = ROWS * COLUMNS,
                            .block_size = 64,
                            .absmax = {.dtype = MCV_F32, .rank = 1, .shape = {ROWS * COLUMNS / 64}, .data = bytes}};

/* A layout each, and of blocks one with minima and one with levels. */
static const struct {
    const char *key;
    mcv_weight_type type;
    mcv_precision precision;
} LAYERS[] = {
    {"f32", MCV_WEIGHT_F32, MCV_PRECISION_F32},       {"bf16", MCV_WEIGHT_F32, MCV_PRECISION_BF16},
    {"int8", MCV_WEIGHT_F32, MCV_PRECISION_INT8},     {"int4", MCV_WEIGHT_F32, MCV_PRECISION_INT4},
    {"f16", MCV_WEIGHT_F16, MCV_PRECISION_F32},       {"nf4", MCV_WEIGHT_NF4, MCV_PRECISION_STORED},
    {"q6", MCV_WEIGHT_Q6_K, MCV_PRECISION_STORED},    {"q4", MCV_WEIGHT_Q4_K, MCV_PRECISION_STORED},
    {"iq4", MCV_WEIGHT_IQ4_XS, MCV_PRECISION_STORED},
};

enum { NUM_LAYERS = sizeof LAYERS / sizeof *LAYERS };

static mcv_weight weight_of(mcv_weight_type type) {
    if (type != MCV_WEIGHT_NF4)
        return mcv_weight_matrix(type, bytes, ROWS, COLUMNS);
    return (mcv_weight){
        .type = type, .rank = 2, .shape = {ROWS, COLUMNS}, .rows = ROWS, .columns = COLUMNS, .nf4 = &NF4};
}

static mcv_status pack(mcv_packer *packer, int layer, mcv_packed *packed) {
    Linear linear = {.name = "layer", .weight = weight_of(LAYERS[layer].type)};
    return mcv_pack_linear(packer, LAYERS[layer].key, &linear, LAYERS[layer].precision, packed);
}

/* Every byte of every part that was taken, as a kernel would read it. */
static void read_packed(const mcv_packed *packed) {
    for (int part = 0; part < MCV_PARTS; part++)
        for (size_t i = 0; i < mcv_panels(packed->n) * packed->parts[part].panel_bytes; i++)
            fuzz_sum += packed->parts[part].data[i];
}

static void take_layers(const mcv_safetensors *kept) {
    mcv_arena arena = {0};
    mcv_packer packer = {.arena = &arena, .group = 32, .kept = kept};
    mcv_packed packed[NUM_LAYERS];
    bool taken[NUM_LAYERS];
    for (int i = 0; i < NUM_LAYERS; i++)
        taken[i] = pack(&packer, i, &packed[i]) == MCV_OK;
    if (packer.kept_data)
        mcv_kept_copy(&packer);
    for (int i = 0; i < NUM_LAYERS; i++)
        if (taken[i])
            read_packed(&packed[i]);
    mcv_arena_free(&arena);
}

static void open_kept(const char *path) {
    mcv_safetensors *kept;
    if (mcv_safetensors_open(path, &kept) != MCV_OK)
        return;
    take_layers(kept);
    mcv_safetensors_close(kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mcv_bytes file = {data, size};
    mcv_buffer tensors = {0};
    if (are_tensor_lines(file)) {
        tensors = tensors_of_lines(file);
        file = (mcv_bytes){(const uint8_t *)tensors.data, tensors.size};
    }
    open_kept(temporary_file("kept", file.data, file.size));
    mcv_buffer_free(&tensors);
    return 0;
}

/* ---- The seed ---------------------------------------------------------------------------------------------------- */

static mcv_status keep_layers(const char *path) {
    mcv_arena arena = {0};
    mcv_packer packer = {.arena = &arena, .group = 32};
    mcv_packed packed;
    MCV_TRY(mcv_safetensors_create(path, &packer.writer));
    for (int i = 0; i < NUM_LAYERS; i++)
        MCV_TRY(pack(&packer, i, &packed));
    mcv_arena_free(&arena);
    return mcv_safetensors_commit(packer.writer);
}

/* Of a part the first byte is enough; of what tells the weights, all. */
static void write_lines(const mcv_safetensors *kept, FILE *seed) {
    for (size_t i = 0; i < mcv_safetensors_count(kept); i++) {
        mcv_tensor tensor = mcv_safetensors_at(kept, i);
        size_t size = tensor.dtype == MCV_U64 ? (size_t)tensor.shape[0] * 8 : 1;
        fprintf(seed, "%s %s %lld ", mcv_safetensors_name(kept, i), mcv_dtype_name(tensor.dtype),
                (long long)tensor.shape[0]);
        fwrite(tensor.data, 1, size, seed);
        fputc('\n', seed);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    const char *path = getenv("MCV_FUZZ_SEED");
    mcv_safetensors *kept;
    (void)argc, (void)argv;
    if (!path)
        return 0;
    FILE *seed = fopen(path, "wb");
    const char *whole = temporary_path("whole");
    if (!seed || keep_layers(whole) != MCV_OK || mcv_safetensors_open(whole, &kept) != MCV_OK)
        abort();
    write_lines(kept, seed);
    mcv_safetensors_close(kept);
    fclose(seed);
    return 0;
}
