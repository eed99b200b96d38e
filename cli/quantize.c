/* minicpmv quantize: a model as a pair of GGUF files, or as a folder with packed weights. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"
#include "cli/json_output.h"
#include "cli/model_options.h"
#include "cli/outputs.h"
#include "core/log.h"
#include "ref/packed_write.h"

typedef struct quantization {
    GgufJob job;
    const mcv_mix *mix; /* of a GGUF file; NULL: none, or a folder with packed weights */
    PackedKind kind;    /* of such a folder */
    mcv_weight_type vision_type;
    mcv_importance *importance;
    json_t *tensors; /* with --json; NULL without */
    double bytes, weights;
} quantization;

static mcv_status take_tensor(void *context, const WrittenTensor *tensor) {
    quantization *self = context;
    mcv_tensor shape = {.rank = tensor->rank};
    double count = 1;
    char text[128];
    for (int i = 0; i < tensor->rank; i++) {
        shape.shape[i] = tensor->shape[i];
        count *= (double)tensor->shape[i];
    }
    self->bytes += (double)tensor->bytes;
    self->weights += count;
    if (self->tensors) {
        mcv_json_append(&self->tensors, json_pack("{s:s, s:s, s:o, s:I, s:f}", "name", tensor->name, "type",
                                                  mcv_weight_type_name(tensor->type), "shape", mcv_json_shape(&shape),
                                                  "bytes", (json_int_t)tensor->bytes, "error", tensor->error));
        return MCV_OK;
    }
    mcv_log_progress_end();
    printf("%-32s %-7s %-18s %10.3e\n", tensor->name, mcv_weight_type_name(tensor->type),
           mcv_tensor_shape_text(&shape, text, sizeof text), tensor->error);
    return MCV_OK;
}

static void print_total(const quantization *self, const char *path) {
    if (!self->tensors)
        printf("%s: %.3f bits a weight\n", path, 8 * self->bytes / self->weights);
}

static mcv_status write_language(quantization *self, const char *path) {
    MCV_TRY(gguf_write_language(&self->job, self->mix, path));
    print_total(self, path);
    return MCV_OK;
}

/* "INT4" and "INT8". */
static bool is_packed_kind(const char *name, PackedKind *kind) {
    *kind = name && strcasecmp(name, "int8") == 0 ? PACKED_INT8 : PACKED_INT4;
    return name && (*kind == PACKED_INT8 || strcasecmp(name, "int4") == 0);
}

static mcv_status write_packed(quantization *self, const mcv_arguments *arguments, const char *path) {
    PackedJob job = {.files = self->job.files,
                     .kind = self->kind,
                     .group = 128,
                     .importance = self->importance,
                     .pool = self->job.pool,
                     .written = take_tensor,
                     .context = self};
    MCV_TRY(mcv_option_int(arguments, "group", 32, 128, &job.group));
    if (job.group != 32 && job.group != 64 && job.group != 128)
        return MCV_FAIL(MCV_USAGE, "--group %d: expected 32, 64 or 128", job.group);
    if (job.kind == PACKED_INT8 && (self->importance || mcv_option_count(arguments, "group")))
        return MCV_FAIL(MCV_USAGE, "--imatrix and --group have no effect on INT8, which has a scale a row");
    MCV_TRY(packed_write(&job, path));
    print_total(self, path);
    return MCV_OK;
}

static mcv_status write_vision(quantization *self, const char *path) {
    self->bytes = self->weights = 0;
    self->job.importance = NULL; /* which knows the language model alone */
    MCV_TRY(gguf_write_vision(&self->job, self->vision_type, path));
    print_total(self, path);
    return MCV_OK;
}

static mcv_status check_options(const mcv_arguments *arguments, const char *language, const char *vision) {
    PackedKind kind;
    if (!language && !vision)
        return MCV_FAIL(MCV_USAGE, "--output or --vision-output is needed");
    if (!language && (mcv_option_count(arguments, "type") || mcv_option_count(arguments, "imatrix")))
        return MCV_FAIL(MCV_USAGE, "--type and --imatrix go with --output");
    if (is_packed_kind(mcv_option_value(arguments, "type"), &kind) && vision)
        return MCV_FAIL(MCV_USAGE, "INT4 and INT8 make one folder of the whole model: no --vision-output");
    if (!is_packed_kind(mcv_option_value(arguments, "type"), &kind) && mcv_option_count(arguments, "group"))
        return MCV_FAIL(MCV_USAGE, "--group goes with --type INT4");
    if (!vision && mcv_option_count(arguments, "vision-type"))
        return MCV_FAIL(MCV_USAGE, "--vision-type goes with --vision-output");
    return MCV_OK;
}

/* How weights are to be stored. */
static mcv_status read_types(quantization *self, const mcv_arguments *arguments) {
    const char *type = mcv_option_value(arguments, "type"), *vision = mcv_option_value(arguments, "vision-type");
    if (mcv_option_count(arguments, "output"))
        MCV_TRY(mcv_option_required(arguments, "type", &type));
    if (type && !is_packed_kind(type, &self->kind) && !(self->mix = mcv_mix_find(type)))
        return MCV_FAIL(MCV_USAGE, "--type %s: no such type; 'minicpmv quantize --help' lists them", type);
    self->vision_type = MCV_WEIGHT_F16;
    if (vision && !mcv_weight_type_from_name(vision, &self->vision_type))
        return MCV_FAIL(MCV_USAGE, "--vision-type %s: no such type", vision);
    return MCV_OK;
}

/* Before the language model takes its time. */
static mcv_status check_outputs(const quantization *self, const char *language, const char *vision) {
    MCV_TRY(mcv_output_check_file(language, "--output"));
    MCV_TRY(mcv_output_check_file(vision, "--vision-output"));
    if (self->mix)
        MCV_TRY(mcv_output_try(language));
    return mcv_output_try(vision);
}

static mcv_status quantize(quantization *self, const mcv_arguments *arguments) {
    const char *language = mcv_option_value(arguments, "output");
    const char *vision = mcv_option_value(arguments, "vision-output");
    const char *imatrix = mcv_option_value(arguments, "imatrix");
    MCV_TRY(check_options(arguments, language, vision));
    MCV_TRY(mcv_model_options_require(arguments, &self->job.files));
    MCV_TRY(read_types(self, arguments));
    MCV_TRY(check_outputs(self, language, vision));
    MCV_TRY(mcv_pool_create(&self->job.pool, arguments->threads));
    if (imatrix)
        MCV_TRY(mcv_importance_open(imatrix, &self->importance));
    self->job.importance = self->importance;
    if (language)
        MCV_TRY(self->mix ? write_language(self, language) : write_packed(self, arguments, language));
    if (vision)
        MCV_TRY(write_vision(self, vision));
    if (!self->tensors)
        return MCV_OK;
    json_t *tensors = self->tensors;
    self->tensors = NULL;
    return mcv_json_print(json_pack("{s:o}", "tensors", tensors));
}

static mcv_status run(const mcv_arguments *arguments) {
    quantization self = {.tensors = arguments->json ? json_array() : NULL};
    self.job.written = take_tensor;
    self.job.context = &self;
    mcv_status status = quantize(&self, arguments);
    mcv_importance_close(self.importance);
    mcv_pool_free(self.job.pool);
    json_decref(self.tensors);
    return status;
}

static const mcv_option OPTIONS[] = {
    MCV_MODEL_OPTION,
    MCV_MODEL_FILE_OPTIONS,
    {'o', "output", "FILE", "write the language model as a GGUF file; INT4, INT8: the model as a new folder"},
    {0, "type", "TYPE", "how its weights are stored: Q4_K_M, Q8_0, F16, ..., INT4, INT8"},
    {0, "group", "N", "INT4: weights that share a scale and a zero point, 32, 64 or 128 (default)"},
    {0, "imatrix", "FILE", "importance weights of a calibration run, a GGUF file"},
    {0, "vision-output", "FILE", "write the vision encoder and the resampler as a GGUF file"},
    {0, "vision-type", "TYPE", "how its matrices are stored (default F16)"},
    {0},
};

const mcv_command mcv_quantize_command = {
    .name = "quantize",
    .summary = "a model as a pair of GGUF files, quantized or not, or packed as INT4 or INT8",
    .operands = "",
    .min_operands = 0,
    .max_operands = 0,
    .details =
        "Types of GGUF files, and below them those of a folder in Hugging Face layout.\n"
        "Types: F32 F16 BF16 Q8_0 Q6_K Q5_K_M Q5_K_S Q5_1 Q5_0 Q4_K_M Q4_K_S Q4_1 Q4_0 IQ4_NL IQ4_XS Q3_K_L Q3_K_M\n"
        "Q3_K_S Q2_K Q2_K_S. The K mixes store some tensors finer than others. Prints each tensor with its type and\n"
        "error, norm(written - original) / norm(original). A file is written aside and renamed when it is complete.\n"
        "INT4: as AutoAWQ saves it, in groups of 128 with zero points; INT8: as compressed-tensors does, with a scale "
        "a\n"
        "row. Both are of the linear layers of the language model; everything else stays as it is.\n",
    .takes = MCV_TAKES_THREADS,
    .options = OPTIONS,
    .run = run,
};
