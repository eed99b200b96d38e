#include "formats/quantize_packed.h"

#include <math.h>

/* ---- AWQ ----------------------------------------------------------------------------------------------------- */

enum { LEVELS = 15, CANDIDATES = 16 };

/* Output 8 c + i is in four bits number ORDER[i] of a word: formats/weights_grouped.c. */
static const int ORDER[MCV_AWQ_ROWS] = {0, 4, 1, 5, 2, 6, 3, 7};

/* A group's two numbers as they are stored. */
typedef struct Choice {
    uint16_t scale; /* F16 */
    int zero;
} Choice;

static int code_of(float value, float scale, int zero) {
    float q = scale > 0 ? rintf(value / scale) + (float)zero : (float)zero;
    return (int)fminf(fmaxf(q, 0), LEVELS);
}

static double error_of(const float *x, const float *importance, size_t count, const Choice *choice) {
    float scale = mcv_f32_from_f16(choice->scale);
    double error = 0;
    for (size_t i = 0; i < count; i++) {
        float written = (float)(code_of(x[i], scale, choice->zero) - choice->zero) * scale;
        double distance = (double)x[i] - (double)written;
        error += distance * distance * (importance ? (double)importance[i] : 1);
    }
    return error;
}

static Choice choice_of(float low, float high) {
    Choice choice = {.scale = mcv_f16_from_f32((high - low) / LEVELS)};
    if (choice.scale == 0 && high > low)
        choice.scale = 1; /* the smallest there is */
    float scale = mcv_f32_from_f16(choice.scale);
    choice.zero = scale > 0 ? (int)fminf(rintf(-low / scale), LEVELS) : 0;
    return choice;
}

static Choice choose(const float *x, const float *importance, size_t count) {
    static const float LARGEST = 65504.0F * LEVELS; /* what the scale can be, times the levels */
    float low = 0, high = 0;
    for (size_t i = 0; i < count; i++) {
        low = fminf(low, x[i]);
        high = fmaxf(high, x[i]);
    }
    if (high - low > LARGEST) {
        low = fmaxf(low, -LARGEST / 2);
        high = fminf(high, LARGEST / 2);
    }
    Choice best = choice_of(low, high);
    double least = error_of(x, importance, count, &best);
    for (int i = 1; i < CANDIDATES; i++) {
        float share = 1 - 0.025F * (float)i;
        Choice other = choice_of(low * share, high * share);
        double error = error_of(x, importance, count, &other);
        if (error < least) {
            least = error;
            best = other;
        }
    }
    return best;
}

static void put_row(const mcv_awq_matrix *matrix, size_t group, size_t row, const float *x, const Choice *choice) {
    size_t words = matrix->out / MCV_AWQ_ROWS, word = row / MCV_AWQ_ROWS;
    int shift = 4 * ORDER[row % MCV_AWQ_ROWS];
    float scale = mcv_f32_from_f16(choice->scale);
    matrix->scales[group * matrix->out + row] = choice->scale;
    matrix->qzeros[group * words + word] |= (uint32_t)choice->zero << shift;
    for (size_t i = 0; i < matrix->group; i++)
        matrix->qweight[(group * matrix->group + i) * words + word] |= (uint32_t)code_of(x[i], scale, choice->zero)
                                                                       << shift;
}

void mcv_quantize_awq(const mcv_awq_matrix *matrix, size_t first, const float *values, const float *importance) {
    size_t words = matrix->out / MCV_AWQ_ROWS, word = first / MCV_AWQ_ROWS;
    for (size_t g = 0; g < matrix->in / matrix->group; g++) {
        size_t start = g * matrix->group;
        matrix->qzeros[g * words + word] = 0;
        for (size_t i = start; i < start + matrix->group; i++)
            matrix->qweight[i * words + word] = 0;
        for (size_t row = 0; row < MCV_AWQ_ROWS; row++) {
            const float *x = values + row * matrix->in + start;
            Choice choice = choose(x, importance ? importance + start : NULL, matrix->group);
            put_row(matrix, g, first + row, x, &choice);
        }
    }
}

/* ---- INT8 ---------------------------------------------------------------------------------------------------- */

void mcv_quantize_int8(const float *values, size_t columns, int8_t *codes, float *scale) {
    float most = 0;
    for (size_t i = 0; i < columns; i++)
        most = fmaxf(most, fabsf(values[i]));
    *scale = most / 127;
    for (size_t i = 0; i < columns; i++) {
        float code = *scale > 0 ? rintf(values[i] / *scale) : 0;
        codes[i] = (int8_t)fminf(fmaxf(code, -127), 127);
    }
}
