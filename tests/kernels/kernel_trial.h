/* What a kernel is tested with: one trial is a set of buffers with random contents, made from a seed.
 *
 * A generator (generate_NAME, one a kernel) draws sizes, makes its buffers, fills the arguments and calls the kernel
 * once. The same seed gives the same trial, so that the contract and each variant see equal inputs at equal addresses.
 * Each buffer lies between pages that cannot be touched, either at the end or at the beginning of what can, at any
 * alignment that the contract allows. Everything around its elements is poisoned. */
#ifndef TESTS_KERNELS_KERNEL_TRIAL_H
#define TESTS_KERNELS_KERNEL_TRIAL_H

#include <string.h>

#include "simd/kernels/kernel_table.h"

typedef enum Element {
    ELEMENT_F32,
    ELEMENT_BF16,
    ELEMENT_F16,
    ELEMENT_I8,
    ELEMENT_U8,
    ELEMENT_I16,
    ELEMENT_I32,
    ELEMENTS
} Element;

/* Rows of `columns` elements that begin `stride` elements apart. `alignment` in bytes; 0: that of the element. */
typedef struct Shape {
    size_t rows, columns, stride, alignment;
} Shape;

/* What floats are drawn from. */
typedef enum Values {
    VALUES_NEAR_ONE,  /* of about normal distribution */
    VALUES_WIDE,      /* every exponent alike, finite */
    VALUES_SPECIAL,   /* near one, now and then NaN, infinite, denormal, zero, the largest */
    VALUES_DENORMAL,  /* and zeros of both signs */
    VALUES_BITS,      /* any bits */
    VALUES_MANY_EXPS, /* where exp neither overflows nor vanishes */
    VALUES_KINDS
} Values;

typedef struct Buffer {
    const char *name;
    Element element;
    Shape shape;
    unsigned char *map, *data; /* the pages, the elements in them */
    size_t map_bytes;          /* of what can be touched */
    bool compared, output;
    const float *slack; /* [rows][columns]: how far elements may be from the contract's; NULL: not at all */
} Buffer;

enum { MAX_BUFFERS = 48 };

typedef struct Trial {
    uint64_t random;
    bool tame;     /* floats are near one, whatever a generator asks for */
    Values values; /* of the buffer before; VALUES_KINDS: there is none */
    int index;     /* counts the trials of a kernel */
    Buffer buffers[MAX_BUFFERS];
    int num_buffers;
    char description[160]; /* the sizes, for messages */
} Trial;

/* Begins a trial; the pages of the one before are used again. */
void trial_begin(Trial *trial, uint64_t seed, int index);
/* Gives the pages back. */
void trial_free(Trial *trial);

/* Random numbers below `limit` (0 for a limit of 0), from `first` to `last`, one chance in `n`. */
uint64_t trial_below(Trial *trial, uint64_t limit);
size_t trial_between(Trial *trial, size_t first, size_t last);
bool trial_chance(Trial *trial, int n);
/* A size: every one from 0 to 70 in turn, with larger ones up to `largest` in between. */
size_t trial_size(Trial *trial, size_t largest);
float trial_float(Trial *trial, Values values);
/* Mostly the kind of the buffer before, so that special values meet their like. */
Values trial_values(Trial *trial);
void trial_describe(Trial *trial, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A buffer full of poison. Its elements are compared after the kernel has run (inputs, too: they must not change),
 * except those of scratch memory. */
void *trial_buffer(Trial *trial, const char *name, Element element, Shape shape);
void *trial_scratch(Trial *trial);
/* A buffer with random contents: floats of `values`, integers over their whole range. */
void *trial_filled(Trial *trial, const char *name, Element element, Shape shape, Values values);
/* Names a buffer that the kernel writes: its elements count as comparisons. */
void trial_output(Trial *trial, const void *data);
/* Lets an output of floats of class BOUND differ from the contract's: slack [rows][columns], dense, a buffer of the
 * trial. Where it is infinite or NaN, nothing is demanded. */
void trial_slack(Trial *trial, const void *output, const float *slack);
/* One row of floats. */
float *trial_row(Trial *trial, const char *name, size_t columns, Values values);

size_t element_size(Element element);
/* Whether two elements agree: bits, or both NaN. */
bool element_equal(Element element, const void *a, const void *b);
/* Writes an element for a message. */
const char *element_text(Element element, const void *data, char text[64]);
/* The first byte from `begin` to before `end` of a buffer's pages that has lost its poison; `end`: none. */
size_t first_spoiled(const Buffer *buffer, size_t begin, size_t end);

/* What kernels.h allows an output of gemm_bf16_fast to be off from the exact result of rounded inputs; to be asked
 * before the kernel runs. Infinite: anything. */
double bf16_fast_bound(const mcv_gemm_args *a, size_t m, size_t n, double *exact);

/* The result of a query that sees at most 512 keys, [head_dim], and what docs/numerics.md allows it to be off;
 * additions: how often at most a sum of exponentials is rounded. To be asked before or after the kernel has run. */
void attention_bound(const mcv_attention_args *a, size_t query, double additions, double *exact, double *bound);

#define KERNEL(name, class, arguments) void generate_##name(Trial *trial, void (*kernel)(const arguments *));
#include "simd/kernels/kernels.def"

#endif
