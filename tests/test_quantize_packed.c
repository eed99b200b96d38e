/* Packing as AWQ and INT8: what is read back is what the codes, scales and zero points say, and is near. */
#include <criterion/criterion.h>
#include <math.h>

#include "core/random.h"
#include "formats/quantize_packed.h"
#include "formats/weights_packed.h"

enum { OUT = 24, IN = 256, GROUP = 64, GROUPS = IN / GROUP };

static float values[OUT][IN];

/* From -0.5 to 0.5. */
static float uniform(int number) {
    return (float)(mcv_random_mix((uint64_t)number + 1) >> 40) / (float)(1 << 24) - 0.5F;
}

static void make_values(void) {

    for (int row = 0; row < OUT; row++)
        for (int i = 0; i < IN; i++)
            values[row][i] = uniform(row * IN + i) * (row % 5 == 0 ? 0.01F : 2.0F) + (row == 3 ? 1.0F : 0);
    for (int i = 0; i < GROUP; i++)
        values[5][i] = 0; /* a group of nothing */
    values[7][2] = 1e6F;  /* more than F16 can scale */
    values[9][3] = 1e-9F;
}

/* The published order of AWQ's "gemm" layout: output 8 c + ORDER[place] is in four bits number `place`. */
static int four_bits(uint32_t word, size_t row) {
    static const size_t ORDER[8] = {0, 2, 4, 6, 1, 3, 5, 7};
    int place = 0;
    while (ORDER[place] != row % 8)
        place++;
    return (int)(word >> (4 * place) & 15);
}

static uint32_t qweight[IN][OUT / 8], qzeros[GROUPS][OUT / 8];
static uint16_t scales[GROUPS][OUT];

static void pack(void) {
    mcv_awq_matrix matrix = {IN, OUT, GROUP, qweight[0], qzeros[0], scales[0]};
    memset(qweight, 0xff, sizeof qweight); /* what was there before does not show */
    memset(qzeros, 0xff, sizeof qzeros);
    for (size_t row = 0; row < OUT; row += MCV_AWQ_ROWS)
        mcv_quantize_awq(&matrix, row, values[row], NULL);
}

static float unpacked(size_t row, size_t i) {
    int zero = four_bits(qzeros[i / GROUP][row / 8], row), code = four_bits(qweight[i][row / 8], row);
    return (float)(code - zero) * mcv_f32_from_f16(scales[i / GROUP][row]);
}

/* More than any scale can hold is the largest level of its sign. */
Test(quantize_packed, weights_beyond_f16) {
    make_values();
    values[1][0] = 1e30F;
    values[1][1] = -1e30F;
    pack();
    cr_expect_eq(four_bits(qweight[0][0], 1), 15);
    cr_expect_eq(four_bits(qweight[1][0], 1), 0);
}

Test(quantize_packed, awq_is_read_as_it_was_written) {
    float read[IN];
    make_values();
    pack();
    mcv_grouped grouped = {.qweight = (const uint8_t *)qweight,
                           .qzeros = (const uint8_t *)qzeros,
                           .scales = MCV_TENSOR(MCV_F16, scales, GROUPS, OUT),
                           .in = IN,
                           .out = OUT,
                           .groups = GROUPS,
                           .group_size = GROUP,
                           .is_awq = true};
    for (size_t row = 0; row < OUT; row++) {
        mcv_grouped_to_f32(&grouped, row, read);
        for (size_t i = 0; i < IN; i++)
            cr_assert_eq(read[i], unpacked(row, i), "row %zu, column %zu", row, i);
    }
}

/* No worse than rounding to the range of each group, whose steps are a 15th of it. */
Test(quantize_packed, awq_is_near) {
    make_values();
    pack();
    for (size_t row = 0; row < OUT; row++)
        for (size_t group = 0; group < GROUPS; group++) {
            double low = 0, high = 0, errors = 0;
            for (size_t i = group * GROUP; i < (group + 1) * GROUP; i++) {
                low = fmin(low, (double)values[row][i]);
                high = fmax(high, (double)values[row][i]);
                errors += pow((double)values[row][i] - (double)unpacked(row, i), 2);
            }
            double step = (high - low) / 15;
            if (high < 1e5) /* scales of F16 end there */
                cr_expect_leq(sqrt(errors / GROUP), 0.51 * step + 6e-8, "row %zu, group %zu", row, group);
            if (high == 0 && low == 0)
                cr_expect_eq(errors, 0);
        }
}

Test(quantize_packed, importance_keeps_a_column_near) {
    float importance[IN];
    double plain = 0, weighed = 0;
    make_values();
    for (int i = 0; i < IN; i++)
        importance[i] = i % 8 == 1 ? 1000 : 1e-3F;
    pack();
    for (size_t row = 8; row < 24; row++)
        for (size_t i = 1; i < IN; i += 8)
            plain += pow((double)values[row][i] - (double)unpacked(row, i), 2);
    mcv_awq_matrix matrix = {IN, OUT, GROUP, qweight[0], qzeros[0], scales[0]};
    for (size_t row = 0; row < OUT; row += MCV_AWQ_ROWS)
        mcv_quantize_awq(&matrix, row, values[row], importance);
    for (size_t row = 8; row < 24; row++)
        for (size_t i = 1; i < IN; i += 8)
            weighed += pow((double)values[row][i] - (double)unpacked(row, i), 2);
    cr_expect_lt(weighed, plain);
}

Test(quantize_packed, int8_is_read_as_it_was_written) {
    static int8_t codes[OUT][IN];
    float scale[OUT], read[IN];
    make_values();
    for (size_t row = 0; row < OUT; row++)
        mcv_quantize_int8(values[row], IN, codes[row], &scale[row]);
    mcv_int8 packed = {(const uint8_t *)codes, MCV_TENSOR(MCV_F32, scale, OUT, 1), IN, 1};
    for (size_t row = 0; row < OUT; row++) {
        mcv_int8_to_f32(&packed, row, read);
        for (size_t i = 0; i < IN; i++) {
            cr_assert_eq(read[i], (float)codes[row][i] * scale[row]);
            cr_expect_leq(fabsf(read[i] - values[row][i]), 0.5001F * scale[row]);
        }
    }
    for (size_t i = 0; i < IN; i++)
        values[0][i] = 0;
    mcv_quantize_int8(values[0], IN, codes[0], &scale[0]);
    cr_expect(scale[0] == 0 && codes[0][7] == 0);
}
