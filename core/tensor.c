#include "core/tensor.h"

#include <math.h>
#include <stdio.h>

static const struct {
    const char *name;
    size_t bits;
    bool is_float;
} DTYPES[MCV_DTYPE_COUNT] = {
    [MCV_BOOL] = {"BOOL", 8, false},
    [MCV_F4] = {"F4", 4, true},
    [MCV_F6_E2M3] = {"F6_E2M3", 6, true},
    [MCV_F6_E3M2] = {"F6_E3M2", 6, true},
    [MCV_U8] = {"U8", 8, false},
    [MCV_I8] = {"I8", 8, false},
    [MCV_F8_E5M2] = {"F8_E5M2", 8, true},
    [MCV_F8_E4M3] = {"F8_E4M3", 8, true},
    [MCV_F8_E8M0] = {"F8_E8M0", 8, true},
    [MCV_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", 8, true},
    [MCV_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", 8, true},
    [MCV_I16] = {"I16", 16, false},
    [MCV_U16] = {"U16", 16, false},
    [MCV_F16] = {"F16", 16, true},
    [MCV_BF16] = {"BF16", 16, true},
    [MCV_I32] = {"I32", 32, false},
    [MCV_U32] = {"U32", 32, false},
    [MCV_F32] = {"F32", 32, true},
    [MCV_C64] = {"C64", 64, false},
    [MCV_F64] = {"F64", 64, true},
    [MCV_I64] = {"I64", 64, false},
    [MCV_U64] = {"U64", 64, false},
};

size_t mcv_dtype_bits(mcv_dtype dtype) {
    return DTYPES[dtype].bits;
}

size_t mcv_dtype_size(mcv_dtype dtype) {
    return DTYPES[dtype].bits / 8;
}

const char *mcv_dtype_name(mcv_dtype dtype) {
    return DTYPES[dtype].name;
}

bool mcv_dtype_is_float(mcv_dtype dtype) {
    return DTYPES[dtype].is_float;
}

bool mcv_dtype_from_name(const char *name, mcv_dtype *dtype) {
    for (int i = 0; i < MCV_DTYPE_COUNT; i++)
        if (strcmp(name, DTYPES[i].name) == 0) {
            *dtype = (mcv_dtype)i;
            return true;
        }
    return false;
}

bool mcv_tensor_count(const mcv_tensor *tensor, size_t *count) {
    *count = 1;
    for (int i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] < 0 || !mcv_mul_size(*count, (size_t)tensor->shape[i], count))
            return false;
    return true;
}

bool mcv_tensor_bytes(const mcv_tensor *tensor, size_t *bytes) {
    size_t bits;
    if (!mcv_tensor_count(tensor, &bits) || !mcv_mul_size(bits, mcv_dtype_bits(tensor->dtype), &bits))
        return false;
    *bytes = bits / 8;
    return bits % 8 == 0;
}

bool mcv_tensor_same_shape(const mcv_tensor *a, const mcv_tensor *b) {
    return a->rank == b->rank && memcmp(a->shape, b->shape, (size_t)a->rank * sizeof a->shape[0]) == 0;
}

const char *mcv_tensor_shape_text(const mcv_tensor *tensor, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < tensor->rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? ", " : "", (long long)tensor->shape[i]);
    if (used < size)
        snprintf(text + used, size - used, "]");
    return text;
}

/* A float of 1 + exponent_bits + fraction_bits bits without infinities: OCP MX 1.0, section 5.3. */
static double small_float(unsigned bits, int exponent_bits, int fraction_bits, int bias) {
    int fraction = (int)(bits & ((1u << fraction_bits) - 1));
    int exponent = (int)(bits >> fraction_bits & ((1u << exponent_bits) - 1));
    double magnitude = exponent ? ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits)
                                : ldexp(fraction, 1 - bias - fraction_bits);
    return bits >> (exponent_bits + fraction_bits) & 1 ? -magnitude : magnitude;
}

/* OCP 8-bit floats (arXiv:2209.05433): E5M2 is the upper half of a binary16; E4M3 has no infinity, one NaN. */
static double f8_e4m3(uint8_t bits) {
    return (bits & 0x7f) == 0x7f ? (double)NAN : small_float(bits, 4, 3, 7);
}

/* FNUZ (arXiv:2206.02915): no infinity; what would be minus zero is the one NaN. */
static double f8_fnuz(uint8_t bits, int exponent_bits, int fraction_bits, int bias) {
    return bits == 0x80 ? (double)NAN : small_float(bits, exponent_bits, fraction_bits, bias);
}

/* A power of two, without a sign. */
static double f8_e8m0(uint8_t bits) {
    return bits == 0xff ? (double)NAN : ldexp(1, bits - 127);
}

/* Element `index` of a type with several elements a byte. */
static unsigned packed_bits(const void *data, size_t index, size_t bits) {
    const uint8_t *bytes = data;
    unsigned value = 0;
    for (size_t i = 0; i < bits; i++) {
        size_t bit = index * bits + i;
        value |= (unsigned)(bytes[bit / 8] >> bit % 8 & 1) << i;
    }
    return value;
}

static uint32_t f32_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

uint16_t mcv_bf16_from_f32(float value) {
    uint32_t bits = f32_bits(value);
    if (value != value)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

uint16_t mcv_f16_from_f32(float value) {
    uint32_t bits = f32_bits(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (value != value)
        return (uint16_t)(sign | 0x7e00);
    if (magnitude >= 0x477ff000) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) /* below 2^-14: a multiple of 2^-24, rounded by the addition */
        return (uint16_t)(sign | (f32_bits(mcv_f32_from_bits(magnitude) + 0.5f) - f32_bits(0.5f)));
    uint32_t rebiased = magnitude - (112u << 23);
    return (uint16_t)(sign | (rebiased + 0xfff + (rebiased >> 13 & 1)) >> 13);
}

/* Unaligned loads: safetensors promises no alignment beyond the header's. */
#define LOAD(type, pointer, index)                                                                                     \
    __extension__({                                                                                                    \
        type loaded_;                                                                                                  \
        memcpy(&loaded_, (const char *)(pointer) + (index) * sizeof(type), sizeof(type));                              \
        loaded_;                                                                                                       \
    })

double mcv_tensor_get(const mcv_tensor *tensor, size_t index) {
    const void *data = tensor->data;
    switch (tensor->dtype) {
    case MCV_BOOL:
    case MCV_U8:
        return LOAD(uint8_t, data, index);
    case MCV_I8:
        return LOAD(int8_t, data, index);
    case MCV_F4:
        return small_float(packed_bits(data, index, 4), 2, 1, 1);
    case MCV_F6_E2M3:
        return small_float(packed_bits(data, index, 6), 2, 3, 1);
    case MCV_F6_E3M2:
        return small_float(packed_bits(data, index, 6), 3, 2, 3);
    case MCV_F8_E5M2:
        return (double)mcv_f32_from_f16((uint16_t)(LOAD(uint8_t, data, index) << 8));
    case MCV_F8_E4M3:
        return f8_e4m3(LOAD(uint8_t, data, index));
    case MCV_F8_E8M0:
        return f8_e8m0(LOAD(uint8_t, data, index));
    case MCV_F8_E4M3FNUZ:
        return f8_fnuz(LOAD(uint8_t, data, index), 4, 3, 8);
    case MCV_F8_E5M2FNUZ:
        return f8_fnuz(LOAD(uint8_t, data, index), 5, 2, 16);
    case MCV_I16:
        return LOAD(int16_t, data, index);
    case MCV_U16:
        return LOAD(uint16_t, data, index);
    case MCV_F16:
        return (double)mcv_f32_from_f16(LOAD(uint16_t, data, index));
    case MCV_BF16:
        return (double)mcv_f32_from_bf16(LOAD(uint16_t, data, index));
    case MCV_I32:
        return LOAD(int32_t, data, index);
    case MCV_U32:
        return LOAD(uint32_t, data, index);
    case MCV_F32:
        return (double)LOAD(float, data, index);
    case MCV_I64:
        return (double)LOAD(int64_t, data, index);
    case MCV_U64:
        return (double)LOAD(uint64_t, data, index);
    case MCV_F64:
        return LOAD(double, data, index);
    case MCV_C64:
    case MCV_DTYPE_COUNT:
        break;
    }
    return (double)NAN;
}

void mcv_tensor_to_f32(const mcv_tensor *tensor, size_t index, size_t count, float *out) {
    const void *data = (const char *)tensor->data + index * mcv_dtype_size(tensor->dtype);
    switch (tensor->dtype) {
    case MCV_F32:
        memcpy(out, data, count * sizeof *out);
        break;
    case MCV_BF16:
        for (size_t i = 0; i < count; i++)
            out[i] = mcv_f32_from_bf16(LOAD(uint16_t, data, i));
        break;
    case MCV_F16:
        for (size_t i = 0; i < count; i++)
            out[i] = mcv_f32_from_f16(LOAD(uint16_t, data, i));
        break;
    default:
        for (size_t i = 0; i < count; i++)
            out[i] = (float)mcv_tensor_get(tensor, index + i);
    }
}
