/* minicpmv inspect PATH: what a model folder, a safetensors or a GGUF file holds, and what is wrong with it. */
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/inspect_gguf.h"
#include "cli/json_output.h"
#include "cli/problems.h"
#include "core/file.h"
#include "core/log.h"
#include "core/text.h"
#include "formats/gguf.h"
#include "formats/hash.h"
#include "formats/json.h"
#include "formats/safetensors.h"
#include "formats/weights.h"
#include "ref/model_files.h"
#include "ref/parameters.h"

enum { NUM_COMPONENTS = 4, NUM_TYPES = MCV_WEIGHT_INT8 + 1 };

static const char *const COMPONENTS[NUM_COMPONENTS] = {"llm", "vpm", "resampler", "other"};

typedef struct component_totals {
    uint64_t tensors, parameters, bytes;
} component_totals;

typedef struct inspection {
    const char *path;
    mcv_safetensors *file;
    bool is_model; /* a folder: it has a configuration and a tokenizer, too */
    MiniCPMVConfig config;
    int tokenizer_size;
    component_totals components[NUM_COMPONENTS], all;
    mcv_weights *weights; /* the tensors of a model, parts of quantized layers put together */
    bool *expected;       /* [weights]: the configuration implies it */
    mcv_hash *hashes;     /* [tensors of file]; NULL without --hash */
    json_t *problems;     /* strings: tensors that are missing or of the wrong shape, and the like */
    json_t *unexpected;   /* names of tensors that the configuration does not imply; they are not used */
} inspection;

/* ---- Looking --------------------------------------------------------------------------------------------------- */

static mcv_status add_string(json_t *list, const char *text) {
    return json_array_append_new(list, json_string(text)) == 0 ? MCV_OK : MCV_FAIL_MEMORY(strlen(text));
}

/* *shape: of weight number `index`. */
static const char *weight_at(const mcv_weights *weights, size_t index, mcv_tensor *shape) {
    mcv_weight weight;
    const char *unsupported, *name = mcv_weights_at(weights, index, &weight, &unsupported);
    *shape = (mcv_tensor){.rank = weight.rank};
    memcpy(shape->shape, weight.shape, sizeof shape->shape);
    return name;
}

static size_t find_index(const mcv_weights *weights, const char *name, mcv_tensor *shape) {
    size_t i = 0;
    while (i < mcv_weights_count(weights) && strcmp(weight_at(weights, i, shape), name) != 0)
        i++;
    return i;
}

/* A ParameterVisitor: holds a tensor of the file to what the configuration implies. */
static mcv_status check_parameter(void *context, const char *name, const mcv_tensor *expected) {
    inspection *self = context;
    mcv_tensor found;
    size_t index = find_index(self->weights, name, &found);
    char expected_shape[128], found_shape[128];
    mcv_tensor_shape_text(expected, expected_shape, sizeof expected_shape);
    if (index == mcv_weights_count(self->weights))
        return mcv_problems_add(self->problems, "%s: missing, expected %s", name, expected_shape);
    self->expected[index] = true;
    mcv_weight weight;
    const char *unsupported;
    mcv_weights_at(self->weights, index, &weight, &unsupported);
    if (unsupported) /* bytes whose scales are missing, say */
        return mcv_problems_add(self->problems, "%s: weights of type %s, expected F32, F16, BF16 or a packed type",
                                name, unsupported);
    if (mcv_tensor_same_shape(&found, expected))
        return MCV_OK;
    return mcv_problems_add(self->problems, "%s: shape %s, expected %s", name,
                            mcv_tensor_shape_text(&found, found_shape, sizeof found_shape), expected_shape);
}

static mcv_status check_parameters(inspection *self) {
    MCV_TRY(MiniCPMV_named_parameters(&self->config, check_parameter, self));
    mcv_tensor shape;
    for (size_t i = 0; i < mcv_weights_count(self->weights); i++)
        if (!self->expected[i])
            MCV_TRY(add_string(self->unexpected, weight_at(self->weights, i, &shape)));
    return MCV_OK;
}

static mcv_status check_tokenizer(inspection *self, const Qwen2Tokenizer *tokenizer) {
    self->tokenizer_size = Qwen2Tokenizer_size(tokenizer);
    if (self->tokenizer_size > self->config.vocab_size)
        MCV_TRY(mcv_problems_add(self->problems, "tokenizer: ids up to %d, beyond the vocabulary of %d",
                                 self->tokenizer_size - 1, self->config.vocab_size));
    return mcv_problems_of_merges(self->problems, self->path, tokenizer);
}

static mcv_status check_processor(inspection *self) {
    const ModelFiles files = {.model = self->path};
    MiniCPMVImageProcessor processor;
    Qwen2Tokenizer *tokenizer;
    mcv_status status = ModelFiles_image_processor(&files, &processor);
    MiniCPMVImageProcessor_free(&processor);
    MCV_TRY(mcv_problems_note(self->problems, status));
    status = ModelFiles_tokenizer(&files, &tokenizer);
    if (status == MCV_OK) {
        status = check_tokenizer(self, tokenizer);
        Qwen2Tokenizer_free(tokenizer);
    }
    MCV_TRY(mcv_problems_note(self->problems, status));
    return mcv_problems_note(self->problems, ModelFiles_check_chat_template(&files));
}

/* What is missing was taken from the published model, whose shapes are then expected of the weights. */
static mcv_status check_config(inspection *self) {
    const char *missing = self->config.missing_keys;
    return missing[0] ? mcv_problems_add(self->problems, "config.json has no %s", missing) : MCV_OK;
}

/* Also those that nothing is taken from here, as Hugging Face's programs read them. */
static mcv_status check_file(const char *path) {
    struct stat about;
    mcv_json root;
    if (!mcv_file_exists(path))
        return MCV_OK;
    if (mcv_ends_with(path, ".json")) {
        mcv_status status = mcv_json_load(path, &root);
        mcv_json_free(&root);
        return status;
    }
    bool is_empty = stat(path, &about) == 0 && about.st_size == 0;
    return is_empty ? MCV_FAIL(MCV_BAD_INPUT, "%s: the file is empty", path) : MCV_OK;
}

static mcv_status check_files(inspection *self) {
    static const char *const NAMES[] = {"generation_config.json",
                                        "tokenizer.json",
                                        "tokenizer_config.json",
                                        "vocab.json",
                                        "merges.txt",
                                        "added_tokens.json",
                                        "special_tokens_map.json",
                                        "chat_template.json",
                                        "processor_config.json"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        char *path;
        MCV_TRY(mcv_path_join(&path, self->path, NAMES[i]));
        mcv_status status = check_file(path);
        free(path);
        MCV_TRY(mcv_problems_note(self->problems, status));
    }
    return MCV_OK;
}

static component_totals *component_of(inspection *self, const char *name) {
    size_t length = strcspn(name, ".");
    int i = 0;
    while (i < NUM_COMPONENTS - 1 && !(strlen(COMPONENTS[i]) == length && strncmp(COMPONENTS[i], name, length) == 0))
        i++;
    return &self->components[i];
}

static void add_to_totals(component_totals *totals, size_t parameters, size_t bytes) {
    totals->tensors++;
    totals->parameters += parameters;
    totals->bytes += bytes;
}

static void add_up(inspection *self) {
    for (size_t i = 0; i < mcv_safetensors_count(self->file); i++) {
        mcv_tensor tensor = mcv_safetensors_at(self->file, i);
        size_t parameters, bytes;
        mcv_tensor_count(&tensor, &parameters); /* both were checked when the file was opened */
        mcv_tensor_bytes(&tensor, &bytes);
        add_to_totals(component_of(self, mcv_safetensors_name(self->file, i)), parameters, bytes);
        add_to_totals(&self->all, parameters, bytes);
    }
}

static mcv_status hash_tensors(inspection *self) {
    size_t count = mcv_safetensors_count(self->file);
    MCV_TRY(MCV_NEW(&self->hashes, count));
    for (size_t i = 0; i < count; i++) {
        mcv_tensor tensor = mcv_safetensors_at(self->file, i);
        mcv_log_progress("hash", i, count);
        MCV_TRY(mcv_hash_tensor(&tensor, &self->hashes[i]));
    }
    mcv_log_progress_end();
    return MCV_OK;
}

static mcv_status look(inspection *self, bool hash) {
    self->is_model = mcv_path_is_folder(self->path);
    self->problems = json_array();
    self->unexpected = json_array();
    if (self->is_model)
        MCV_TRY(MiniCPMVConfig_from_pretrained(&self->config, self->path));
    MCV_TRY(mcv_safetensors_open(self->path, &self->file));
    add_up(self);
    if (self->is_model) {
        MCV_TRY(check_config(self));
        MCV_TRY(check_files(self));
        MCV_TRY(check_processor(self));
        MCV_TRY(mcv_weights_open(self->path, NULL, &self->weights));
        MCV_TRY(MCV_NEW(&self->expected, mcv_weights_count(self->weights)));
        MCV_TRY(check_parameters(self));
    }
    return hash ? hash_tensors(self) : MCV_OK;
}

/* ---- For people ------------------------------------------------------------------------------------------------ */

static void print_config(const inspection *self) {
    const MiniCPMVConfig *config = &self->config;
    const SiglipVisionConfig *vision = &config->vision_config;
    int side = vision->image_size / vision->patch_size;
    printf(
        "language model  %d layers, hidden %d, intermediate %d, %d heads of %d, %d key-value heads, vocabulary %d%s\n",
        config->num_hidden_layers, config->hidden_size, config->intermediate_size, config->num_attention_heads,
        config->head_dim, config->num_key_value_heads, config->vocab_size,
        config->tie_word_embeddings ? ", tied embeddings" : "");
    printf("vision encoder  %d layers%s, hidden %d, intermediate %d, %d heads, patches of %d, %d x %d positions\n",
           vision->num_hidden_layers, config->drop_vision_last_layer ? " but the last" : "", vision->hidden_size,
           vision->intermediate_size, vision->num_attention_heads, vision->patch_size, side, side);
    printf("resampler       %d queries, groups of frames %s\n", config->query_num,
           config->batch_3d_resampler ? "in one batch" : "one by one");
    printf("images          up to %d slices\n", config->slice_config.max_slice_nums);
    printf("tokenizer       %d ids\n\n", self->tokenizer_size);
}

static void print_totals(const char *name, const component_totals *totals) {
    if (totals->tensors)
        printf("%-14s %9llu %15llu %15llu\n", name, (unsigned long long)totals->tensors,
               (unsigned long long)totals->parameters, (unsigned long long)totals->bytes);
}

static void print_tensors(const inspection *self) {
    int width = 0;
    for (size_t i = 0; i < mcv_safetensors_count(self->file); i++) {
        int length = (int)strlen(mcv_safetensors_name(self->file, i));
        width = length > width ? length : width;
    }
    for (size_t i = 0; i < mcv_safetensors_count(self->file); i++) {
        mcv_tensor tensor = mcv_safetensors_at(self->file, i);
        char shape[128];
        printf("%-*s  %-7s %-18s %s\n", width, mcv_safetensors_name(self->file, i), mcv_dtype_name(tensor.dtype),
               mcv_tensor_shape_text(&tensor, shape, sizeof shape), self->hashes ? self->hashes[i].xxh3_128 : "");
    }
}

/* Of a model: how its weights are stored, with the parts of packed ones put together. */
static void add_types(const inspection *self, component_totals totals[NUM_TYPES], uint64_t *weights) {
    *weights = 0;
    for (size_t i = 0; i < mcv_weights_count(self->weights); i++) {
        mcv_weight weight;
        const char *unsupported;
        mcv_weights_at(self->weights, i, &weight, &unsupported);
        if (unsupported)
            continue;
        add_to_totals(&totals[weight.type], weight.rows * weight.columns, 0);
        *weights += weight.rows * weight.columns;
    }
}

static void print_types(const inspection *self) {
    component_totals totals[NUM_TYPES] = {0};
    uint64_t weights;
    add_types(self, totals, &weights);
    printf("\n%-14s %9s %15s\n", "stored as", "tensors", "weights");
    for (int i = 0; i < NUM_TYPES; i++)
        if (totals[i].tensors)
            printf("%-14s %9llu %15llu\n", mcv_weight_type_name((mcv_weight_type)i),
                   (unsigned long long)totals[i].tensors, (unsigned long long)totals[i].parameters);
    if (weights)
        printf("%.3f bits a weight\n", 8 * (double)self->all.bytes / (double)weights);
}

static void print_strings(const json_t *list, const char *label) {
    size_t index;
    json_t *text;
    json_array_foreach(list, index, text) printf("%s: %s\n", label, json_string_value(text));
}

static void print_text(const inspection *self) {
    if (self->is_model)
        print_config(self);
    print_tensors(self);
    printf("\n%-14s %9s %15s %15s\n", "component", "tensors", "parameters", "bytes");
    for (int i = 0; i < NUM_COMPONENTS; i++)
        print_totals(COMPONENTS[i], &self->components[i]);
    print_totals("all", &self->all);
    if (self->is_model)
        print_types(self);
    print_strings(self->unexpected, "not used");
    print_strings(self->problems, "problem");
}

/* ---- For programs ---------------------------------------------------------------------------------------------- */

static json_t *totals_to_json(const component_totals *totals) {
    return json_pack("{s:I, s:I, s:I}", "tensors", (json_int_t)totals->tensors, "parameters",
                     (json_int_t)totals->parameters, "bytes", (json_int_t)totals->bytes);
}

static json_t *types_to_json(const inspection *self, uint64_t *weights) {
    component_totals totals[NUM_TYPES] = {0};
    json_t *types = json_object();
    add_types(self, totals, weights);
    for (int i = 0; i < NUM_TYPES; i++)
        if (totals[i].tensors)
            mcv_json_set(&types, mcv_weight_type_name((mcv_weight_type)i),
                         json_pack("{s:I, s:I}", "tensors", (json_int_t)totals[i].tensors, "weights",
                                   (json_int_t)totals[i].parameters));
    return types;
}

static json_t *config_to_json(const MiniCPMVConfig *config) {
    const SiglipVisionConfig *vision = &config->vision_config;
    json_t *vision_json =
        json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "num_hidden_layers", vision->num_hidden_layers, "hidden_size",
                  vision->hidden_size, "intermediate_size", vision->intermediate_size, "num_attention_heads",
                  vision->num_attention_heads, "patch_size", vision->patch_size, "image_size", vision->image_size);
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:i, s:b, s:b, s:i, s:o}", "num_hidden_layers",
                     config->num_hidden_layers, "hidden_size", config->hidden_size, "intermediate_size",
                     config->intermediate_size, "num_attention_heads", config->num_attention_heads,
                     "num_key_value_heads", config->num_key_value_heads, "head_dim", config->head_dim, "vocab_size",
                     config->vocab_size, "tie_word_embeddings", config->tie_word_embeddings, "query_num",
                     config->query_num, "batch_3d_resampler", config->batch_3d_resampler, "drop_vision_last_layer",
                     config->drop_vision_last_layer, "max_slice_nums", config->slice_config.max_slice_nums,
                     "vision_config", vision_json);
}

static json_t *tensor_to_json(const inspection *self, size_t index) {
    mcv_tensor tensor = mcv_safetensors_at(self->file, index);
    size_t bytes;
    mcv_tensor_bytes(&tensor, &bytes);
    json_t *object =
        json_pack("{s:s, s:s, s:o, s:I}", "name", mcv_safetensors_name(self->file, index), "dtype",
                  mcv_dtype_name(tensor.dtype), "shape", mcv_json_shape(&tensor), "bytes", (json_int_t)bytes);
    if (self->hashes)
        mcv_json_set(&object, "xxh3_128", json_string(self->hashes[index].xxh3_128));
    return object;
}

static mcv_status print_json(const inspection *self) {
    json_t *components = json_object(), *tensors = json_array();
    uint64_t weights;
    for (int i = 0; i < NUM_COMPONENTS; i++)
        mcv_json_set(&components, COMPONENTS[i], totals_to_json(&self->components[i]));
    for (size_t i = 0; i < mcv_safetensors_count(self->file); i++)
        mcv_json_append(&tensors, tensor_to_json(self, i));
    json_t *report =
        json_pack("{s:s, s:o, s:o, s:o, s:O, s:O}", "path", self->path, "all", totals_to_json(&self->all), "components",
                  components, "tensors", tensors, "unexpected", self->unexpected, "problems", self->problems);
    if (self->is_model) {
        mcv_json_set(&report, "config", config_to_json(&self->config));
        mcv_json_set(&report, "tokenizer_size", json_integer(self->tokenizer_size));
        mcv_json_set(&report, "types", types_to_json(self, &weights));
        if (weights)
            mcv_json_set(&report, "bits_a_weight", json_real(8 * (double)self->all.bytes / (double)weights));
    }
    return mcv_json_print(report);
}

/* ---- The command ----------------------------------------------------------------------------------------------- */

static mcv_status report(const inspection *self, bool json) {
    if (json)
        MCV_TRY(print_json(self));
    else
        print_text(self);
    return mcv_problems_status(self->path, self->problems);
}

static mcv_status run(const mcv_arguments *arguments) {
    bool is_gguf;
    MCV_TRY(mcv_path_is_gguf(arguments->operands[0], &is_gguf));
    if (is_gguf && mcv_option_count(arguments, "hash") > 0)
        return MCV_FAIL(MCV_USAGE, "--hash is for safetensors files");
    if (is_gguf)
        return mcv_inspect_gguf(arguments);
    if (mcv_option_value(arguments, "mmproj"))
        return MCV_FAIL(MCV_USAGE, "%s is no GGUF file: --mmproj goes with one", arguments->operands[0]);
    inspection self = {.path = arguments->operands[0]};
    mcv_status status = look(&self, mcv_option_count(arguments, "hash") > 0);
    if (status == MCV_OK)
        status = report(&self, arguments->json);
    json_decref(self.problems);
    json_decref(self.unexpected);
    free(self.hashes);
    free(self.expected);
    mcv_weights_close(self.weights);
    mcv_safetensors_close(self.file);
    return status;
}

static const mcv_option OPTIONS[] = {
    {0, "hash", NULL, "show the XXH3 fingerprint (128 bits) of each tensor's data"},
    {0, "mmproj", "FILE", "the vision side of a GGUF file: hold the pair to its configuration"},
    {0},
};

const mcv_command mcv_inspect_command = {
    .name = "inspect",
    .summary = "what a model holds, and what is wrong with it",
    .operands = "PATH",
    .min_operands = 1,
    .max_operands = 1,
    .details =
        "Shows the tensors of a safetensors file or of a model's folder in Hugging Face layout. Of a folder also the\n"
        "configuration and the tokenizer, and whether the tensors are those that the configuration implies. Exit\n"
        "code 3 where a file is damaged, a tensor missing or of the wrong shape. Of a GGUF file it shows metadata,\n"
        "tensors and bits a weight by type.\n",
    .options = OPTIONS,
    .run = run,
};
