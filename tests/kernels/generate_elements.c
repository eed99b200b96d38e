/* Arguments of the kernels that go element by element. */
#include "tests/kernels/kernel_trial.h"

void generate_activate(Trial *trial, void (*kernel)(const mcv_activate_args *)) {
    mcv_activate_args a = {.activation = (mcv_activation)trial_below(trial, MCV_ACTIVATIONS),
                           .count = trial_size(trial, 1000)};
    bool in_place = trial_chance(trial, 3);
    Values values = trial_chance(trial, 4) ? VALUES_MANY_EXPS : trial_values(trial);
    float *x = trial_row(trial, "x", a.count, values);
    a.x = x;
    a.y = in_place ? x : trial_buffer(trial, "y", ELEMENT_F32, (Shape){1, a.count, a.count, 0});
    trial_describe(trial, "activation %d of %zu%s", a.activation, a.count, in_place ? ", in place" : "");
    trial_output(trial, a.y);
    kernel(&a);
}

static void generate_two(Trial *trial, void (*kernel)(const mcv_multiply_args *)) {
    mcv_multiply_args args = {.count = trial_size(trial, 1000)};
    int in_place = (int)trial_below(trial, 4);
    float *a = trial_row(trial, "a", args.count, trial_values(trial));
    float *b = trial_row(trial, "b", args.count, trial_values(trial));
    args.a = a;
    args.b = b;
    args.y = in_place == 0   ? a
             : in_place == 1 ? b
                             : trial_buffer(trial, "y", ELEMENT_F32, (Shape){1, args.count, args.count, 0});
    trial_describe(trial, "%zu elements, y is %s", args.count, in_place == 0 ? "a" : in_place == 1 ? "b" : "apart");
    trial_output(trial, args.y);
    kernel(&args);
}

void generate_silu_multiply(Trial *trial, void (*kernel)(const mcv_multiply_args *)) {
    generate_two(trial, kernel);
}

void generate_add(Trial *trial, void (*kernel)(const mcv_multiply_args *)) {
    generate_two(trial, kernel);
}
