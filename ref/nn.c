#include "ref/nn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ref/nn_matmul.h"

/* ---- Activations -------------------------------------------------------------------------------------------- */

int64_t Tensor_columns(const Tensor *x) {
    return x->shape[x->rank - 1];
}

int64_t Tensor_rows(const Tensor *x) {
    int64_t rows = 1;
    for (int i = 0; i < x->rank - 1; i++)
        rows *= x->shape[i];
    return rows;
}

static Tensor with_columns(const Tensor *x, int64_t columns) {
    Tensor out = *x;
    out.shape[out.rank - 1] = columns;
    out.f32 = NULL;
    out.f64 = NULL;
    return out;
}

static mcv_status element_count(const Tensor *x, size_t *count) {
    *count = 1;
    for (int i = 0; i < x->rank; i++)
        if (x->shape[i] < 0 || !mcv_mul_size(*count, (size_t)x->shape[i], count))
            return MCV_FAIL(MCV_NO_MEMORY, "an activation is too large to be addressed");
    return MCV_OK;
}

mcv_status Tensor_like_f32(const Run *run, const Tensor *x, int64_t columns, Tensor *out) {
    size_t count;
    Tensor like = with_columns(x, columns);
    MCV_TRY(element_count(&like, &count));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &like.f32, count));
    *out = like;
    return MCV_OK;
}

mcv_status Tensor_like_f64(const Run *run, const Tensor *x, int64_t columns, Tensor *out) {
    size_t count;
    Tensor like = with_columns(x, columns);
    MCV_TRY(element_count(&like, &count));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &like.f64, count));
    *out = like;
    return MCV_OK;
}

Tensor Tensor_view(const Tensor *x, int rank, int64_t d0, int64_t d1, int64_t d2, int64_t d3) {
    return (Tensor){.rank = rank, .shape = {d0, d1, d2, d3}, .f32 = x->f32, .f64 = x->f64};
}

void Tensor_round(const Tensor *from, const Tensor *to) {
    int64_t count = Tensor_rows(from) * Tensor_columns(from);
    for (int64_t i = 0; i < count; i++)
        to->f32[i] = (float)from->f64[i];
}

/* The name that the tap knows an output by. */
static const char *tap_name(const Run *run, const char *name, char *full, size_t size) {
    bool in_encoder = strncmp(name, "vpm", 3) == 0;
    snprintf(full, size, "%s%s", name, in_encoder && run->tap_suffix ? run->tap_suffix : "");
    return full;
}

mcv_status Run_output_raw(const Run *run, const char *name, const mcv_tensor *output) {
    char full[NAME_SIZE + 16];
    if (!run->tap || !name[0])
        return MCV_OK;
    return run->tap(run->tap_context, tap_name(run, name, full, sizeof full), output);
}

/* rounded: what the tap has seen of the output, the output itself where it is FP32. */
static mcv_status replace_output(const Run *run, const char *name, const mcv_tensor *view, const Tensor *rounded,
                                 const Tensor *output) {
    char full[NAME_SIZE + 16];
    int64_t count = Tensor_rows(output) * Tensor_columns(output);
    MCV_TRY(run->replace(run->tap_context, tap_name(run, name, full, sizeof full), view, rounded->f32));
    for (int64_t i = 0; i < count && output->f64; i++)
        output->f64[i] = (double)rounded->f32[i];
    return MCV_OK;
}

mcv_status Run_output(const Run *run, const char *name, const Tensor *output) {
    if (!run->tap || !name[0])
        return MCV_OK;
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    Tensor rounded = *output;
    if (!output->f32) {
        MCV_TRY(Tensor_like_f32(run, output, Tensor_columns(output), &rounded));
        Tensor_round(output, &rounded);
    }
    mcv_tensor view = {.dtype = MCV_F32, .rank = output->rank, .data = rounded.f32};
    memcpy(view.shape, output->shape, sizeof output->shape);
    mcv_status status = Run_output_raw(run, name, &view);
    if (status == MCV_OK && run->replace)
        status = replace_output(run, name, &view, &rounded, output);
    mcv_arena_restore(run->arena, mark);
    return status;
}

mcv_status Tensor_add(const Run *run, const Tensor *a, const Tensor *b, Tensor *sum) {
    MCV_TRY(Tensor_like_f64(run, a, Tensor_columns(a), sum));
    int64_t count = Tensor_rows(a) * Tensor_columns(a);
    for (int64_t i = 0; i < count; i++)
        sum->f64[i] = Tensor_get(a, i) + Tensor_get(b, i);
    return MCV_OK;
}

mcv_status Tensor_multiply(const Run *run, const Tensor *a, const Tensor *b, Tensor *product) {
    MCV_TRY(Tensor_like_f64(run, a, Tensor_columns(a), product));
    int64_t count = Tensor_rows(a) * Tensor_columns(a);
    for (int64_t i = 0; i < count; i++)
        product->f64[i] = Tensor_get(a, i) * Tensor_get(b, i);
    return MCV_OK;
}

/* ---- Weights ------------------------------------------------------------------------------------------------ */

mcv_status Weights_get_shaped(const Weights *weights, const char *name, const mcv_tensor *shape,
                              mcv_weight *parameter) {
    char found[128], expected[128];
    MCV_TRY(mcv_weights_find(weights->files, name, parameter));
    mcv_tensor found_shape = {.rank = parameter->rank};
    memcpy(found_shape.shape, parameter->shape, sizeof found_shape.shape);
    if (mcv_tensor_same_shape(&found_shape, shape))
        return MCV_OK;
    return MCV_FAIL(MCV_BAD_INPUT, "tensor %s: the configuration expects shape %s, the file has %s", name,
                    mcv_tensor_shape_text(shape, expected, sizeof expected),
                    mcv_tensor_shape_text(&found_shape, found, sizeof found));
}

mcv_status Weights_get(const Weights *weights, const char *name, int64_t d0, int64_t d1, mcv_weight *parameter) {
    mcv_tensor shape = {.rank = d1 ? 2 : 1, .shape = {d0, d1}};
    return Weights_get_shaped(weights, name, &shape, parameter);
}

static mcv_status get_part(const Weights *weights, const char *module, const char *part, int64_t d0, int64_t d1,
                           mcv_weight *parameter) {
    char name[NAME_SIZE + 16];
    snprintf(name, sizeof name, "%s.%s", module, part);
    return Weights_get(weights, name, d0, d1, parameter);
}

mcv_status Weights_get_f32(const Weights *weights, const char *name, int64_t d0, int64_t d1, const float **values) {
    mcv_weight parameter;
    float *copy;
    MCV_TRY(Weights_get(weights, name, d0, d1, &parameter));
    MCV_TRY(MCV_ARENA_NEW(weights->arena, &copy, parameter.rows * parameter.columns));
    mcv_weight_to_f32(&parameter, 0, parameter.rows, copy);
    *values = copy;
    return MCV_OK;
}

mcv_status Weights_get_vector(const Weights *weights, const char *module, const char *part, int64_t count,
                              const float **vector) {
    char name[NAME_SIZE + 16];
    snprintf(name, sizeof name, "%s.%s", module, part);
    return Weights_get_f32(weights, name, count, 0, vector);
}

/* ---- Linear ------------------------------------------------------------------------------------------------- */

mcv_status Linear_load(Linear *self, const Weights *weights, const char *name, int64_t in_features,
                       int64_t out_features, bool bias) {
    *self = (Linear){0};
    snprintf(self->name, sizeof self->name, "%s", name);
    MCV_TRY(get_part(weights, name, "weight", out_features, in_features, &self->weight));
    if (bias)
        MCV_TRY(Weights_get_vector(weights, name, "bias", out_features, &self->bias));
    return MCV_OK;
}

/* Rows of x are taken this many at a time, so that they stay in cache while the weights pass by. */
enum { LINEAR_ROWS = 16 };

typedef struct LinearWork {
    const Linear *linear;
    const double *x; /* [rows, in], widened */
    int64_t rows, in, out;
    const Tensor *y; /* its rows from first_row on are written */
    int64_t first_row;
    double *scratch; /* [threads][2 * in + 2 * LINEAR_ROWS] */
    float *features; /* [threads][2 * in] */
} LinearWork;

/* Two output features for all rows of the block. */
static void linear_features(void *context, size_t begin, size_t end, int worker) {
    const LinearWork *work = context;
    size_t in = (size_t)work->in, rows = (size_t)work->rows;
    double *weights = work->scratch + (size_t)worker * 2 * (in + LINEAR_ROWS), *sums = weights + 2 * in;
    float *values = work->features + (size_t)worker * 2 * in;
    for (size_t feature = begin * 2; feature < end * 2; feature += 2) {
        size_t features = feature + 2 <= (size_t)work->out ? 2 : (size_t)work->out - feature;
        mcv_weight_to_f32(&work->linear->weight, feature, features, values);
        for (size_t k = 0; k < features * in; k++)
            weights[k] = (double)values[k];
        matmul_nt(work->x, in, rows, weights, in, features, in, sums, 2);
        for (size_t j = 0; j < features; j++) {
            double b = work->linear->bias ? (double)work->linear->bias[feature + j] : 0;
            for (size_t i = 0; i < rows; i++) {
                size_t at = ((size_t)work->first_row + i) * (size_t)work->out + feature + j;
                if (work->y->f32)
                    work->y->f32[at] = (float)(sums[2 * i + j] + b);
                else
                    work->y->f64[at] = sums[2 * i + j] + b;
            }
        }
    }
}

static mcv_status linear(const Run *run, const Linear *self, const Tensor *x, const Tensor *y) {
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    LinearWork work = {.linear = self, .in = Tensor_columns(x), .out = Tensor_columns(y), .y = y};
    int64_t rows = Tensor_rows(x), threads = mcv_pool_threads(run->pool);
    double *widened;
    if (run->linear_input)
        run->linear_input(run->linear_input_context, self->name, x);
    MCV_TRY(MCV_ARENA_NEW(run->arena, &widened, LINEAR_ROWS * work.in));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &work.scratch, threads * 2 * (work.in + LINEAR_ROWS)));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &work.features, threads * 2 * work.in));
    work.x = widened;
    for (work.first_row = 0; work.first_row < rows; work.first_row += LINEAR_ROWS) {
        work.rows = rows - work.first_row < LINEAR_ROWS ? rows - work.first_row : LINEAR_ROWS;
        for (int64_t i = 0; i < work.rows * work.in; i++)
            widened[i] = Tensor_get(x, work.first_row * work.in + i);
        mcv_parallel_for(run->pool, (size_t)(work.out + 1) / 2, linear_features, &work);
    }
    mcv_arena_restore(run->arena, mark);
    return MCV_OK;
}

mcv_status Linear_forward(const Run *run, const Linear *self, const Tensor *x, Tensor *y) {
    MCV_TRY(Tensor_like_f32(run, x, self->weight.shape[0], y));
    MCV_TRY(linear(run, self, x, y));
    return Run_output(run, self->name, y);
}

mcv_status Linear_forward_f64(const Run *run, const Linear *self, const Tensor *x, Tensor *y) {
    MCV_TRY(Tensor_like_f64(run, x, self->weight.shape[0], y));
    return linear(run, self, x, y);
}

/* ---- LayerNorm ---------------------------------------------------------------------------------------------- */

mcv_status LayerNorm_load(LayerNorm *self, const Weights *weights, const char *name, int64_t columns, double eps) {
    *self = (LayerNorm){.eps = eps};
    snprintf(self->name, sizeof self->name, "%s", name);
    MCV_TRY(Weights_get_vector(weights, name, "weight", columns, &self->weight));
    return Weights_get_vector(weights, name, "bias", columns, &self->bias);
}

typedef struct LayerNormWork {
    const LayerNorm *norm;
    const Tensor *x, *y;
} LayerNormWork;

static void layer_norm_rows(void *context, size_t begin, size_t end, int worker) {
    (void)worker;
    const LayerNormWork *work = context;
    int64_t columns = Tensor_columns(work->x);
    for (int64_t row = (int64_t)begin; row < (int64_t)end; row++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < columns; i++)
            sum += Tensor_get(work->x, row * columns + i);
        double mean = sum / (double)columns;
        for (int64_t i = 0; i < columns; i++) {
            double deviation = Tensor_get(work->x, row * columns + i) - mean;
            squares += deviation * deviation;
        }
        double scale = 1 / sqrt(squares / (double)columns + work->norm->eps);
        for (int64_t i = 0; i < columns; i++) {
            double normal = (Tensor_get(work->x, row * columns + i) - mean) * scale;
            work->y->f32[row * columns + i] =
                (float)(normal * (double)work->norm->weight[i] + (double)work->norm->bias[i]);
        }
    }
}

mcv_status LayerNorm_forward(const Run *run, const LayerNorm *self, const Tensor *x, Tensor *y) {
    MCV_TRY(Tensor_like_f32(run, x, Tensor_columns(x), y));
    LayerNormWork work = {self, x, y};
    mcv_parallel_for(run->pool, (size_t)Tensor_rows(x), layer_norm_rows, &work);
    return Run_output(run, self->name, y);
}

/* ---- Embedding ---------------------------------------------------------------------------------------------- */

mcv_status Embedding_load(Embedding *self, const Weights *weights, const char *name, int64_t num_embeddings,
                          int64_t embedding_dim) {
    *self = (Embedding){0};
    snprintf(self->name, sizeof self->name, "%s", name);
    return get_part(weights, name, "weight", num_embeddings, embedding_dim, &self->weight);
}

mcv_status Embedding_forward(const Run *run, const Embedding *self, const int32_t *ids, int64_t batch, int64_t length,
                             Tensor *y) {
    int64_t columns = self->weight.shape[1];
    Tensor shape = {.rank = 3, .shape = {batch, length, columns}};
    MCV_TRY(Tensor_like_f32(run, &shape, columns, y));
    for (int64_t i = 0; i < batch * length; i++) {
        if (ids[i] < 0 || ids[i] >= self->weight.shape[0])
            return MCV_FAIL(MCV_BAD_INPUT, "%s: id %d in a table of %lld rows", self->name, (int)ids[i],
                            (long long)self->weight.shape[0]);
        mcv_weight_to_f32(&self->weight, (size_t)ids[i], 1, y->f32 + i * columns);
    }
    return Run_output(run, self->name, y);
}

/* ---- Activation functions ----------------------------------------------------------------------------------- */

/* Cody and Waite's reduction, exp(x) = 2^n exp(r) with |r| <= ln(2)/2, and the Taylor polynomial, whose next term is
 * below 2^-57 there. */
double nn_exp(double x) {
    static const double INVERSE_FACTORIALS[] = {
        1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
        1.0 / 720,        1.0 / 120,       1.0 / 24,       1.0 / 6,       1.0 / 2,      1,           1};
    const double LOG2_E = 0x1.71547652b82fep0, LN2_HIGH = 0x1.62e42fee00000p-1, LN2_LOW = 0x1.a39ef35793c76p-33;
    const double ROUND = 0x1.8p52; /* adding and subtracting it rounds to an integer */
    if (!(x > -745.2))             /* also NaN */
        return x == x ? 0 : x;
    if (x > 709.8)
        return (double)INFINITY;
    double n = (x * LOG2_E + ROUND) - ROUND, r = (x - n * LN2_HIGH) - n * LN2_LOW, sum = 0;
    for (size_t i = 0; i < sizeof INVERSE_FACTORIALS / sizeof *INVERSE_FACTORIALS; i++)
        sum = sum * r + INVERSE_FACTORIALS[i];
    if (n < -1021 || n > 1022)
        return ldexp(sum, (int)n);
    uint64_t bits = (uint64_t)(1023 + (int64_t)n) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

static double sigmoid(double x) {
    return 1 / (1 + nn_exp(-x));
}

static double activate(Activation activation, double x) {
    switch (activation) {
    case ACTIVATION_SILU:
        return x * sigmoid(x);
    case ACTIVATION_GELU:
        return 0.5 * x * erfc(-x * M_SQRT1_2);
    case ACTIVATION_GELU_PYTORCH_TANH: /* (1 + tanh(u)) / 2 = sigmoid(2u) */
        return x * sigmoid(2 * (M_2_SQRTPI * M_SQRT1_2) * (x + 0.044715 * x * x * x));
    case ACTIVATION_RELU:
        return x > 0 ? x : x != x ? x : 0;
    }
    return (double)NAN;
}

typedef struct ActivationWork {
    Activation activation;
    const float *x;
    float *y;
} ActivationWork;

static void activation_elements(void *context, size_t begin, size_t end, int worker) {
    (void)worker;
    const ActivationWork *work = context;
    for (size_t i = begin; i < end; i++)
        work->y[i] = (float)activate(work->activation, (double)work->x[i]);
}

mcv_status Activation_forward(const Run *run, Activation activation, const char *name, const Tensor *x, Tensor *y) {
    MCV_TRY(Tensor_like_f32(run, x, Tensor_columns(x), y));
    ActivationWork work = {activation, x->f32, y->f32};
    mcv_parallel_for(run->pool, (size_t)(Tensor_rows(x) * Tensor_columns(x)), activation_elements, &work);
    return Run_output(run, name, y);
}
