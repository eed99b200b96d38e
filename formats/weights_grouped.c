/* AWQ and GPTQ: formats/weights_packed.h. */
#include <stdio.h>
#include <strings.h>

#include "core/file.h"
#include "formats/json.h"
#include "formats/load_bytes.h"
#include "formats/weights_table.h"

enum { PER_WORD = 8 };

/* ---- Values -------------------------------------------------------------------------------------------------- */

/* In a word of AWQ's, output 8 c + i is in four bits number AWQ_ORDER[i]. */
static const int AWQ_ORDER[PER_WORD] = {0, 4, 1, 5, 2, 6, 3, 7};

static int four_bits(const uint8_t *words, size_t index, int place) {
    return (int)(mcv_load_u32(words + 4 * index) >> (4 * place) & 15);
}

static int code_at(const mcv_grouped *packed, size_t row, size_t input) {
    if (packed->is_awq)
        return four_bits(packed->qweight, input * (packed->out / PER_WORD) + row / PER_WORD, AWQ_ORDER[row % PER_WORD]);
    return four_bits(packed->qweight, input / PER_WORD * packed->out + row, (int)(input % PER_WORD));
}

static size_t group_of(const mcv_grouped *packed, size_t input) {
    return packed->g_idx ? mcv_load_u32(packed->g_idx + 4 * input) : input / packed->group_size;
}

void mcv_grouped_codes(const mcv_grouped *packed, size_t row, size_t first, size_t count, uint8_t *codes) {
    for (size_t i = 0; i < count; i++)
        codes[i] = (uint8_t)code_at(packed, row, first + i);
}

float mcv_grouped_scale(const mcv_grouped *packed, size_t row, size_t group) {
    float scale;
    mcv_tensor_to_f32(&packed->scales, group * packed->out + row, 1, &scale);
    return scale;
}

int mcv_grouped_zero(const mcv_grouped *packed, size_t row, size_t group) {
    int place = packed->is_awq ? AWQ_ORDER[row % PER_WORD] : (int)(row % PER_WORD);
    return four_bits(packed->qzeros, group * (packed->out / PER_WORD) + row / PER_WORD, place) + packed->zero_offset;
}

bool mcv_grouped_in_order(const mcv_grouped *packed) {
    for (size_t i = 0; i < packed->in; i++)
        if (group_of(packed, i) != i / packed->group_size)
            return false;
    return true;
}

void mcv_grouped_to_f32(const mcv_grouped *packed, size_t row, float *out) {
    size_t last = packed->groups; /* none yet */
    float scale = 0;
    int zero = 0;
    for (size_t i = 0; i < packed->in; i++) {
        size_t group = group_of(packed, i);
        if (group != last) {
            scale = mcv_grouped_scale(packed, row, group);
            zero = mcv_grouped_zero(packed, row, group);
            last = group;
        }
        out[i] = (float)(code_at(packed, row, i) - zero) * scale;
    }
}

/* ---- Reading ------------------------------------------------------------------------------------------------- */

/* quantization_config of config.json beside the tensors. */
typedef struct settings {
    bool is_known; /* there is such a file */
    char method[32];
    int zero_offset;
} settings;

static mcv_status read_settings(const mcv_json *config, settings *found) {
    mcv_json quantization;
    const char *method = "", *version = "gemm", *format = "gptq";
    int bits = 4;
    bool zero_point = true;
    MCV_TRY(mcv_json_get_object(config, "quantization_config", &quantization));
    if (!quantization.value)
        return MCV_OK;
    MCV_TRY(mcv_json_get_string(&quantization, "quant_method", &method));
    if (strcmp(method, "awq") != 0 && strcmp(method, "gptq") != 0)
        return MCV_OK;
    MCV_TRY(mcv_json_get_int(&quantization, "bits", 1, 64, &bits));
    MCV_TRY(mcv_json_get_string(&quantization, "version", &version));
    MCV_TRY(mcv_json_get_bool(&quantization, "zero_point", &zero_point));
    MCV_TRY(mcv_json_get_string(&quantization, "checkpoint_format", &format));
    mcv_json member = mcv_json_member(&quantization, "bits");
    if (bits != 4)
        return mcv_json_fail(MCV_UNSUPPORTED, &member, "4");
    member = mcv_json_member(&quantization, "version");
    if (strcmp(method, "awq") == 0 && strcasecmp(version, "gemm") != 0)
        return mcv_json_fail(MCV_UNSUPPORTED, &member, "\"gemm\"");
    member = mcv_json_member(&quantization, "zero_point");
    if (strcmp(method, "awq") == 0 && !zero_point)
        return mcv_json_fail(MCV_UNSUPPORTED, &member, "true");
    snprintf(found->method, sizeof found->method, "%s", method);
    found->zero_offset = strcmp(format, "gptq_v2") == 0 ? 0 : 1;
    return MCV_OK;
}

static mcv_status load_settings(const char *folder, settings *found) {
    char *path;
    mcv_json config;
    *found = (settings){.zero_offset = 1};
    if (!mcv_path_is_folder(folder))
        return MCV_OK;
    MCV_TRY(mcv_path_join(&path, folder, "config.json"));
    found->is_known = mcv_file_exists(path);
    mcv_status status = found->is_known ? mcv_json_load(path, &config) : MCV_OK;
    if (found->is_known && status == MCV_OK) {
        status = read_settings(&config, found);
        mcv_json_free(&config);
    }
    free(path);
    return status;
}

static mcv_status find_part(const mcv_weights *weights, const char *stem, const char *part, mcv_tensor *tensor) {
    char name[256];
    snprintf(name, sizeof name, "%s.%s", stem, part);
    if (mcv_safetensors_find(weights->safetensors, name, tensor))
        return MCV_OK;
    return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: missing beside %s.qweight", weights->path, name, stem);
}

static mcv_status fail_shape(const mcv_weights *weights, const char *stem, const char *part, const char *expected) {
    return MCV_FAIL(MCV_BAD_INPUT, "%s: %s.%s: expected %s", weights->path, stem, part, expected);
}

static bool is_matrix(const mcv_tensor *tensor, mcv_dtype dtype) {
    return tensor->rank == 2 && tensor->dtype == dtype && tensor->shape[0] > 0 && tensor->shape[1] > 0;
}

static mcv_status set_groups(const mcv_weights *weights, const char *stem, mcv_grouped *packed) {
    mcv_tensor indices;
    char name[256];
    packed->group_size = packed->in / packed->groups;
    snprintf(name, sizeof name, "%s.g_idx", stem);
    if (packed->is_awq || !mcv_safetensors_find(weights->safetensors, name, &indices))
        return packed->in % packed->groups == 0 ? MCV_OK : fail_shape(weights, stem, "scales", "groups of one size");
    if (indices.rank != 1 || indices.dtype != MCV_I32 || (size_t)indices.shape[0] != packed->in)
        return fail_shape(weights, stem, "g_idx", "an I32 for each input");
    packed->g_idx = indices.data;
    for (size_t i = 0; i < packed->in; i++)
        if (mcv_load_u32(packed->g_idx + 4 * i) >= packed->groups)
            return fail_shape(weights, stem, "g_idx", "groups that have scales");
    return MCV_OK;
}

/* Which of the two it is follows from the shapes; the configuration has to agree. */
static mcv_status read_parts(const mcv_weights *weights, const char *stem, const mcv_tensor *qweight,
                             mcv_grouped *packed) {
    mcv_tensor qzeros;
    MCV_TRY(find_part(weights, stem, "qzeros", &qzeros));
    MCV_TRY(find_part(weights, stem, "scales", &packed->scales));
    if (!is_matrix(qweight, MCV_I32) || !is_matrix(&qzeros, MCV_I32))
        return fail_shape(weights, stem, "qweight, qzeros", "I32 matrices");
    mcv_dtype dtype = packed->scales.dtype;
    if (dtype != MCV_F16 && dtype != MCV_BF16 && dtype != MCV_F32)
        return fail_shape(weights, stem, "scales", "F16, BF16 or F32");
    if (!is_matrix(&packed->scales, dtype) || packed->scales.shape[0] != qzeros.shape[0] ||
        packed->scales.shape[1] % PER_WORD != 0 || packed->scales.shape[1] / PER_WORD != qzeros.shape[1])
        return fail_shape(weights, stem, "scales", "a matrix of the groups and outputs of qzeros");
    packed->qweight = qweight->data;
    packed->qzeros = qzeros.data;
    packed->groups = (size_t)packed->scales.shape[0];
    packed->out = (size_t)packed->scales.shape[1];
    packed->is_awq = (size_t)qweight->shape[1] == packed->out / PER_WORD;
    packed->in = packed->is_awq ? (size_t)qweight->shape[0] : (size_t)qweight->shape[0] * PER_WORD;
    if (!packed->is_awq && (size_t)qweight->shape[1] != packed->out)
        return fail_shape(weights, stem, "qweight", "the outputs of scales");
    if (packed->in < packed->groups)
        return fail_shape(weights, stem, "scales", "no more groups than inputs");
    return set_groups(weights, stem, packed);
}

static mcv_status check_method(const mcv_weights *weights, const settings *found, const mcv_grouped *packed) {
    const char *method = packed->is_awq ? "awq" : "gptq";
    if (!found->is_known || strcmp(found->method, method) == 0)
        return MCV_OK;
    return MCV_FAIL(MCV_BAD_INPUT,
                    "%s: the tensors are packed as %s does; quantization_config of config.json says \"%s\"",
                    weights->path, method, found->method);
}

mcv_status mcv_weights_add_grouped(mcv_weights *weights, const char *stem, const mcv_tensor *qweight) {
    settings found;
    mcv_grouped *packed;
    mcv_weights_entry *entry;
    char *name;
    size_t size = strlen(stem) + sizeof ".weight";
    MCV_TRY(MCV_ARENA_NEW(&weights->arena, &packed, 1));
    MCV_TRY(MCV_ARENA_NEW(&weights->arena, &name, size));
    *packed = (mcv_grouped){0};
    MCV_TRY(load_settings(weights->path, &found));
    MCV_TRY(read_parts(weights, stem, qweight, packed));
    MCV_TRY(check_method(weights, &found, packed));
    packed->zero_offset = packed->is_awq ? 0 : found.zero_offset;
    snprintf(name, size, "%s.weight", stem);
    MCV_TRY(mcv_weights_add(weights, name, &entry));
    entry->weight = (mcv_weight){.type = packed->is_awq ? MCV_WEIGHT_AWQ : MCV_WEIGHT_GPTQ,
                                 .rank = 2,
                                 .shape = {(int64_t)packed->out, (int64_t)packed->in},
                                 .rows = packed->out,
                                 .columns = packed->in,
                                 .is_mapped = true,
                                 .grouped = packed};
    return MCV_OK;
}
