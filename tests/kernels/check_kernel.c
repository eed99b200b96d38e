#include "tests/kernels/check_kernel.h"

#include <fenv.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define KERNEL(name, class, arguments)                                                                                 \
    static void run_##name(Trial *trial, mcv_kernel_fn function) {                                                     \
        generate_##name(trial, (void (*)(const arguments *))function);                                                 \
    }
#include "simd/kernels/kernels.def"

static void (*const RUN[])(Trial *trial, mcv_kernel_fn function) = {
#define KERNEL(name, class, arguments) run_##name,
#include "simd/kernels/kernels.def"
};

uint64_t check_seed(void) {
    const char *text = getenv("MCV_SEED");
    return text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
}

int check_trials(void) {
    const char *text = getenv("MCV_TRIALS");
    int trials = text ? atoi(text) : 500;
    return trials > 0 ? trials : 1;
}

/* ---- A run that may crash ----------------------------------------------------------------------------------- */

static sigjmp_buf before_run;
static volatile sig_atomic_t caught_signal;

static void on_signal(int number) {
    caught_signal = number;
    siglongjmp(before_run, 1);
}

static const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
enum { NUM_SIGNALS = sizeof SIGNALS / sizeof *SIGNALS };

/* One run of the generator; the number of the signal that ended it, or 0. */
static int run_trial(Trial *trial, const KernelCheck *check, int index, mcv_kernel kernel, mcv_kernel_fn function) {
    struct sigaction action = {.sa_handler = on_signal}, old[NUM_SIGNALS];
    for (int i = 0; i < NUM_SIGNALS; i++)
        sigaction(SIGNALS[i], &action, &old[i]);
    caught_signal = 0;
    if (sigsetjmp(before_run, 1) == 0) {
        trial_begin(trial, check->seed, index);
        RUN[kernel](trial, function);
    }
    for (int i = 0; i < NUM_SIGNALS; i++)
        sigaction(SIGNALS[i], &old[i], NULL);
    return caught_signal;
}

/* Rounding and denormals must be as they were. */
static bool float_environment_intact(void) {
    volatile float small = 0x1p-126f;
    return fegetround() == FE_TONEAREST && small * 0.5f != 0;
}

/* ---- Comparison --------------------------------------------------------------------------------------------- */

static void fail(KernelCheck *check, const char *name, const Trial *trial, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void fail(KernelCheck *check, const char *name, const Trial *trial, const char *format, ...) {
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(check->message, sizeof check->message, "%s: %s; %s, trial %d of MCV_SEED=%" PRIu64, name, what,
             trial->description, trial->index, check->seed);
    check->failed = true;
}

/* What the contract left in each buffer's pages. */
typedef struct Expected {
    unsigned char *pages[MAX_BUFFERS];
} Expected;

static void keep_expected(Expected *expected, const Trial *trial) {
    for (int i = 0; i < trial->num_buffers; i++) {
        const Buffer *buffer = &trial->buffers[i];
        if (!buffer->compared)
            continue;
        expected->pages[i] = realloc(expected->pages[i], buffer->map_bytes);
        if (!expected->pages[i])
            abort();
        memcpy(expected->pages[i], buffer->map, buffer->map_bytes);
    }
}

static void free_expected(Expected *expected) {
    for (int i = 0; i < MAX_BUFFERS; i++)
        free(expected->pages[i]);
}

/* Every byte of the pages that is no element. */
static void check_poison(KernelCheck *check, const char *name, const Trial *trial, const Buffer *buffer) {
    Shape shape = buffer->shape;
    size_t size = element_size(buffer->element), at = 0, begin = (size_t)(buffer->data - buffer->map);
    for (size_t row = 0; row <= shape.rows && !check->failed; row++) {
        size_t end = row < shape.rows ? begin + row * shape.stride * size : buffer->map_bytes;
        size_t spoiled = first_spoiled(buffer, at, end);
        if (spoiled < end)
            fail(check, name, trial, "%s: wrote to byte %td, outside of its %zu x %zu elements", buffer->name,
                 (ptrdiff_t)(spoiled - begin), shape.rows, shape.columns);
        at = end + shape.columns * size;
    }
}

/* Whether an element is what the contract gives, or near enough to it. */
static bool element_agrees(const Buffer *buffer, size_t row, size_t column, const void *found, const void *wanted) {
    float a, b;
    if (!buffer->slack)
        return element_equal(buffer->element, found, wanted);
    double slack = (double)buffer->slack[row * buffer->shape.columns + column];
    memcpy(&a, found, sizeof a);
    memcpy(&b, wanted, sizeof b);
    return !isfinite(slack) || fabs((double)a - (double)b) <= slack;
}

static void check_elements(KernelCheck *check, const char *name, const Trial *trial, const Buffer *buffer,
                           const unsigned char *pages) {
    Shape shape = buffer->shape;
    size_t size = element_size(buffer->element), begin = (size_t)(buffer->data - buffer->map);
    for (size_t row = 0; row < shape.rows; row++)
        for (size_t column = 0; column < shape.columns; column++) {
            size_t at = begin + (row * shape.stride + column) * size;
            check->comparisons += buffer->output;
            if (!element_agrees(buffer, row, column, buffer->map + at, pages + at)) {
                char found[64], wanted[64];
                fail(check, name, trial, "%s[%zu][%zu] of %zu x %zu is %s, the contract gives %s", buffer->name, row,
                     column, shape.rows, shape.columns, element_text(buffer->element, buffer->map + at, found),
                     element_text(buffer->element, pages + at, wanted));
                return;
            }
        }
}

static void check_buffers(KernelCheck *check, const char *name, const Trial *trial, const Expected *expected) {
    for (int i = 0; i < trial->num_buffers && !check->failed; i++)
        check_poison(check, name, trial, &trial->buffers[i]);
    for (int i = 0; expected && i < trial->num_buffers && !check->failed; i++)
        if (trial->buffers[i].compared)
            check_elements(check, name, trial, &trial->buffers[i], expected->pages[i]);
}

static void check_run(KernelCheck *check, const char *name, Trial *trial, int index, mcv_kernel kernel,
                      mcv_kernel_fn function, const Expected *expected) {
    int number = run_trial(trial, check, index, kernel, function);
    if (number)
        fail(check, name, trial, "ended by signal %d (%s)", number, strsignal(number));
    else if (!float_environment_intact())
        fail(check, name, trial, "left another rounding or no denormals");
    else
        check_buffers(check, name, trial, expected);
}

void check_variant(KernelCheck *check, mcv_kernel kernel, const char *name, mcv_kernel_fn variant) {
    static Trial trial;
    Expected expected = {0};
    mcv_kernel_fn contract = mcv_kernel_variant(kernel, MCV_TARGET_contract);
    check->failed = false;
    check->comparisons = 0;
    for (int i = 0; i < check->trials && !check->failed; i++) {
        check_run(check, "the contract itself", &trial, i, kernel, contract, NULL);
        if (check->failed)
            break;
        keep_expected(&expected, &trial);
        check_run(check, name, &trial, i, kernel, variant, &expected);
    }
    if (!check->failed && check->comparisons == 0)
        fail(check, name, &trial, "nothing was compared");
    free_expected(&expected);
    trial_free(&trial);
}
