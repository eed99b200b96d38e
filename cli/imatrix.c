/* minicpmv imatrix: importance weights for `quantize`, from the inputs that a calibration run shows each matrix. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/model_options.h"
#include "cli/outputs.h"
#include "core/file.h"
#include "core/log.h"
#include "formats/gguf_names.h"
#include "formats/gguf_writer.h"
#include "formats/golden_case.h"
#include "ref/modeling_minicpmv.h"

static const size_t TASK_LIMIT = (size_t)1 << 30;

/* What one matrix of the language model has read. */
typedef struct input_sums {
    char name[MCV_GGUF_NAME_SIZE]; /* in GGUF files */
    double *squares;               /* [columns]: sums of squares */
    int64_t columns;
    double rows; /* how many inputs there were */
} input_sums;

typedef struct calibration {
    MiniCPMV *model;
    input_sums *matrices; /* [count], in the order of the run */
    size_t count, capacity;
    mcv_status status; /* of what the run could not be told */
    char *folder;      /* of the task file */
    size_t items;
} calibration;

/* ---- Sums ------------------------------------------------------------------------------------------------------ */

static mcv_status find_sums(calibration *self, const char *name, int64_t columns, input_sums **sums) {
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->matrices[i].name, name) == 0) {
            *sums = &self->matrices[i];
            return MCV_OK;
        }
    MCV_TRY(MCV_GROW(&self->matrices, &self->capacity, self->count + 1));
    *sums = &self->matrices[self->count];
    **sums = (input_sums){.columns = columns};
    snprintf((*sums)->name, sizeof(*sums)->name, "%s", name);
    MCV_TRY(MCV_NEW(&(*sums)->squares, (size_t)columns));
    self->count++;
    return MCV_OK;
}

/* A LinearInput: hears what the layer `module` is about to read. */
static void add_input(void *context, const char *module, const Tensor *x) {
    calibration *self = context;
    char hf_name[MCV_GGUF_NAME_SIZE], name[MCV_GGUF_NAME_SIZE];
    input_sums *sums;
    int64_t rows = Tensor_rows(x), columns = Tensor_columns(x);
    snprintf(hf_name, sizeof hf_name, "%s.weight", module);
    if (strncmp(module, "llm.", 4) != 0 || !mcv_hf_to_gguf_name(hf_name, name) || self->status != MCV_OK)
        return;
    self->status = find_sums(self, name, columns, &sums);
    if (self->status != MCV_OK)
        return;
    for (int64_t i = 0; i < rows * columns; i++)
        sums->squares[i % columns] += Tensor_get(x, i) * Tensor_get(x, i);
    sums->rows += (double)rows;
}

/* ---- Items ----------------------------------------------------------------------------------------------------- */

static mcv_status run_prompt(calibration *self, const mcv_golden_case *item) {
    mcv_arena arena = {0};
    mcv_observer nobody = {0};
    PreparedBatch batch;
    Prefill prefill = {0};
    mcv_status status = MiniCPMV_prepare(self->model, &arena, item->conversations, item->num_conversations,
                                         &item->prompt_options, &batch);
    if (status == MCV_OK)
        status = MiniCPMV_prefill(self->model, &batch.features, &nobody, &prefill);
    if (status == MCV_OK)
        Prefill_free(&prefill);
    PreparedBatch_free(&batch);
    mcv_arena_free(&arena);
    return status == MCV_OK ? self->status : status;
}

static mcv_status run_line(calibration *self, const char *text, size_t size, const char *place) {
    mcv_json json;
    mcv_golden_case item = {0};
    MCV_TRY(mcv_json_parse(text, size, place, &json));
    mcv_status status = mcv_golden_case_read_item(&json, self->folder, &item);
    if (status == MCV_OK)
        status = run_prompt(self, &item);
    mcv_golden_case_free(&item);
    mcv_json_free(&json);
    return status;
}

static mcv_status run_lines(calibration *self, const char *path, const mcv_buffer *text) {
    size_t number = 1;
    for (size_t start = 0, end; start < text->size; start = end + 1, number++) {
        const char *line = text->data + start, *newline = memchr(line, '\n', text->size - start);
        char place[512];
        end = newline ? (size_t)(newline - text->data) : text->size;
        snprintf(place, sizeof place, "%s: line %zu", path, number);
        if (end == start)
            continue;
        MCV_TRY(run_line(self, line, end - start, place));
        mcv_log_progress("items", ++self->items, 0);
    }
    mcv_log_progress_end();
    return self->items > 0 ? MCV_OK : MCV_FAIL(MCV_BAD_INPUT, "%s: no items", path);
}

static mcv_status run_task(calibration *self, const char *path) {
    mcv_buffer text = {0};
    MCV_TRY(mcv_path_folder(&self->folder, path));
    mcv_status status = mcv_file_read(path, TASK_LIMIT, &text);
    if (status == MCV_OK)
        status = run_lines(self, path, &text);
    mcv_buffer_free(&text);
    return status;
}

/* ---- Output ---------------------------------------------------------------------------------------------------- */

static mcv_status declare(mcv_gguf_writer *writer, const input_sums *sums) {
    char name[MCV_GGUF_NAME_SIZE + 16];
    snprintf(name, sizeof name, "%s.in_sum2", sums->name);
    MCV_TRY(mcv_gguf_declare(writer, name, MCV_WEIGHT_F32, 2, (int64_t[]){1, sums->columns}));
    snprintf(name, sizeof name, "%s.counts", sums->name);
    return mcv_gguf_declare(writer, name, MCV_WEIGHT_F32, 2, (int64_t[]){1, 1});
}

static mcv_status write_sums(mcv_gguf_writer *writer, const input_sums *sums) {
    float *squares, count = (float)sums->rows;
    size_t columns = (size_t)sums->columns;
    MCV_TRY(MCV_NEW(&squares, columns));
    for (size_t i = 0; i < columns; i++)
        squares[i] = (float)sums->squares[i];
    mcv_status status = mcv_gguf_write(writer, squares, columns * sizeof *squares);
    free(squares);
    return status == MCV_OK ? mcv_gguf_write(writer, &count, sizeof count) : status;
}

static mcv_status write_all(const calibration *self, const char *task, mcv_gguf_writer *writer) {
    mcv_gguf_string dataset = {task, strlen(task)};
    MCV_TRY(mcv_gguf_add_string(writer, "general.type", "imatrix"));
    MCV_TRY(mcv_gguf_add_strings(writer, "imatrix.datasets", &dataset, 1));
    MCV_TRY(mcv_gguf_add_u32(writer, "imatrix.chunk_count", (uint32_t)self->items));
    MCV_TRY(mcv_gguf_add_u32(writer, "imatrix.chunk_size", 1));
    for (size_t i = 0; i < self->count; i++)
        MCV_TRY(declare(writer, &self->matrices[i]));
    for (size_t i = 0; i < self->count; i++)
        MCV_TRY(write_sums(writer, &self->matrices[i]));
    return MCV_OK;
}

static mcv_status write_file(const calibration *self, const char *task, const char *path) {
    mcv_gguf_writer *writer;
    MCV_TRY(mcv_gguf_create(path, &writer));
    mcv_status status = write_all(self, task, writer);
    if (status == MCV_OK)
        return mcv_gguf_commit(writer);
    mcv_gguf_abandon(writer);
    return status;
}

/* ---- The command ----------------------------------------------------------------------------------------------- */

static mcv_status calibrate(calibration *self, const mcv_arguments *arguments, mcv_pool *pool) {
    const char *task, *output;
    ModelFiles files;
    MCV_TRY(mcv_option_required(arguments, "task", &task));
    MCV_TRY(mcv_option_required(arguments, "output", &output));
    MCV_TRY(mcv_model_options_require(arguments, &files));
    if (mcv_option_value(arguments, "engine") && strcmp(mcv_option_value(arguments, "engine"), "ref") != 0)
        return MCV_FAIL(MCV_USAGE, "--engine fast: only the reference shows what its matrices read");
    MCV_TRY(mcv_output_check_file(output, "--output"));
    MCV_TRY(MiniCPMV_from_files(&self->model, &files, pool));
    self->model->linear_input = add_input;
    self->model->linear_input_context = self;
    MCV_TRY(run_task(self, task));
    MCV_TRY(write_file(self, task, output));
    printf("%s: %zu matrices, %zu items\n", output, self->count, self->items);
    return MCV_OK;
}

static mcv_status run(const mcv_arguments *arguments) {
    calibration self = {0};
    mcv_pool *pool;
    MCV_TRY(mcv_pool_create(&pool, arguments->threads));
    mcv_status status = calibrate(&self, arguments, pool);
    for (size_t i = 0; i < self.count; i++)
        free(self.matrices[i].squares);
    free(self.matrices);
    free(self.folder);
    MiniCPMV_free(self.model);
    mcv_pool_free(pool);
    return status;
}

static const mcv_option OPTIONS[] = {
    MCV_MODEL_OPTION,
    MCV_MODEL_FILE_OPTIONS,
    {0, "task", "FILE", "questions to run, a JSON object a line, as of eval"},
    {'o', "output", "FILE", "the GGUF file to write"},
    {0},
};

const mcv_command mcv_imatrix_command = {
    .name = "imatrix",
    .summary = "importance weights for quantize, from a calibration run",
    .operands = "",
    .min_operands = 0,
    .max_operands = 0,
    .details = "Runs the prompts of a task file and sums up, column by column, the squares of what each matrix of the\n"
               "language model reads. `quantize --imatrix` then keeps errors small where inputs are large.\n",
    .takes = MCV_TAKES_ENGINE | MCV_TAKES_THREADS,
    .options = OPTIONS,
    .run = run,
};
