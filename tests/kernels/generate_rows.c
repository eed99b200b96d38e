/* Arguments of the kernels that go row by row. */
#include "tests/kernels/kernel_trial.h"

/* Rows `columns` wide, half of the times with space between them. */
static Shape rows_of(Trial *trial, size_t rows, size_t columns) {
    return (Shape){rows, columns, columns + (trial_chance(trial, 2) ? trial_below(trial, 20) : 0), 0};
}

/* The columns of the kernels that need one: every tail length, widths of models now and then. */
static size_t some_columns(Trial *trial) {
    size_t columns = trial_size(trial, trial_chance(trial, 20) ? 4304 : 300);
    return columns ? columns : 16;
}

static void generate_norm(Trial *trial, void (*kernel)(const mcv_norm_args *), bool bias) {
    static const float EPS[] = {1e-6f, 1e-5f, 0};
    mcv_norm_args a = {
        .rows = trial_below(trial, 5), .columns = some_columns(trial), .eps = EPS[trial_below(trial, 3)]};
    Values values = trial_values(trial);
    Shape in = rows_of(trial, a.rows, a.columns), out = rows_of(trial, a.rows, a.columns);
    bool in_place = trial_chance(trial, 3);
    float *x = trial_filled(trial, "x", ELEMENT_F32, in, values);
    a.x = x;
    a.ldx = in.stride;
    a.weight = trial_row(trial, "weight", a.columns, values);
    a.bias = bias ? trial_row(trial, "bias", a.columns, values) : NULL;
    a.y = in_place ? x : trial_buffer(trial, "y", ELEMENT_F32, out);
    a.ldy = in_place ? in.stride : out.stride;
    trial_describe(trial, "%zu rows of %zu, ldx %zu, ldy %zu%s", a.rows, a.columns, a.ldx, a.ldy,
                   in_place ? ", in place" : "");
    trial_output(trial, a.y);
    kernel(&a);
}

void generate_rms_norm(Trial *trial, void (*kernel)(const mcv_norm_args *)) {
    generate_norm(trial, kernel, false);
}

void generate_layer_norm(Trial *trial, void (*kernel)(const mcv_norm_args *)) {
    generate_norm(trial, kernel, true);
}

void generate_softmax(Trial *trial, void (*kernel)(const mcv_softmax_args *)) {
    mcv_softmax_args a = {.rows = trial_below(trial, 5), .columns = some_columns(trial)};
    Shape in = rows_of(trial, a.rows, a.columns), out = rows_of(trial, a.rows, a.columns);
    bool in_place = trial_chance(trial, 3);
    float *x =
        trial_filled(trial, "x", ELEMENT_F32, in, trial_chance(trial, 3) ? VALUES_MANY_EXPS : trial_values(trial));
    a.x = x;
    a.ldx = in.stride;
    a.y = in_place ? x : trial_buffer(trial, "y", ELEMENT_F32, out);
    a.ldy = in_place ? in.stride : out.stride;
    trial_describe(trial, "%zu rows of %zu, ldx %zu, ldy %zu%s", a.rows, a.columns, a.ldx, a.ldy,
                   in_place ? ", in place" : "");
    trial_output(trial, a.y);
    kernel(&a);
}

void generate_rope(Trial *trial, void (*kernel)(const mcv_rope_args *)) {
    mcv_rope_args a = {
        .rows = trial_below(trial, 4), .heads = trial_between(trial, 1, 5), .head_dim = 2 * trial_size(trial, 100)};
    Values values = trial_values(trial);
    Shape shape = rows_of(trial, a.rows, a.heads * a.head_dim), table = {a.rows, a.head_dim / 2, a.head_dim / 2, 0};
    a.x = trial_filled(trial, "x", ELEMENT_F32, shape, values);
    a.ldx = shape.stride;
    a.cos = trial_filled(trial, "cos", ELEMENT_F32, table, values);
    a.sin = trial_filled(trial, "sin", ELEMENT_F32, table, values);
    trial_describe(trial, "%zu rows of %zu heads of %zu, ldx %zu", a.rows, a.heads, a.head_dim, a.ldx);
    trial_output(trial, a.x);
    kernel(&a);
}
