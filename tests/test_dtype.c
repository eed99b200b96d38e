#include <criterion/criterion.h>
#include <math.h>

#include "core/tensor.h"

static double get(mcv_dtype dtype, const void *data, size_t index) {
    mcv_tensor tensor = MCV_TENSOR(dtype, data, 1);
    return mcv_tensor_get(&tensor, index);
}

static double get_byte(mcv_dtype dtype, uint8_t bits) {
    return get(dtype, &bits, 0);
}

Test(dtype, names_and_bits) {
    for (int i = 0; i < MCV_DTYPE_COUNT; i++) {
        mcv_dtype dtype = (mcv_dtype)i, found;
        cr_expect(mcv_dtype_from_name(mcv_dtype_name(dtype), &found) && found == dtype, "type %d", i);
        cr_expect(mcv_dtype_bits(dtype) >= 4 && mcv_dtype_bits(dtype) <= 64, "type %d", i);
        cr_expect_eq(mcv_dtype_size(dtype), mcv_dtype_bits(dtype) / 8, "type %d", i);
    }
    mcv_dtype dtype;
    cr_expect(!mcv_dtype_from_name("f32", &dtype) && !mcv_dtype_from_name("", &dtype));
}

/* Largest, smallest normal, largest and smallest subnormal values as the formats' papers list them. */
Test(dtype, eight_bit_floats) {
    cr_expect_eq(get_byte(MCV_F8_E4M3, 0x7e), 448.0);
    cr_expect_eq(get_byte(MCV_F8_E4M3, 0x08), 0x1p-6);
    cr_expect_eq(get_byte(MCV_F8_E4M3, 0x07), 0.875 * 0x1p-6);
    cr_expect_eq(get_byte(MCV_F8_E4M3, 0x81), -0x1p-9);
    cr_expect(isnan(get_byte(MCV_F8_E4M3, 0x7f)) && isnan(get_byte(MCV_F8_E4M3, 0xff)));
    cr_expect_eq(get_byte(MCV_F8_E5M2, 0x7b), 57344.0);
    cr_expect_eq(get_byte(MCV_F8_E5M2, 0x04), 0x1p-14);
    cr_expect_eq(get_byte(MCV_F8_E5M2, 0x81), -0x1p-16);
    cr_expect(get_byte(MCV_F8_E5M2, 0xfc) == -INFINITY && isnan(get_byte(MCV_F8_E5M2, 0x7d)));
    cr_expect_eq(get_byte(MCV_F8_E4M3FNUZ, 0x7f), 240.0);
    cr_expect_eq(get_byte(MCV_F8_E4M3FNUZ, 0x08), 0x1p-7);
    cr_expect_eq(get_byte(MCV_F8_E4M3FNUZ, 0x81), -0x1p-10);
    cr_expect(isnan(get_byte(MCV_F8_E4M3FNUZ, 0x80)));
    cr_expect_eq(get_byte(MCV_F8_E5M2FNUZ, 0x7f), 57344.0);
    cr_expect_eq(get_byte(MCV_F8_E5M2FNUZ, 0x04), 0x1p-15);
    cr_expect_eq(get_byte(MCV_F8_E5M2FNUZ, 0x81), -0x1p-17);
    cr_expect(isnan(get_byte(MCV_F8_E5M2FNUZ, 0x80)));
    cr_expect_eq(get_byte(MCV_F8_E8M0, 0x00), 0x1p-127);
    cr_expect_eq(get_byte(MCV_F8_E8M0, 0x7f), 1.0);
    cr_expect_eq(get_byte(MCV_F8_E8M0, 0xfe), 0x1p127);
    cr_expect(isnan(get_byte(MCV_F8_E8M0, 0xff)));
}

Test(dtype, floats_that_share_bytes) {
    static const double E2M1[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    for (uint8_t bits = 0; bits < 16; bits++) {
        uint8_t low = (uint8_t)(0x50 | bits), high = (uint8_t)(bits << 4 | 0x05);
        double expected = bits & 8 ? -E2M1[bits & 7] : E2M1[bits & 7];
        cr_expect(get(MCV_F4, &low, 0) == expected && get(MCV_F4, &low, 1) == 3.0, "%d", bits);
        cr_expect(get(MCV_F4, &high, 1) == expected && get(MCV_F4, &high, 0) == 3.0, "%d", bits);
    }
    /* Four elements in three bytes: 0x1f (largest), 0x08 (smallest normal), 0x07 (largest subnormal), 0x21. */
    const uint32_t packed = 0x1fu | 0x08u << 6 | 0x07u << 12 | 0x21u << 18;
    const uint8_t bytes[3] = {packed & 255, packed >> 8 & 255, packed >> 16};
    cr_expect_eq(get(MCV_F6_E2M3, bytes, 0), 7.5);
    cr_expect_eq(get(MCV_F6_E2M3, bytes, 1), 1.0);
    cr_expect_eq(get(MCV_F6_E2M3, bytes, 2), 0.875);
    cr_expect_eq(get(MCV_F6_E2M3, bytes, 3), -0.125);
    cr_expect_eq(get(MCV_F6_E3M2, bytes, 0), 28.0);
    cr_expect_eq(get(MCV_F6_E3M2, bytes, 1), 0.5);
    cr_expect_eq(get(MCV_F6_E3M2, bytes, 2), 0.4375);
    cr_expect_eq(get(MCV_F6_E3M2, bytes, 3), -0.0625);
}

Test(dtype, other_types) {
    const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 0x88};
    cr_expect(get(MCV_BOOL, bytes, 0) == 1 && get(MCV_U8, bytes, 7) == 0x88 && get(MCV_I8, bytes, 7) == -0x78);
    cr_expect(get(MCV_U16, bytes, 3) == 0x8807 && get(MCV_I16, bytes, 3) == 0x8807 - 0x10000);
    cr_expect(get(MCV_U32, bytes, 0) == 0x04030201 && get(MCV_I32, bytes, 1) == 0x88070605 - 0x1p32);
    cr_expect(get(MCV_U64, bytes, 0) == (double)0x8807060504030201u);
    cr_expect(get(MCV_I64, bytes, 0) == (double)(int64_t)0x8807060504030201u);
    const uint16_t halves[] = {0x3c01, 0x0001, 0xfc00, 0x7e00, 0x8000};
    cr_expect(get(MCV_F16, halves, 0) == 1 + 0x1p-10 && get(MCV_F16, halves, 1) == 0x1p-24);
    cr_expect(get(MCV_F16, halves, 2) == -INFINITY && isnan(get(MCV_F16, halves, 3)));
    cr_expect(get(MCV_F16, halves, 4) == 0 && signbit(get(MCV_F16, halves, 4)));
    cr_expect(get(MCV_BF16, halves, 0) == (double)mcv_f32_from_bits(0x3c010000));
    const double d = 0.1;
    const float f = 0.1f, pair[2] = {1, 2};
    cr_expect(get(MCV_F64, &d, 0) == 0.1 && get(MCV_F32, &f, 0) == (double)0.1f);
    cr_expect(isnan(get(MCV_C64, pair, 0)));
}

/* Every way to float agrees, from an unaligned address too. */
Test(dtype, conversion_to_f32_agrees_with_get) {
    uint8_t bytes[8 * 33 + 1];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (int t = 0; t < MCV_DTYPE_COUNT; t++) {
        mcv_tensor tensor = MCV_TENSOR((mcv_dtype)t, bytes + 1, 32);
        float out[20];
        mcv_tensor_to_f32(&tensor, 12, 20, out);
        for (size_t i = 0; i < 20; i++) {
            float expected = (float)mcv_tensor_get(&tensor, 12 + i);
            cr_expect(memcmp(&out[i], &expected, 4) == 0 || (isnan(out[i]) && isnan(expected)), "%s %zu",
                      mcv_dtype_name((mcv_dtype)t), i);
        }
    }
}

Test(dtype, sizes_that_do_not_fit_are_refused) {
    size_t bytes = 0, count = 0;
    mcv_tensor tensor = MCV_TENSOR(MCV_F4, NULL, 3, 5);
    cr_expect(mcv_tensor_count(&tensor, &count) && count == 15);
    cr_expect(!mcv_tensor_bytes(&tensor, &bytes), "15 elements of 4 bits");
    tensor = MCV_TENSOR(MCV_F6_E3M2, NULL, 4, 3);
    cr_expect(mcv_tensor_bytes(&tensor, &bytes) && bytes == 9);
    tensor = MCV_TENSOR(MCV_F32, NULL, INT64_C(1) << 62, 4);
    cr_expect(!mcv_tensor_count(&tensor, &count));
    tensor = MCV_TENSOR(MCV_U8, NULL, INT64_C(1) << 62);
    cr_expect(mcv_tensor_count(&tensor, &count) && !mcv_tensor_bytes(&tensor, &bytes));
    tensor = MCV_TENSOR(MCV_F32, NULL, -1);
    cr_expect(!mcv_tensor_count(&tensor, &count));
    tensor.rank = 0;
    cr_expect(mcv_tensor_bytes(&tensor, &bytes) && bytes == 4, "a scalar");
}

static float next_up(float value) {
    return nextafterf(value, INFINITY);
}

/* Every 16-bit float comes back from FP32 as it was; halfway between two neighbours the even one is taken, a little
 * above the upper one, a little below the lower one. */
Test(dtype, rounds_to_f16_and_bf16) {
    for (uint32_t bits = 0; bits < 0x7c00; bits++) {
        float here = mcv_f32_from_f16((uint16_t)bits);
        float above = bits == 0x7bff ? 65536.0f : mcv_f32_from_f16((uint16_t)(bits + 1));
        float middle = (here + above) / 2;
        cr_assert_eq(mcv_f16_from_f32(here), bits);
        cr_assert_eq(mcv_f16_from_f32(-here), bits | 0x8000);
        cr_assert_eq(mcv_f16_from_f32(middle), bits + (bits & 1), "between %x and its successor", (unsigned)bits);
        cr_assert_eq(mcv_f16_from_f32(next_up(middle)), bits + 1);
        cr_assert_eq(mcv_f16_from_f32(nextafterf(middle, 0)), bits);
    }
    for (uint32_t bits = 0; bits < 0x7f80; bits++) {
        float here = mcv_f32_from_bf16((uint16_t)bits);
        float middle = mcv_f32_from_bits(bits << 16 | 0x8000);
        cr_assert_eq(mcv_bf16_from_f32(here), bits);
        cr_assert_eq(mcv_bf16_from_f32(-here), bits | 0x8000);
        cr_assert_eq(mcv_bf16_from_f32(middle), bits + (bits & 1), "between %x and its successor", (unsigned)bits);
        cr_assert_eq(mcv_bf16_from_f32(next_up(middle)), bits + 1);
    }
    cr_assert_eq(mcv_f16_from_f32(INFINITY), 0x7c00);
    cr_assert_eq(mcv_bf16_from_f32(-INFINITY), 0xff80);
    cr_assert(isnan(mcv_f32_from_f16(mcv_f16_from_f32(NAN))));
    cr_assert(isnan(mcv_f32_from_bf16(mcv_bf16_from_f32(NAN))));
}
