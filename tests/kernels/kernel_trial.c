#include "tests/kernels/kernel_trial.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/tensor.h"

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(Trial *trial) {
    uint64_t z = trial->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t trial_below(Trial *trial, uint64_t limit) {
    return limit ? next_random(trial) % limit : 0;
}

size_t trial_between(Trial *trial, size_t first, size_t last) {
    return first + trial_below(trial, last - first + 1);
}

bool trial_chance(Trial *trial, int n) {
    return trial_below(trial, (uint64_t)n) == 0;
}

size_t trial_size(Trial *trial, size_t largest) {
    size_t size = trial_chance(trial, 4) ? trial_between(trial, 0, largest) : (size_t)trial->index % 71;
    return size < largest ? size : largest;
}

/* The factor gives the sum, a multiple of 2^-21, all of its bits. */
static float near_one(Trial *trial) {
    float sum = 0;
    for (int i = 0; i < 4; i++)
        sum += (float)trial_below(trial, 1 << 22) * 0x1p-21f - 1;
    return sum * (0.75f + (float)trial_below(trial, 1 << 22) * 0x1p-23f);
}

static float special(Trial *trial) {
    static const float SPECIAL[] = {
        NAN,       INFINITY, -INFINITY, 0.0f,   -0.0f,   0x1p-149f, -0x1p-149f, 0x1.fffffep+127f, -0x1.fffffep+127f,
        0x1p-126f, 1.0f,     -1.0f,     88.37f, -87.33f, 127.0f,    0.5f};
    return SPECIAL[trial_below(trial, sizeof SPECIAL / sizeof *SPECIAL)];
}

float trial_float(Trial *trial, Values values) {
    uint32_t bits = (uint32_t)next_random(trial);
    switch (trial->tame ? VALUES_NEAR_ONE : values) {
    case VALUES_WIDE:
        return mcv_f32_from_bits((bits & 0x7f800000u) == 0x7f800000u ? bits & 0xbfffffffu : bits);
    case VALUES_SPECIAL:
        return trial_chance(trial, 16) ? special(trial) : near_one(trial);
    case VALUES_DENORMAL:
        return mcv_f32_from_bits(trial_chance(trial, 8) ? bits & 0x80000000u : bits & 0x807fffffu);
    case VALUES_BITS:
        return mcv_f32_from_bits(bits);
    case VALUES_MANY_EXPS:
        return near_one(trial) * 40;
    default:
        return near_one(trial);
    }
}

Values trial_values(Trial *trial) {
    if (trial->values == VALUES_KINDS || trial_chance(trial, 4)) {
        Values other = (Values)trial_below(trial, VALUES_KINDS);
        trial->values = trial_chance(trial, 3) ? VALUES_NEAR_ONE : other;
    }
    return trial->values;
}

void trial_describe(Trial *trial, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(trial->description, sizeof trial->description, format, arguments);
    va_end(arguments);
}

size_t element_size(Element element) {
    static const size_t SIZES[ELEMENTS] = {[ELEMENT_F32] = 4, [ELEMENT_BF16] = 2, [ELEMENT_F16] = 2, [ELEMENT_I8] = 1,
                                           [ELEMENT_U8] = 1,  [ELEMENT_I16] = 2,  [ELEMENT_I32] = 4};
    return SIZES[element];
}

bool element_equal(Element element, const void *a, const void *b) {
    float x, y;
    if (memcmp(a, b, element_size(element)) == 0)
        return true;
    if (element != ELEMENT_F32)
        return false;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return isnan(x) && isnan(y);
}

const char *element_text(Element element, const void *data, char text[64]) {
    uint32_t bits = 0;
    memcpy(&bits, data, element_size(element));
    if (element == ELEMENT_F32)
        snprintf(text, 64, "%.9g (%a, 0x%08x)", mcv_f32_from_bits(bits), mcv_f32_from_bits(bits), bits);
    else if (element == ELEMENT_I8)
        snprintf(text, 64, "%d", (int8_t)bits);
    else
        snprintf(text, 64, "%d (0x%x)", (int32_t)bits, bits);
    return text;
}

enum { POISONED = 4096 }; /* bytes before and behind the elements */

/* A NaN as floats, not 0 as anything; 4 bytes more than are compared at a time. */
static unsigned char POISON[POISONED + 4];

static void make_poison(void) {
    static const unsigned char WORD[4] = {0x5a, 0xa5, 0xff, 0x7f};
    for (size_t i = 0; i < sizeof POISON; i++)
        POISON[i] = WORD[i % sizeof WORD];
}

size_t first_spoiled(const Buffer *buffer, size_t begin, size_t end) {
    while (begin < end) {
        const unsigned char *expected = POISON + begin % 4;
        size_t size = end - begin < POISONED ? end - begin : POISONED, i = 0;
        if (memcmp(buffer->map + begin, expected, size) != 0) {
            while (buffer->map[begin + i] == expected[i])
                i++;
            return begin + i;
        }
        begin += size;
    }
    return end;
}

/* Pages for at least `bytes` between two that cannot be touched. */
static void map_pages(Buffer *buffer, size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (bytes + POISONED + page - 1) / page * page;
    if (buffer->map && buffer->map_bytes >= inner)
        return;
    if (buffer->map)
        munmap(buffer->map - page, buffer->map_bytes + 2 * page);
    unsigned char *all = mmap(NULL, inner + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(all, page, PROT_NONE) || mprotect(all + page + inner, page, PROT_NONE)) {
        perror("guard pages");
        abort();
    }
    buffer->map = all + page;
    buffer->map_bytes = inner;
}

void trial_begin(Trial *trial, uint64_t seed, int index) {
    make_poison();
    trial->random = seed + (uint64_t)index * 0xd1342543de82ef95u;
    trial->index = index;
    trial->num_buffers = 0;
    trial->values = VALUES_KINDS;
    trial->description[0] = '\0';
}

void trial_free(Trial *trial) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < MAX_BUFFERS; i++)
        if (trial->buffers[i].map)
            munmap(trial->buffers[i].map - page, trial->buffers[i].map_bytes + 2 * page);
    memset(trial, 0, sizeof *trial);
}

/* Elements at the end of the pages, where reading one more is fatal, or near their beginning. */
static size_t place(Trial *trial, const Buffer *buffer, size_t bytes, size_t alignment) {
    size_t room = (buffer->map_bytes - bytes) / alignment * alignment;
    switch (trial_below(trial, 4)) {
    case 0:
        return 0;
    case 1: {
        size_t offset = trial_below(trial, 17) * alignment;
        return offset < room ? offset : room;
    }
    default:
        return room;
    }
}

void *trial_buffer(Trial *trial, const char *name, Element element, Shape shape) {
    if (trial->num_buffers == MAX_BUFFERS)
        abort();
    Buffer *buffer = &trial->buffers[trial->num_buffers++];
    size_t size = element_size(element), alignment = shape.alignment ? shape.alignment : size;
    size_t bytes = shape.rows ? ((shape.rows - 1) * shape.stride + shape.columns) * size : 0;
    map_pages(buffer, bytes);
    buffer->name = name;
    buffer->element = element;
    buffer->shape = shape;
    buffer->compared = true;
    buffer->output = false;
    buffer->slack = NULL;
    buffer->data = buffer->map + place(trial, buffer, bytes, alignment);
    for (size_t i = 0; i < buffer->map_bytes; i += POISONED) /* pages are a multiple of it */
        memcpy(buffer->map + i, POISON, POISONED);
    return buffer->data;
}

void trial_output(Trial *trial, const void *data) {
    for (int i = 0; i < trial->num_buffers; i++)
        if (trial->buffers[i].data == data)
            trial->buffers[i].output = true;
}

void trial_slack(Trial *trial, const void *output, const float *slack) {
    for (int i = 0; i < trial->num_buffers; i++)
        if (trial->buffers[i].data == output)
            trial->buffers[i].slack = slack;
}

void *trial_scratch(Trial *trial) {
    void *scratch = trial_buffer(trial, "scratch", ELEMENT_U8, (Shape){1, MCV_SCRATCH_BYTES, MCV_SCRATCH_BYTES, 64});
    trial->buffers[trial->num_buffers - 1].compared = false;
    return scratch;
}

/* Kinds that are about exponents are drawn anew for halves: as a float, nearly all of them are too small or too large.
 */
static uint16_t half_of(Element element, Values values, float value, uint32_t bits) {
    if (element != ELEMENT_F16)
        return mcv_bf16_from_f32(value);
    if (values == VALUES_DENORMAL || (values == VALUES_SPECIAL && bits >> 27 == 0))
        return bits & 0x83ffu;
    if (values == VALUES_WIDE && (bits & 0x7c00u) == 0x7c00u)
        return bits & 0xbfffu;
    return values == VALUES_WIDE || values == VALUES_BITS ? (uint16_t)bits : mcv_f16_from_f32(value);
}

static void fill_element(Trial *trial, Element element, Values values, void *data) {
    float value = element <= ELEMENT_F16 ? trial_float(trial, values) : 0;
    uint32_t bits = (uint32_t)trial_below(trial, UINT64_C(1) << 32);
    uint16_t half = half_of(element, trial->tame ? VALUES_NEAR_ONE : values, value, bits);
    if (element == ELEMENT_F32)
        memcpy(data, &value, sizeof value);
    else if (element == ELEMENT_BF16 || element == ELEMENT_F16)
        memcpy(data, &half, sizeof half);
    else
        memcpy(data, &bits, element_size(element));
}

void *trial_filled(Trial *trial, const char *name, Element element, Shape shape, Values values) {
    unsigned char *data = trial_buffer(trial, name, element, shape);
    for (size_t row = 0; row < shape.rows; row++)
        for (size_t column = 0; column < shape.columns; column++)
            fill_element(trial, element, values, data + (row * shape.stride + column) * element_size(element));
    return data;
}

float *trial_row(Trial *trial, const char *name, size_t columns, Values values) {
    return trial_filled(trial, name, ELEMENT_F32, (Shape){1, columns, columns, 0}, values);
}
