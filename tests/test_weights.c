#include <criterion/criterion.h>
#include <stdio.h>

#include "formats/json.h"
#include "formats/safetensors.h"
#include "formats/weights.h"
#include "tests/temporary.h"

#define QUANTIZED "tests/fixtures/quantized/"

/* Layers as AWQ, GPTQ and NF4 pack them, and what NumPy makes of them: tests/fixtures/make_packed_weights.py. */
static void check_layer(const char *name, mcv_weight_type type) {
    mcv_weights *weights;
    mcv_weight layer;
    mcv_safetensors *file;
    mcv_tensor expected;
    char path[96];
    snprintf(path, sizeof path, QUANTIZED "%s", name);
    cr_assert_eq(mcv_weights_open(path, NULL, &weights), MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(mcv_weights_find(weights, "layer.weight", &layer), MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(mcv_safetensors_open(QUANTIZED "expected.safetensors", &file), MCV_OK);
    cr_assert(mcv_safetensors_find(file, name, &expected));
    cr_expect_eq(layer.type, type);
    cr_assert(layer.rank == 2 && layer.shape[0] == expected.shape[0] && layer.shape[1] == expected.shape[1]);
    size_t row_size = layer.columns * sizeof(float);
    float *values = malloc(layer.rows * row_size);
    mcv_weight_to_f32(&layer, 0, layer.rows, values);
    cr_expect_arr_eq(values, expected.data, layer.rows * row_size, "%s", name);
    mcv_weight part = mcv_weight_rows(&layer, 3, 4);
    mcv_weight_to_f32(&part, 1, 2, values);
    cr_expect_arr_eq(values, (const char *)expected.data + 4 * row_size, 2 * row_size, "%s, rows", name);
    free(values);
    mcv_safetensors_close(file);
    mcv_weights_close(weights);
}

Test(weights, layers_of_awq_gptq_and_nf4) {
    check_layer("awq", MCV_WEIGHT_AWQ);
    check_layer("gptq", MCV_WEIGHT_GPTQ);
    check_layer("gptq-v2", MCV_WEIGHT_GPTQ);
    check_layer("gptq-32", MCV_WEIGHT_GPTQ);
    check_layer("nf4", MCV_WEIGHT_NF4);
    check_layer("nf4-flat", MCV_WEIGHT_NF4);
}

/* Parts of quantized layers are no weights of their own, other tensors are. */
Test(weights, parts_are_not_listed) {
    mcv_weights *weights;
    mcv_weight weight;
    const char *unsupported;
    cr_assert_eq(mcv_weights_open(QUANTIZED "awq", NULL, &weights), MCV_OK);
    cr_assert_eq(mcv_weights_count(weights), 2);
    cr_expect_str_eq(mcv_weights_at(weights, 0, &weight, &unsupported), "layer.weight");
    cr_expect_str_eq(mcv_weights_at(weights, 1, &weight, &unsupported), "other.weight");
    cr_expect(!unsupported && weight.type == MCV_WEIGHT_F16);
    mcv_weights_close(weights);
}

/* ---- Damage ----------------------------------------------------------------------------------------------------- */

/* A copy of a fixture's tensors without one, or with one cut to its first `kept` rows. */
static void expect_failure(const char *fixture, const char *changed, int64_t kept, mcv_status status,
                           const char *words) {
    mcv_safetensors *file;
    mcv_safetensors_writer *writer;
    mcv_weights *weights;
    char source[96];
    const char *path = temporary_path("damaged.safetensors");
    snprintf(source, sizeof source, QUANTIZED "%s/model.safetensors", fixture);
    cr_assert_eq(mcv_safetensors_open(source, &file), MCV_OK);
    cr_assert_eq(mcv_safetensors_create(path, &writer), MCV_OK);
    for (size_t i = 0; i < mcv_safetensors_count(file); i++) {
        mcv_tensor tensor = mcv_safetensors_at(file, i);
        bool is_changed = strcmp(mcv_safetensors_name(file, i), changed) == 0;
        if (is_changed)
            tensor.shape[0] = kept;
        if (!is_changed || kept > 0)
            cr_assert_eq(mcv_safetensors_add(writer, mcv_safetensors_name(file, i), &tensor), MCV_OK);
    }
    cr_assert_eq(mcv_safetensors_commit(writer), MCV_OK);
    mcv_safetensors_close(file);
    cr_expect_eq(mcv_weights_open(path, NULL, &weights), status, "%s without %s", fixture, changed);
    cr_expect_null(weights);
    cr_expect(strstr(mcv_error_message(), words), "expected \"%s\", found: %s", words, mcv_error_message());
    mcv_weights_close(weights);
}

Test(weights, damaged_layers) {
    expect_failure("awq", "layer.qzeros", 0, MCV_BAD_INPUT, "layer.qzeros: missing beside layer.qweight");
    expect_failure("awq", "layer.scales", 0, MCV_BAD_INPUT, "layer.scales: missing beside layer.qweight");
    expect_failure("awq", "layer.scales", 1, MCV_BAD_INPUT, "layer.scales: expected a matrix of the groups");
    expect_failure("awq", "layer.qweight", 1, MCV_BAD_INPUT, "layer.scales: expected no more groups than inputs");
    expect_failure("awq", "layer.qweight", 63, MCV_BAD_INPUT, "layer.scales: expected groups of one size");
    expect_failure("gptq", "layer.g_idx", 63, MCV_BAD_INPUT, "layer.g_idx: expected an I32 for each input");
    expect_failure("nf4", "layer.weight", 300, MCV_BAD_INPUT, "quant_state: expected a shape that the weights fill");
    expect_failure("nf4", "layer.weight.absmax", 9, MCV_BAD_INPUT, "absmax: expected 10 elements of type U8");
    expect_failure("nf4", "layer.weight.nested_absmax", 2, MCV_BAD_INPUT, "nested_absmax: expected 3 elements");
    expect_failure("nf4", "layer.weight.nested_quant_map", 255, MCV_BAD_INPUT, "nested_quant_map: expected 256");
    expect_failure("nf4-flat", "layer.weight.quant_map", 0, MCV_BAD_INPUT,
                   "quant_map: expected 16 elements of type F32");
    expect_failure("nf4-flat", "layer.weight.quant_state.bitsandbytes__nf4", 20, MCV_BAD_INPUT, "not valid JSON");
}

static void expect_config(const char *config, mcv_status status, const char *words) {
    mcv_weights *weights;
    mcv_safetensors *file;
    mcv_safetensors_writer *writer;
    temporary_text("config.json", config);
    cr_assert_eq(mcv_safetensors_open(QUANTIZED "awq", &file), MCV_OK);
    cr_assert_eq(mcv_safetensors_create(temporary_path("model.safetensors"), &writer), MCV_OK);
    for (size_t i = 0; i < mcv_safetensors_count(file); i++) {
        mcv_tensor tensor = mcv_safetensors_at(file, i);
        cr_assert_eq(mcv_safetensors_add(writer, mcv_safetensors_name(file, i), &tensor), MCV_OK);
    }
    cr_assert_eq(mcv_safetensors_commit(writer), MCV_OK);
    mcv_safetensors_close(file);
    cr_expect_eq(mcv_weights_open(temporary_folder(), NULL, &weights), status, "%s", config);
    cr_expect(status == MCV_OK || strstr(mcv_error_message(), words), "expected \"%s\", found: %s", words,
              mcv_error_message());
    mcv_weights_close(weights);
}

Test(weights, configurations) {
    expect_config("{\"quantization_config\": {\"quant_method\": \"awq\", \"version\": \"GEMM\"}}", MCV_OK, "");
    expect_config("{\"quantization_config\": {\"quant_method\": \"awq\", \"bits\": 8}}", MCV_UNSUPPORTED,
                  "quantization_config.bits: expected 4, found 8");
    expect_config("{\"quantization_config\": {\"quant_method\": \"awq\", \"version\": \"gemv\"}}", MCV_UNSUPPORTED,
                  "expected \"gemm\"");
    expect_config("{\"quantization_config\": {\"quant_method\": \"awq\", \"zero_point\": false}}", MCV_UNSUPPORTED,
                  "quantization_config.zero_point: expected true");
    expect_config("{\"quantization_config\": {\"quant_method\": \"gptq\"}}", MCV_BAD_INPUT,
                  "packed as awq does; quantization_config of config.json says \"gptq\"");
    expect_config("{}", MCV_BAD_INPUT, "says \"\"");
}
