/* Arguments of the kernels of pictures and of tables. */
#include "tests/kernels/kernel_trial.h"

enum { MAX_WEIGHT = 1 << 23, MAX_SAMPLES = 60000 };

/* Half of the times with space between rows. */
static Shape rows_of(Trial *trial, size_t rows, size_t columns) {
    return (Shape){rows, columns, columns + (trial_chance(trial, 2) ? trial_below(trial, 40) : 0), 0};
}

/* Weights of `outputs` sums, of neighbours in rows of *inputs samples; inputs is what they need. Absolute weights add
 * up to less than MAX_WEIGHT, to little less now and then. */
static void make_weights(Trial *trial, mcv_resize_args *a, size_t outputs, size_t *inputs) {
    size_t largest = trial_chance(trial, 20) ? 700 : trial_between(trial, 0, 20), first = 0, end = 0;
    a->stride = largest + trial_below(trial, 4);
    int32_t *firsts = trial_buffer(trial, "first", ELEMENT_I32, (Shape){1, outputs, outputs, 0});
    int32_t *counts = trial_buffer(trial, "count", ELEMENT_I32, (Shape){1, outputs, outputs, 0});
    int32_t *weights = trial_buffer(trial, "weights", ELEMENT_I32, (Shape){outputs, largest, a->stride, 0});
    size_t most_apart = trial_chance(trial, 8) ? 300 : 3;
    for (size_t i = 0; i < outputs; i++) {
        first += trial_below(trial, most_apart);
        first = first + largest < end ? end - largest : first;
        end = trial_between(trial, first < end ? end : first, first + largest);
        firsts[i] = (int32_t)first;
        counts[i] = (int32_t)(end - first);
        int32_t left = MAX_WEIGHT - 1;
        for (size_t j = 0; j < largest; j++) {
            int32_t size = (int32_t)trial_below(trial, (uint64_t)(trial_chance(trial, 4) ? left : left / 3) + 1);
            weights[i * a->stride + j] = trial_chance(trial, 3) ? -size : size;
            left -= size;
        }
    }
    a->first = firsts;
    a->count = counts;
    a->weights = weights;
    *inputs = end;
}

/* Samples are of any size, or all at one end. */
static uint8_t *make_picture(Trial *trial, Shape shape) {
    uint8_t *x = trial_filled(trial, "x", ELEMENT_U8, shape, VALUES_BITS);
    if (trial_chance(trial, 6))
        for (size_t row = 0; row < shape.rows; row++)
            memset(x + row * shape.stride, trial_chance(trial, 2) ? 255 : 0, shape.columns);
    return x;
}

static void generate_resize(Trial *trial, void (*kernel)(const mcv_resize_args *), bool width) {
    mcv_resize_args a = {.rows = trial_between(trial, 0, width ? 40 : 8)};
    size_t inputs;
    a.columns = width ? trial_between(trial, 0, trial_chance(trial, 20) ? 600 : 60) : trial_size(trial, 200);
    make_weights(trial, &a, width ? a.columns : a.rows, &inputs);
    if (width && a.rows * inputs > MAX_SAMPLES)
        a.rows = MAX_SAMPLES / inputs;
    Shape in = width ? rows_of(trial, a.rows, inputs * 3) : rows_of(trial, inputs, a.columns * 3);
    Shape out = rows_of(trial, a.rows, a.columns * 3);
    a.x = make_picture(trial, in);
    a.ldx = in.stride;
    a.y = trial_buffer(trial, "y", ELEMENT_U8, out);
    a.ldy = out.stride;
    trial_describe(trial, "%zu x %zu pixels from %zu samples, stride %zu, ldx %zu, ldy %zu", a.rows, a.columns, inputs,
                   a.stride, a.ldx, a.ldy);
    trial_output(trial, a.y);
    kernel(&a);
}

void generate_resize_width(Trial *trial, void (*kernel)(const mcv_resize_args *)) {
    generate_resize(trial, kernel, true);
}

void generate_resize_height(Trial *trial, void (*kernel)(const mcv_resize_args *)) {
    generate_resize(trial, kernel, false);
}

void generate_unfold(Trial *trial, void (*kernel)(const mcv_unfold_args *)) {
    mcv_unfold_args a = {.grid_h = trial_below(trial, 4),
                         .grid_w = trial_below(trial, 5),
                         .patch = trial_chance(trial, 2) ? 14 : trial_between(trial, 1, 40)};
    bool planes = trial_chance(trial, 4), halves = trial_chance(trial, 2);
    size_t height = a.grid_h * a.patch, width = a.grid_w * a.patch;
    Shape in = planes ? rows_of(trial, 3 * height, width) : rows_of(trial, height, 3 * width);
    Shape out = rows_of(trial, a.grid_h * a.grid_w, 3 * a.patch * a.patch);
    Values values = trial_values(trial);
    a.x = make_picture(trial, in);
    a.row_step = in.stride;
    a.channel_step = planes ? height * in.stride : 1;
    a.column_step = planes ? 1 : 3;
    for (int c = 0; c < 3; c++) {
        a.mean[c] = trial_float(trial, values);
        a.std[c] = halves ? 0.5f : trial_float(trial, values);
    }
    a.y = trial_buffer(trial, "y", ELEMENT_F32, out);
    a.ldy = out.stride;
    trial_describe(trial, "%zu x %zu patches of %zu, row_step %zu, %s, ldy %zu", a.grid_h, a.grid_w, a.patch,
                   a.row_step, planes ? "planes" : "pixels", a.ldy);
    trial_output(trial, a.y);
    kernel(&a);
}

void generate_embed_rows(Trial *trial, void (*kernel)(const mcv_embed_args *)) {
    static const Element ELEMENTS_OF[] = {ELEMENT_F32, ELEMENT_BF16, ELEMENT_F16};
    static const char *const NAMES[] = {"F32", "BF16", "F16"};
    mcv_embed_args a = {.rows = trial_below(trial, 6),
                        .columns = trial_size(trial, 300),
                        .type = (mcv_table_type)trial_below(trial, MCV_TABLE_TYPES)};
    size_t table = trial_between(trial, 1, 9);
    Shape out = rows_of(trial, a.rows, a.columns);
    a.table =
        trial_filled(trial, "table", ELEMENTS_OF[a.type], (Shape){table, a.columns, a.columns, 0}, trial_values(trial));
    int32_t *ids = trial_buffer(trial, "ids", ELEMENT_I32, (Shape){1, a.rows, a.rows, 0});
    for (size_t i = 0; i < a.rows; i++)
        ids[i] = (int32_t)trial_below(trial, table);
    a.ids = ids;
    a.y = trial_buffer(trial, "y", ELEMENT_F32, out);
    a.ldy = out.stride;
    trial_describe(trial, "%zu rows of %zu, %s, ldy %zu", a.rows, a.columns, NAMES[a.type], a.ldy);
    trial_output(trial, a.y);
    kernel(&a);
}
