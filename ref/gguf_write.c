#include "ref/gguf_write.h"

#include <math.h>
#include <stdio.h>

#include "core/log.h"
#include "core/text.h"
#include "formats/gguf_names.h"
#include "formats/quantize_blocks.h"
#include "ref/gguf_export.h"
#include "ref/parameters.h"
#include "ref/resampler.h"

/* A tensor of the file: rows of one of the model's, or one made from it. */
typedef struct Piece {
    char name[MCV_GGUF_NAME_SIZE];
    mcv_weight_type type;
    int rank;
    int64_t shape[MCV_GGUF_MAX_RANK];
    const char *source; /* the model's name; NULL: the resampler's table of positions */
    size_t first_row;
    bool turned; /* transposed */
} Piece;

typedef struct Plan {
    const GgufJob *job;
    mcv_gguf_writer *writer;
    MiniCPMVConfig config;
    mcv_weights *weights;
    Piece *pieces; /* [count] */
    size_t count, capacity;
    const mcv_mix *mix; /* of the language model; NULL: the vision side */
    mcv_mix_model mix_model;
    mcv_weight_type vision_type;
    mcv_arena names;
} Plan;

/* ---- Planning ------------------------------------------------------------------------------------------------ */

static mcv_weight_type vision_type(const Plan *plan, const Piece *piece) {
    bool is_weight = mcv_ends_with(piece->name, ".weight");
    bool is_table = piece->rank == 4 || strcmp(piece->name, "v.position_embd.weight") == 0;
    if (plan->vision_type == MCV_WEIGHT_F32 || !is_weight || piece->rank < 2)
        return MCV_WEIGHT_F32;
    if (is_table)
        return MCV_WEIGHT_F16;
    return mcv_weight_type_that_fits(plan->vision_type, piece->shape[piece->rank - 1]);
}

static mcv_status append_piece(Plan *plan, Piece piece) {
    MCV_TRY(MCV_GROW(&plan->pieces, &plan->capacity, plan->count + 1));
    piece.type = plan->mix ? mcv_mix_choose(plan->mix, &plan->mix_model, piece.name, piece.rank, piece.shape)
                           : vision_type(plan, &piece);
    plan->pieces[plan->count++] = piece;
    return MCV_OK;
}

/* in_proj_weight and in_proj_bias: three parts, one below the other. */
static mcv_status append_in_proj(Plan *plan, const Piece *whole, const char *part) {
    for (int i = 0; i < 3; i++) {
        Piece piece = *whole;
        snprintf(piece.name, sizeof piece.name, "resampler.attn.%c.%s", "qkv"[i], part);
        piece.shape[0] /= 3;
        piece.first_row = (size_t)(i * piece.shape[0]);
        MCV_TRY(append_piece(plan, piece));
    }
    return MCV_OK;
}

static mcv_status append_proj(Plan *plan, Piece piece) {
    snprintf(piece.name, sizeof piece.name, "resampler.proj.weight");
    piece.turned = true;
    return append_piece(plan, piece);
}

/* A ParameterVisitor. */
static mcv_status plan_parameter(void *context, const char *name, const mcv_tensor *shape) {
    Plan *plan = context;
    char *copy;
    if ((strncmp(name, "llm.", 4) == 0) != (plan->mix != NULL))
        return MCV_OK;
    MCV_TRY(MCV_ARENA_NEW(&plan->names, &copy, strlen(name) + 1));
    strcpy(copy, name);
    Piece piece = {.rank = shape->rank, .source = copy};
    memcpy(piece.shape, shape->shape, (size_t)shape->rank * sizeof *piece.shape);
    if (mcv_hf_to_gguf_name(name, piece.name))
        return append_piece(plan, piece);
    if (strcmp(name, "resampler.attn.in_proj_weight") == 0)
        return append_in_proj(plan, &piece, "weight");
    if (strcmp(name, "resampler.attn.in_proj_bias") == 0)
        return append_in_proj(plan, &piece, "bias");
    if (strcmp(name, "resampler.proj") == 0)
        return append_proj(plan, piece);
    snprintf(piece.name, sizeof piece.name, "%s", name); /* resampler.query */
    return append_piece(plan, piece);
}

/* A table of positions that the model computes and the format's readers want to find. */
enum { TABLE_SIDE = 70 };

static mcv_status plan_table(Plan *plan) {
    Piece piece = {.name = "resampler.pos_embed_k", .rank = 2};
    piece.shape[0] = TABLE_SIDE * TABLE_SIDE;
    piece.shape[1] = plan->config.hidden_size;
    return append_piece(plan, piece);
}

static mcv_status declare_all(Plan *plan) {
    for (size_t i = 0; i < plan->count; i++)
        MCV_TRY(mcv_gguf_declare(plan->writer, plan->pieces[i].name, plan->pieces[i].type, plan->pieces[i].rank,
                                 plan->pieces[i].shape));
    return MCV_OK;
}

/* ---- Sources ------------------------------------------------------------------------------------------------- */

static mcv_status make_table(mcv_arena *arena, const Piece *piece, mcv_weight *table) {
    float *values, *axis;
    int half = (int)piece->shape[1] / 2;
    MCV_TRY(MCV_ARENA_NEW(arena, &values, piece->shape[0] * piece->shape[1]));
    MCV_TRY(MCV_ARENA_NEW(arena, &axis, TABLE_SIDE * half));
    for (int i = 0; i < TABLE_SIDE; i++)
        get_1d_sincos_pos_embed(half, i, axis + i * half);
    for (int row = 0; row < TABLE_SIDE; row++)
        for (int column = 0; column < TABLE_SIDE; column++) {
            float *out = values + (int64_t)(row * TABLE_SIDE + column) * piece->shape[1];
            memcpy(out, axis + column * half, (size_t)half * sizeof *axis);
            memcpy(out + half, axis + row * half, (size_t)half * sizeof *axis);
        }
    *table = mcv_weight_matrix(MCV_WEIGHT_F32, values, piece->shape[0], piece->shape[1]);
    return MCV_OK;
}

static mcv_status turn(mcv_arena *arena, mcv_weight *weight) {
    float *row, *turned;
    size_t rows = weight->rows, columns = weight->columns;
    MCV_TRY(MCV_ARENA_NEW(arena, &row, columns));
    MCV_TRY(MCV_ARENA_NEW(arena, &turned, rows * columns));
    for (size_t i = 0; i < rows; i++) {
        mcv_weight_to_f32(weight, i, 1, row);
        for (size_t j = 0; j < columns; j++)
            turned[j * rows + i] = row[j];
    }
    *weight = mcv_weight_matrix(MCV_WEIGHT_F32, turned, (int64_t)columns, (int64_t)rows);
    return MCV_OK;
}

/* The rows that a piece is made of. A vector's part is a matrix of one column, a row an element. */
static mcv_status open_source(const Plan *plan, const Piece *piece, mcv_arena *arena, mcv_weight *source) {
    if (!piece->source)
        return make_table(arena, piece, source);
    MCV_TRY(mcv_weights_find(plan->weights, piece->source, source));
    mcv_tensor expected = {.rank = piece->rank}, found = {.rank = source->rank};
    bool is_part = strncmp(piece->source, "resampler.attn.in_proj_", strlen("resampler.attn.in_proj_")) == 0;
    memcpy(expected.shape, piece->shape, sizeof piece->shape);
    memcpy(found.shape, source->shape, sizeof source->shape);
    expected.shape[0] *= is_part ? 3 : 1;
    if (!mcv_tensor_same_shape(&expected, &found))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: tensor %s is not of the shape that the configuration expects",
                        plan->job->files.model, piece->source);
    if (piece->turned)
        return turn(arena, source);
    if (is_part && source->rank == 1) {
        float *values;
        MCV_TRY(MCV_ARENA_NEW(arena, &values, source->columns));
        mcv_weight_to_f32(source, 0, 1, values);
        *source = mcv_weight_matrix(MCV_WEIGHT_F32, values + piece->first_row, 1, piece->shape[0]);
    } else if (is_part) {
        *source = mcv_weight_rows(source, piece->first_row, (size_t)piece->shape[0]);
    }
    return MCV_OK;
}

/* ---- Writing ------------------------------------------------------------------------------------------------- */

typedef struct RowWork {
    const mcv_weight *source;
    mcv_weight_type type;
    const float *importance;
    uint8_t *blocks;
    size_t row_bytes;
    float *scratch;  /* [threads][2 * columns] */
    double *errors;  /* [rows]: sum of squared differences */
    double *squares; /* [rows]: sum of squares; NaN or infinite where the row is not finite */
} RowWork;

static void quantize_rows(void *context, size_t begin, size_t end, int worker) {
    const RowWork *work = context;
    size_t columns = work->source->columns;
    float *row = work->scratch + (size_t)worker * 2 * columns, *written = row + columns;
    for (size_t r = begin; r < end; r++) {
        uint8_t *blocks = work->blocks + r * work->row_bytes;
        mcv_weight_to_f32(work->source, r, 1, row);
        work->squares[r] = work->errors[r] = 0;
        for (size_t i = 0; i < columns; i++)
            work->squares[r] += (double)row[i] * (double)row[i];
        if (!isfinite(work->squares[r]))
            continue;
        mcv_quantize_row(work->type, row, work->importance, columns, blocks);
        mcv_dequantize(work->type, blocks, columns / mcv_weight_block_size(work->type), written);
        for (size_t i = 0; i < columns; i++)
            work->errors[r] += ((double)row[i] - (double)written[i]) * ((double)row[i] - (double)written[i]);
    }
}

/* *error: relative to the whole. */
static mcv_status sum_errors(const Plan *plan, const Piece *piece, const RowWork *work, double *error) {
    double errors = 0, squares = 0;
    for (size_t r = 0; r < work->source->rows; r++) {
        if (!isfinite(work->squares[r]))
            return MCV_FAIL(MCV_BAD_INPUT, "%s: tensor %s: row %zu holds numbers that are not finite",
                            plan->job->files.model, piece->source ? piece->source : piece->name, r);
        errors += work->errors[r];
        squares += work->squares[r];
    }
    *error = squares > 0 ? sqrt(errors / squares) : 0;
    return MCV_OK;
}

static mcv_status quantize_piece(const Plan *plan, const Piece *piece, mcv_arena *arena, WrittenTensor *written) {
    mcv_weight source;
    size_t bytes;
    MCV_TRY(open_source(plan, piece, arena, &source));
    RowWork work = {.source = &source, .type = piece->type};
    work.row_bytes = source.columns / mcv_weight_block_size(piece->type) * mcv_weight_block_bytes(piece->type);
    if (!mcv_mul_size(source.rows, work.row_bytes, &bytes))
        return MCV_FAIL(MCV_NO_MEMORY, "tensor %s is too large to be addressed", piece->name);
    if (plan->job->importance)
        MCV_TRY(
            mcv_importance_find(plan->job->importance, piece->name, (int64_t)source.columns, arena, &work.importance));
    size_t threads = (size_t)mcv_pool_threads(plan->job->pool);
    MCV_TRY(MCV_ARENA_NEW(arena, &work.blocks, bytes));
    MCV_TRY(MCV_ARENA_NEW(arena, &work.errors, source.rows));
    MCV_TRY(MCV_ARENA_NEW(arena, &work.squares, source.rows));
    MCV_TRY(MCV_ARENA_NEW(arena, &work.scratch, threads * 2 * source.columns));
    mcv_parallel_for(plan->job->pool, source.rows, quantize_rows, &work);
    written->bytes = bytes;
    MCV_TRY(sum_errors(plan, piece, &work, &written->error));
    return mcv_gguf_write(plan->writer, work.blocks, bytes);
}

static mcv_status fill_piece(const Plan *plan, const Piece *piece, mcv_arena *arena, WrittenTensor *written) {
    mcv_tensor shape = {.rank = piece->rank};
    size_t count;
    uint8_t *blocks;
    memcpy(shape.shape, piece->shape, sizeof piece->shape);
    if (!mcv_tensor_count(&shape, &count))
        return MCV_FAIL(MCV_NO_MEMORY, "tensor %s is too large to be addressed", piece->name);
    written->bytes = count / mcv_weight_block_size(piece->type) * mcv_weight_block_bytes(piece->type);
    MCV_TRY(MCV_ARENA_NEW(arena, &blocks, written->bytes));
    MCV_TRY(plan->job->fill(plan->job->context, piece->source, &shape, piece->type, written->bytes, blocks));
    return mcv_gguf_write(plan->writer, blocks, written->bytes);
}

static mcv_status write_piece(const Plan *plan, const Piece *piece) {
    mcv_arena arena = {0};
    bool is_filled = plan->job->fill && piece->source;
    WrittenTensor written = {.name = piece->name, .type = piece->type, .rank = piece->rank, .shape = piece->shape};
    mcv_status status =
        is_filled ? fill_piece(plan, piece, &arena, &written) : quantize_piece(plan, piece, &arena, &written);
    mcv_arena_free(&arena);
    return status == MCV_OK ? plan->job->written(plan->job->context, &written) : status;
}

static mcv_status write_pieces(const Plan *plan) {
    for (size_t i = 0; i < plan->count; i++) {
        mcv_log_progress("quantize", i, plan->count);
        MCV_TRY(write_piece(plan, &plan->pieces[i]));
    }
    mcv_log_progress_end();
    return MCV_OK;
}

static mcv_status write_language(Plan *plan) {
    const MiniCPMVConfig *config = &plan->config;
    plan->mix_model = (mcv_mix_model){.layers = config->num_hidden_layers,
                                      .queries_per_key = config->num_attention_heads / config->num_key_value_heads,
                                      .tied_embeddings = config->tie_word_embeddings,
                                      .has_importance = plan->job->importance != NULL};
    MCV_TRY(gguf_add_language_metadata(plan->writer, &plan->job->files, config, mcv_mix_file_type(plan->mix)));
    MCV_TRY(MiniCPMV_named_parameters(config, plan_parameter, plan));
    MCV_TRY(declare_all(plan));
    return write_pieces(plan);
}

static mcv_status write_vision(Plan *plan) {
    const mcv_mix *mix = mcv_mix_find(mcv_weight_type_name(plan->vision_type));
    uint32_t file_type = mcv_mix_file_type(mix ? mix : mcv_mix_find("F16"));
    MCV_TRY(gguf_add_vision_metadata(plan->writer, &plan->job->files, &plan->config, file_type));
    MCV_TRY(MiniCPMV_named_parameters(&plan->config, plan_parameter, plan));
    MCV_TRY(plan_table(plan));
    MCV_TRY(declare_all(plan));
    return write_pieces(plan);
}

static mcv_status run_plan(Plan *plan, const char *path) {
    MCV_TRY(ModelFiles_config(&plan->job->files, &plan->config));
    if (!plan->job->fill)
        MCV_TRY(ModelFiles_weights(&plan->job->files, &plan->weights));
    MCV_TRY(mcv_gguf_create(path, &plan->writer));
    mcv_status status = plan->mix ? write_language(plan) : write_vision(plan);
    if (status == MCV_OK)
        return mcv_gguf_commit(plan->writer);
    mcv_gguf_abandon(plan->writer);
    return status;
}

static mcv_status execute(Plan *plan, const char *path) {
    mcv_status status = run_plan(plan, path);
    mcv_weights_close(plan->weights);
    mcv_arena_free(&plan->names);
    free(plan->pieces);
    return status;
}

mcv_status gguf_write_language(const GgufJob *job, const mcv_mix *mix, const char *path) {
    Plan plan = {.job = job, .mix = mix};
    return execute(&plan, path);
}

mcv_status gguf_write_vision(const GgufJob *job, mcv_weight_type type, const char *path) {
    Plan plan = {.job = job, .vision_type = type};
    return execute(&plan, path);
}
