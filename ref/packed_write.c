#include "ref/packed_write.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "core/text.h"
#include "formats/gguf_names.h"
#include "formats/quantize_packed.h"
#include "formats/safetensors.h"

typedef struct Packing {
    const PackedJob *job;
    char *aside; /* the folder while it is written */
    mcv_weights *weights;
    mcv_safetensors_writer *writer;
    size_t packed; /* matrices */
} Packing;

/* ---- Which matrices ------------------------------------------------------------------------------------------ */

static bool is_linear_of_layer(const char *name) {
    static const char LAYERS[] = "llm.model.layers.";
    return strncmp(name, LAYERS, strlen(LAYERS)) == 0 && mcv_ends_with(name, "_proj.weight");
}

static bool can_be_packed(const PackedJob *job, const char *name, const mcv_weight *weight) {
    if (!is_linear_of_layer(name) || weight->rank != 2)
        return false;
    return job->kind == PACKED_INT8 || (weight->rows % MCV_AWQ_ROWS == 0 && weight->columns % (size_t)job->group == 0);
}

/* ---- One matrix ---------------------------------------------------------------------------------------------- */

typedef struct PackWork {
    const mcv_weight *source;
    PackedKind kind;
    const float *importance;
    mcv_awq_matrix awq;
    int8_t *codes;      /* INT8: [rows, columns] */
    float *scales;      /* INT8: [rows] */
    float *scratch;     /* [threads][SCRATCH_ROWS * columns] */
    double *errors;     /* [rows]: sum of squared differences */
    double *squares;    /* [rows]: sum of squares; NaN or infinite where the row is not finite */
    mcv_grouped as_awq; /* what was packed, as it will be read */
    mcv_int8 as_int8;
} PackWork;

enum { SCRATCH_ROWS = MCV_AWQ_ROWS + 1 };

static double sum_squares(const float *values, size_t count) {
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        squares += (double)values[i] * (double)values[i];
    return squares;
}

static double sum_errors(const PackWork *work, size_t row, const float *values, float *written) {
    double errors = 0;
    if (work->kind == PACKED_INT4)
        mcv_grouped_to_f32(&work->as_awq, row, written);
    else
        mcv_int8_to_f32(&work->as_int8, row, written);
    for (size_t i = 0; i < work->source->columns; i++)
        errors += ((double)values[i] - (double)written[i]) * ((double)values[i] - (double)written[i]);
    return errors;
}

/* Units are rows of INT8, and eight rows of INT4. */
static void pack_rows(void *context, size_t begin, size_t end, int worker) {
    const PackWork *work = context;
    size_t columns = work->source->columns, rows = work->kind == PACKED_INT4 ? MCV_AWQ_ROWS : 1;
    float *values = work->scratch + (size_t)worker * SCRATCH_ROWS * columns, *written = values + rows * columns;
    for (size_t unit = begin; unit < end; unit++) {
        bool finite = true;
        mcv_weight_to_f32(work->source, unit * rows, rows, values);
        for (size_t r = 0; r < rows; r++) {
            work->squares[unit * rows + r] = sum_squares(values + r * columns, columns);
            finite = finite && isfinite(work->squares[unit * rows + r]);
        }
        if (!finite)
            continue;
        if (work->kind == PACKED_INT4)
            mcv_quantize_awq(&work->awq, unit * rows, values, work->importance);
        else
            mcv_quantize_int8(values, columns, work->codes + unit * columns, &work->scales[unit]);
        for (size_t r = 0; r < rows; r++)
            work->errors[unit * rows + r] = sum_errors(work, unit * rows + r, values + r * columns, written);
    }
}

static mcv_status add_part(const Packing *self, const char *stem, const char *part, mcv_dtype dtype, const void *data,
                           size_t rows, size_t columns, size_t *bytes) {
    char name[256];
    size_t size;
    mcv_tensor tensor = MCV_TENSOR(dtype, data, (int64_t)rows, (int64_t)columns);
    snprintf(name, sizeof name, "%s%s", stem, part);
    if (!mcv_tensor_bytes(&tensor, &size))
        return MCV_FAIL(MCV_NO_MEMORY, "tensor %s is too large to be addressed", name);
    *bytes += size;
    return mcv_safetensors_add(self->writer, name, &tensor);
}

static mcv_status add_parts(const Packing *self, const char *name, const PackWork *work, size_t *bytes) {
    static const char WEIGHT[] = "weight";
    const mcv_awq_matrix *awq = &work->awq;
    char stem[224];
    if (strlen(name) >= sizeof stem)
        return MCV_FAIL(MCV_BAD_INPUT, "tensor %s: a name of %zu bytes; expected fewer than %zu", name, strlen(name),
                        sizeof stem);
    snprintf(stem, sizeof stem, "%.*s", (int)(strlen(name) - strlen(WEIGHT)), name);
    *bytes = 0;
    if (work->kind == PACKED_INT8) {
        MCV_TRY(add_part(self, stem, "weight", MCV_I8, work->codes, work->source->rows, work->source->columns, bytes));
        return add_part(self, stem, "weight_scale", MCV_F32, work->scales, work->source->rows, 1, bytes);
    }
    size_t groups = awq->in / awq->group, words = awq->out / MCV_AWQ_ROWS;
    MCV_TRY(add_part(self, stem, "qweight", MCV_I32, awq->qweight, awq->in, words, bytes));
    MCV_TRY(add_part(self, stem, "qzeros", MCV_I32, awq->qzeros, groups, words, bytes));
    return add_part(self, stem, "scales", MCV_F16, awq->scales, groups, awq->out, bytes);
}

static mcv_status make_int8_room(mcv_arena *arena, PackWork *work) {
    size_t rows = work->source->rows, columns = work->source->columns;
    MCV_TRY(MCV_ARENA_NEW(arena, &work->scales, rows));
    MCV_TRY(MCV_ARENA_NEW(arena, &work->codes, rows * columns));
    work->as_int8 = (mcv_int8){.weight = (const uint8_t *)work->codes,
                               .scales = MCV_TENSOR(MCV_F32, work->scales, (int64_t)rows, 1),
                               .in = columns,
                               .groups = 1};
    return MCV_OK;
}

static mcv_status make_awq_room(mcv_arena *arena, size_t group, PackWork *work) {
    size_t rows = work->source->rows, columns = work->source->columns, groups = columns / group;
    work->awq = (mcv_awq_matrix){.in = columns, .out = rows, .group = group};
    MCV_TRY(MCV_ARENA_NEW(arena, &work->awq.scales, groups * rows));
    MCV_TRY(MCV_ARENA_NEW(arena, &work->awq.qzeros, groups * (rows / MCV_AWQ_ROWS)));
    MCV_TRY(MCV_ARENA_NEW(arena, &work->awq.qweight, columns * (rows / MCV_AWQ_ROWS)));
    work->as_awq = (mcv_grouped){.qweight = (const uint8_t *)work->awq.qweight,
                                 .qzeros = (const uint8_t *)work->awq.qzeros,
                                 .scales = MCV_TENSOR(MCV_F16, work->awq.scales, (int64_t)groups, (int64_t)rows),
                                 .in = columns,
                                 .out = rows,
                                 .groups = groups,
                                 .group_size = group,
                                 .is_awq = true};
    return MCV_OK;
}

static mcv_status make_room(const Packing *self, mcv_arena *arena, PackWork *work) {
    size_t threads = (size_t)mcv_pool_threads(self->job->pool);
    MCV_TRY(MCV_ARENA_NEW(arena, &work->errors, work->source->rows));
    MCV_TRY(MCV_ARENA_NEW(arena, &work->squares, work->source->rows));
    MCV_TRY(MCV_ARENA_NEW(arena, &work->scratch, threads * SCRATCH_ROWS * work->source->columns));
    return work->kind == PACKED_INT8 ? make_int8_room(arena, work)
                                     : make_awq_room(arena, (size_t)self->job->group, work);
}

static mcv_status find_importance(const Packing *self, const char *name, mcv_arena *arena, PackWork *work) {
    char gguf_name[MCV_GGUF_NAME_SIZE];
    if (!self->job->importance || !mcv_hf_to_gguf_name(name, gguf_name))
        return MCV_OK;
    return mcv_importance_find(self->job->importance, gguf_name, (int64_t)work->source->columns, arena,
                               &work->importance);
}

/* *error: norm(written - original) / norm(original). */
static mcv_status sum_up(const Packing *self, const char *name, const PackWork *work, double *error) {
    double errors = 0, squares = 0;
    for (size_t row = 0; row < work->source->rows; row++) {
        if (!isfinite(work->squares[row]))
            return MCV_FAIL(MCV_BAD_INPUT, "%s: tensor %s: row %zu holds numbers that are not finite",
                            self->job->files.model, name, row);
        errors += work->errors[row];
        squares += work->squares[row];
    }
    *error = squares > 0 ? sqrt(errors / squares) : 0;
    return MCV_OK;
}

static mcv_status pack_matrix(const Packing *self, const char *name, mcv_arena *arena, const mcv_weight *source,
                              WrittenTensor *written) {
    PackWork work = {.source = source, .kind = self->job->kind};
    size_t units = work.kind == PACKED_INT4 ? source->rows / MCV_AWQ_ROWS : source->rows;
    MCV_TRY(make_room(self, arena, &work));
    MCV_TRY(find_importance(self, name, arena, &work));
    mcv_parallel_for(self->job->pool, units, pack_rows, &work);
    MCV_TRY(sum_up(self, name, &work, &written->error));
    written->type = work.kind == PACKED_INT4 ? MCV_WEIGHT_AWQ : MCV_WEIGHT_INT8;
    return add_parts(self, name, &work, &written->bytes);
}

/* ---- All tensors --------------------------------------------------------------------------------------------- */

/* As it is; numbers in blocks, which safetensors files do not have, in FP32. */
static mcv_status copy_tensor(const Packing *self, const char *name, mcv_arena *arena, const mcv_weight *source,
                              WrittenTensor *written) {
    static const mcv_dtype PLAIN[] = {
        [MCV_WEIGHT_F32] = MCV_F32, [MCV_WEIGHT_F16] = MCV_F16, [MCV_WEIGHT_BF16] = MCV_BF16};
    mcv_tensor tensor = {.dtype = MCV_F32, .rank = source->rank, .data = source->data};
    memcpy(tensor.shape, source->shape, sizeof tensor.shape);
    written->type = source->type <= MCV_WEIGHT_BF16 ? source->type : MCV_WEIGHT_F32;
    if (source->type <= MCV_WEIGHT_BF16) {
        tensor.dtype = PLAIN[source->type];
    } else {
        float *values;
        MCV_TRY(MCV_ARENA_NEW(arena, &values, source->rows * source->columns));
        mcv_weight_to_f32(source, 0, source->rows, values);
        tensor.data = values;
    }
    mcv_tensor_bytes(&tensor, &written->bytes); /* was checked when the file was opened */
    return mcv_safetensors_add(self->writer, name, &tensor);
}

static mcv_status write_tensor(Packing *self, const char *name, const mcv_weight *source) {
    mcv_arena arena = {0};
    WrittenTensor written = {.name = name, .rank = source->rank, .shape = source->shape};
    bool packed = can_be_packed(self->job, name, source);
    mcv_status status =
        packed ? pack_matrix(self, name, &arena, source, &written) : copy_tensor(self, name, &arena, source, &written);
    self->packed += packed;
    mcv_arena_free(&arena);
    mcv_weight_forget(source);
    return status == MCV_OK ? self->job->written(self->job->context, &written) : status;
}

static mcv_status write_tensors(Packing *self) {
    size_t count = mcv_weights_count(self->weights);
    for (size_t i = 0; i < count; i++) {
        mcv_weight source;
        const char *unsupported, *name = mcv_weights_at(self->weights, i, &source, &unsupported);
        mcv_log_progress("quantize", i, count);
        if (unsupported)
            return MCV_FAIL(MCV_UNSUPPORTED, "%s: tensor %s: weights of type %s", self->job->files.model, name,
                            unsupported);
        MCV_TRY(write_tensor(self, name, &source));
    }
    mcv_log_progress_end();
    if (self->packed > 0)
        return MCV_OK;
    return MCV_FAIL(MCV_USAGE, "%s: no linear layer's sizes are multiples of %d rows and groups of %d columns",
                    self->job->files.model, MCV_AWQ_ROWS, self->job->group);
}

static mcv_status write_weights(Packing *self) {
    char *path;
    MCV_TRY(mcv_path_join(&path, self->aside, "model.safetensors"));
    mcv_status status = mcv_unfinished_add_new(path);
    if (status == MCV_OK)
        status = mcv_safetensors_create(path, &self->writer);
    if (status == MCV_OK)
        status = mcv_safetensors_add_metadata(self->writer, "format", "pt"); /* which transformers wants */
    if (status == MCV_OK)
        status = write_tensors(self);
    if (status == MCV_OK)
        status = mcv_safetensors_commit(self->writer);
    else
        mcv_safetensors_abandon(self->writer);
    free(path);
    return status;
}

/* ---- The other files ----------------------------------------------------------------------------------------- */

/* As AutoAWQ and compressed-tensors write it into config.json. */
static json_t *describe_packing(const PackedJob *job) {
    if (job->kind == PACKED_INT4)
        return json_pack("{s:s, s:i, s:i, s:b, s:s, s:[s, s, s]}", "quant_method", "awq", "bits", 4, "group_size",
                         job->group, "zero_point", 1, "version", "gemm", "modules_to_not_convert", "vpm", "resampler",
                         "lm_head");
    json_t *weights = json_pack("{s:i, s:s, s:b, s:s, s:b}", "num_bits", 8, "type", "int", "symmetric", 1, "strategy",
                                "channel", "dynamic", 0);
    json_t *group = json_pack("{s:[s], s:o}", "targets", "Linear", "weights", weights);
    return json_pack("{s:s, s:s, s:s, s:{s:o}, s:[s, s, s]}", "quant_method", "compressed-tensors", "format",
                     "int-quantized", "quantization_status", "compressed", "config_groups", "group_0", group, "ignore",
                     "re:vpm.*", "re:resampler.*", "re:.*lm_head");
}

static mcv_status write_config(const Packing *self) {
    mcv_json config;
    char *path = NULL;
    MCV_TRY(ModelFiles_config_json(&self->job->files, &config));
    mcv_status status = mcv_path_join(&path, self->aside, "config.json");
    if (status == MCV_OK && json_object_set_new(config.value, "quantization_config", describe_packing(self->job)) != 0)
        status = MCV_FAIL(MCV_NO_MEMORY, "out of memory (a model's configuration)");
    if (status == MCV_OK)
        status = mcv_unfinished_add_new(path);
    if (status == MCV_OK && json_dump_file(config.value, path, JSON_INDENT(2)) != 0)
        status = MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be written: %s", path, strerror(errno));
    free(path);
    mcv_json_free(&config);
    return status;
}

static mcv_status copy_file(const char *from, const char *to) {
    mcv_file_map map;
    mcv_file_writer writer;
    MCV_TRY(mcv_file_open_map(from, &map));
    mcv_status status = mcv_unfinished_add_new(to);
    if (status == MCV_OK)
        status = mcv_writer_open(&writer, to);
    if (status == MCV_OK) {
        status = mcv_writer_write(&writer, map.data, map.size);
        if (status == MCV_OK)
            status = mcv_writer_commit(&writer);
        else
            mcv_writer_abandon(&writer);
    }
    mcv_file_close_map(&map);
    return status;
}

/* Settings, vocabularies, templates and code; neither weights nor what is written anew. */
static bool is_copied(const char *name) {
    static const char *const ENDINGS[] = {".json", ".txt", ".jinja", ".model", ".py"};
    bool copied = false;
    for (size_t i = 0; i < sizeof ENDINGS / sizeof *ENDINGS; i++)
        copied = copied || mcv_ends_with(name, ENDINGS[i]);
    return copied && strcmp(name, "config.json") != 0 && !mcv_ends_with(name, ".index.json");
}

static mcv_status copy_entry(const Packing *self, const char *name) {
    char *from, *to = NULL;
    struct stat about;
    MCV_TRY(mcv_path_join(&from, self->job->files.model, name));
    mcv_status status = mcv_path_join(&to, self->aside, name);
    if (status == MCV_OK && stat(from, &about) == 0 && S_ISREG(about.st_mode))
        status = copy_file(from, to);
    free(from);
    free(to);
    return status;
}

static mcv_status copy_entries(const Packing *self) {
    DIR *entries = opendir(self->job->files.model);
    mcv_status status = MCV_OK;
    if (!entries)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %s", self->job->files.model, strerror(errno));
    for (struct dirent *entry; status == MCV_OK && (entry = readdir(entries));)
        if (is_copied(entry->d_name))
            status = copy_entry(self, entry->d_name);
    closedir(entries);
    return status;
}

/* Where --preprocessor-config gives another. */
static mcv_status copy_preprocessor_config(const Packing *self) {
    char *to;
    if (!self->job->files.preprocessor_config)
        return MCV_OK;
    MCV_TRY(mcv_path_join(&to, self->aside, "preprocessor_config.json"));
    mcv_status status = copy_file(self->job->files.preprocessor_config, to);
    free(to);
    return status;
}

/* ---- The folder ---------------------------------------------------------------------------------------------- */

static mcv_status write_folder(Packing *self) {
    MCV_TRY(mcv_unfinished_add(self->aside, NULL));
    MCV_TRY(ModelFiles_weights(&self->job->files, &self->weights));
    MCV_TRY(write_config(self));
    MCV_TRY(copy_entries(self));
    MCV_TRY(copy_preprocessor_config(self));
    return write_weights(self);
}

/* rename() takes the place of nothing, or of a folder that holds nothing. */
static mcv_status check_place(const char *path) {
    struct stat about;
    if (lstat(path, &about) != 0)
        return MCV_OK;
    DIR *entries = S_ISDIR(about.st_mode) ? opendir(path) : NULL;
    int count = 0;
    while (entries && count < 3 && readdir(entries))
        count++;
    if (entries)
        closedir(entries);
    if (entries && count == 2) /* itself and the one above */
        return MCV_OK;
    return MCV_FAIL(MCV_USAGE, "%s is there already: a new folder is written", path);
}

mcv_status packed_write(const PackedJob *job, const char *path) {
    Packing self = {.job = job};
    mcv_buffer aside = {0};
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (!mcv_path_is_folder(job->files.model))
        return MCV_FAIL(MCV_USAGE, "%s: INT4 and INT8 are made of a model in Hugging Face layout, a folder",
                        job->files.model);
    MCV_TRY(check_place(path));
    MCV_TRY(mcv_buffer_printf(&aside, "%.*s.%ld.part", (int)length, path, (long)getpid()));
    self.aside = aside.data;
    const mcv_unfinished *before = mcv_unfinished_newest();
    bool is_ours = mkdir(self.aside, 0777) == 0;
    mcv_status status = is_ours ? write_folder(&self)
                                : MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be created: %s", self.aside, strerror(errno));
    mcv_weights_close(self.weights);
    if (status == MCV_OK && rename(self.aside, path) != 0)
        status = MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be created: %s", path, strerror(errno));
    mcv_unfinished_settle(before, status == MCV_OK);
    mcv_buffer_free(&aside);
    return status;
}
