#include "cli/inspect_gguf.h"

#include <jansson.h>
#include <stdio.h>

#include "cli/json_output.h"
#include "cli/problems.h"
#include "formats/gguf.h"
#include "formats/gguf_names.h"
#include "ref/model_files.h"
#include "ref/parameters.h"

enum { SHOWN_ELEMENTS = 4, SHOWN_TEXT = 60, MOST_TYPES = 64 };

typedef struct type_totals {
    double tensors, parameters, bytes;
} type_totals;

typedef struct gguf_inspection {
    ModelFiles files;
    mcv_gguf *file;
    mcv_weights *weights;          /* of the pair; NULL without --mmproj */
    type_totals types[MOST_TYPES]; /* by the format's number */
    type_totals all;
    json_t *problems; /* strings */
} gguf_inspection;

/* ---- Looking --------------------------------------------------------------------------------------------------- */

static double count_of(const mcv_gguf_tensor *tensor) {
    double count = 1;
    for (int i = 0; i < tensor->rank; i++)
        count *= (double)tensor->shape[i];
    return count;
}

static void add_to(type_totals *totals, const mcv_gguf_tensor *tensor) {
    totals->tensors++;
    totals->parameters += count_of(tensor);
    totals->bytes += (double)tensor->bytes;
}

/* A ParameterVisitor: what the metadata implies is there, of the right shape and of a type that can be computed. */
static mcv_status check_parameter(void *context, const char *name, const mcv_tensor *expected) {
    gguf_inspection *self = context;
    mcv_weight weight;
    mcv_tensor found = {0};
    char expected_shape[128], found_shape[128];
    mcv_status status = mcv_weights_find(self->weights, name, &weight);
    if (status != MCV_OK)
        return mcv_problems_note(self->problems, status);
    found.rank = weight.rank;
    memcpy(found.shape, weight.shape, sizeof found.shape);
    if (mcv_tensor_same_shape(&found, expected))
        return MCV_OK;
    return mcv_problems_add(self->problems, "%s: shape %s, expected %s", name,
                            mcv_tensor_shape_text(&found, found_shape, sizeof found_shape),
                            mcv_tensor_shape_text(expected, expected_shape, sizeof expected_shape));
}

static mcv_status check_tokenizer(gguf_inspection *self) {
    Qwen2Tokenizer *tokenizer;
    mcv_status status = ModelFiles_tokenizer(&self->files, &tokenizer);
    if (status == MCV_OK) {
        status = mcv_problems_of_merges(self->problems, self->files.model, tokenizer);
        Qwen2Tokenizer_free(tokenizer);
    }
    MCV_TRY(mcv_problems_note(self->problems, status));
    return mcv_problems_note(self->problems, ModelFiles_check_chat_template(&self->files));
}

static mcv_status check_pair(gguf_inspection *self) {
    MiniCPMVConfig config;
    MiniCPMVImageProcessor processor;
    mcv_status status = ModelFiles_config(&self->files, &config);
    if (status != MCV_OK)
        return mcv_problems_note(self->problems, status);
    status = ModelFiles_image_processor(&self->files, &processor);
    MiniCPMVImageProcessor_free(&processor);
    MCV_TRY(mcv_problems_note(self->problems, status));
    status = ModelFiles_weights(&self->files, &self->weights);
    if (status != MCV_OK)
        return mcv_problems_note(self->problems, status);
    return MiniCPMV_named_parameters(&config, check_parameter, self);
}

static mcv_status look(gguf_inspection *self) {
    MCV_TRY(mcv_gguf_open(self->files.model, &self->file));
    for (size_t i = 0; i < mcv_gguf_tensor_count(self->file); i++) {
        const mcv_gguf_tensor *tensor = mcv_gguf_tensor_at(self->file, i);
        add_to(&self->types[tensor->type_id % MOST_TYPES], tensor);
        add_to(&self->all, tensor);
    }
    if (mcv_gguf_find_value(self->file, "tokenizer.ggml.model"))
        MCV_TRY(check_tokenizer(self));
    return self->files.mmproj ? check_pair(self) : MCV_OK;
}

/* ---- Values ---------------------------------------------------------------------------------------------------- */

/* As JSON text, so that control characters of a file do not reach a terminal. */
static void element_text(const mcv_gguf_value *value, size_t index, char *text, size_t size) {
    char element[SHOWN_TEXT];
    mcv_gguf_element_text(value, index, element, sizeof element);
    if (value->type != MCV_GGUF_STRING) {
        snprintf(text, size, "%s", element);
        return;
    }
    json_t *string = json_string(element);
    char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    snprintf(text, size, "%s", quoted ? quoted : "(not UTF-8)");
    free(quoted);
    json_decref(string);
}

static void print_value(const mcv_gguf_value *value) {
    char text[8 * SHOWN_TEXT];
    printf("%-42s %s%s", value->key, mcv_gguf_type_name(value->type), value->is_array ? "[]" : "");
    if (value->is_array)
        printf(" %zu:", value->count);
    for (size_t i = 0; i < value->count && i < SHOWN_ELEMENTS; i++) {
        element_text(value, i, text, sizeof text);
        printf(" %s", text);
    }
    printf("%s\n", value->count > SHOWN_ELEMENTS ? " ..." : "");
}

static json_t *value_to_json(const mcv_gguf_value *value) {
    json_t *first = json_array();
    char text[8 * SHOWN_TEXT];
    for (size_t i = 0; i < value->count && i < SHOWN_ELEMENTS; i++) {
        element_text(value, i, text, sizeof text);
        json_t *element = json_loads(text, JSON_DECODE_ANY, NULL);
        mcv_json_append(&first, element ? element : json_null()); /* NaN and what is not UTF-8 */
    }
    return json_pack("{s:s, s:s, s:b, s:I, s:o}", "key", value->key, "type", mcv_gguf_type_name(value->type), "array",
                     value->is_array, "count", (json_int_t)value->count, "first", first);
}

/* ---- For people ------------------------------------------------------------------------------------------------ */

static mcv_tensor shape_of(const mcv_gguf_tensor *tensor) {
    mcv_tensor shape = {.rank = tensor->rank};
    memcpy(shape.shape, tensor->shape, sizeof tensor->shape);
    return shape;
}

static void print_tensors(const gguf_inspection *self) {
    int width = 0;
    for (size_t i = 0; i < mcv_gguf_tensor_count(self->file); i++) {
        int length = (int)strlen(mcv_gguf_tensor_at(self->file, i)->name);
        width = length > width ? length : width;
    }
    for (size_t i = 0; i < mcv_gguf_tensor_count(self->file); i++) {
        const mcv_gguf_tensor *tensor = mcv_gguf_tensor_at(self->file, i);
        mcv_tensor shape = shape_of(tensor);
        char text[128];
        printf("%-*s  %-7s %s\n", width, tensor->name, mcv_gguf_element_of(tensor->type_id)->name,
               mcv_tensor_shape_text(&shape, text, sizeof text));
    }
}

static void print_totals(const char *name, const type_totals *totals) {
    if (totals->tensors > 0)
        printf("%-10s %9.0f %15.0f %15.0f %14.3f\n", name, totals->tensors, totals->parameters, totals->bytes,
               totals->parameters > 0 ? 8 * totals->bytes / totals->parameters : 0);
}

static void print_text(const gguf_inspection *self) {
    size_t index;
    json_t *problem;
    printf("GGUF version %d, %zu metadata values, %zu tensors, %zu file%s\n\n", mcv_gguf_version(self->file),
           mcv_gguf_value_count(self->file), mcv_gguf_tensor_count(self->file), mcv_gguf_parts(self->file),
           mcv_gguf_parts(self->file) == 1 ? "" : "s");
    for (size_t i = 0; i < mcv_gguf_value_count(self->file); i++)
        print_value(mcv_gguf_value_at(self->file, i));
    printf("\n");
    print_tensors(self);
    printf("\n%-10s %9s %15s %15s %14s\n", "type", "tensors", "parameters", "bytes", "bits a weight");
    for (uint32_t id = 0; id < MOST_TYPES; id++)
        if (mcv_gguf_element_of(id))
            print_totals(mcv_gguf_element_of(id)->name, &self->types[id]);
    print_totals("all", &self->all);
    json_array_foreach(self->problems, index, problem) printf("problem: %s\n", json_string_value(problem));
}

/* ---- For programs ---------------------------------------------------------------------------------------------- */

static json_t *totals_to_json(const type_totals *totals) {
    return json_pack("{s:I, s:I, s:I}", "tensors", (json_int_t)totals->tensors, "parameters",
                     (json_int_t)totals->parameters, "bytes", (json_int_t)totals->bytes);
}

static json_t *tensor_to_json(const mcv_gguf_tensor *tensor) {
    mcv_tensor shape = shape_of(tensor);
    return json_pack("{s:s, s:s, s:o, s:I}", "name", tensor->name, "dtype", mcv_gguf_element_of(tensor->type_id)->name,
                     "shape", mcv_json_shape(&shape), "bytes", (json_int_t)tensor->bytes);
}

static mcv_status print_json(const gguf_inspection *self) {
    json_t *metadata = json_array(), *tensors = json_array(), *types = json_object();
    for (size_t i = 0; i < mcv_gguf_value_count(self->file); i++)
        mcv_json_append(&metadata, value_to_json(mcv_gguf_value_at(self->file, i)));
    for (size_t i = 0; i < mcv_gguf_tensor_count(self->file); i++)
        mcv_json_append(&tensors, tensor_to_json(mcv_gguf_tensor_at(self->file, i)));
    for (uint32_t id = 0; id < MOST_TYPES; id++)
        if (self->types[id].tensors > 0)
            mcv_json_set(&types, mcv_gguf_element_of(id)->name, totals_to_json(&self->types[id]));
    return mcv_json_print(json_pack("{s:s, s:i, s:I, s:o, s:o, s:o, s:o, s:O}", "path", self->files.model, "version",
                                    mcv_gguf_version(self->file), "parts", (json_int_t)mcv_gguf_parts(self->file),
                                    "all", totals_to_json(&self->all), "types", types, "metadata", metadata, "tensors",
                                    tensors, "problems", self->problems));
}

/* ---- The command ----------------------------------------------------------------------------------------------- */

static mcv_status report(const gguf_inspection *self, bool json) {
    if (json)
        MCV_TRY(print_json(self));
    else
        print_text(self);
    return mcv_problems_status(self->files.model, self->problems);
}

mcv_status mcv_inspect_gguf(const mcv_arguments *arguments) {
    gguf_inspection self = {
        .files = {.model = arguments->operands[0], .mmproj = mcv_option_value(arguments, "mmproj")}};
    self.problems = json_array();
    mcv_status status = look(&self);
    if (status == MCV_OK)
        status = report(&self, arguments->json);
    json_decref(self.problems);
    mcv_weights_close(self.weights);
    mcv_gguf_close(self.file);
    return status;
}
