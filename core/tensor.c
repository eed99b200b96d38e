#include "core/tensor.h"

#include <math.h>
#include <stdio.h>

static const struct {
    const char *name;
    size_t size;
    bool is_float;
} DTYPES[MCV_DTYPE_COUNT] = {
    [MCV_BOOL] = {"BOOL", 1, false},      [MCV_U8] = {"U8", 1, false},          [MCV_I8] = {"I8", 1, false},
    [MCV_F8_E5M2] = {"F8_E5M2", 1, true}, [MCV_F8_E4M3] = {"F8_E4M3", 1, true}, [MCV_I16] = {"I16", 2, false},
    [MCV_U16] = {"U16", 2, false},        [MCV_F16] = {"F16", 2, true},         [MCV_BF16] = {"BF16", 2, true},
    [MCV_I32] = {"I32", 4, false},        [MCV_U32] = {"U32", 4, false},        [MCV_F32] = {"F32", 4, true},
    [MCV_I64] = {"I64", 8, false},        [MCV_U64] = {"U64", 8, false},        [MCV_F64] = {"F64", 8, true},
};

size_t mcv_dtype_size(mcv_dtype dtype) {
    return DTYPES[dtype].size;
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
    return mcv_tensor_count(tensor, bytes) && mcv_mul_size(*bytes, mcv_dtype_size(tensor->dtype), bytes);
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

/* OCP 8-bit floats (arXiv:2209.05433): E5M2 is the upper half of a binary16; E4M3 has no infinity, one NaN. */
static double f8_e4m3(uint8_t bits) {
    int exponent = (bits >> 3) & 15, fraction = bits & 7;
    double magnitude = exponent == 15 && fraction == 7 ? (double)NAN
                       : exponent                      ? ldexp(8 + fraction, exponent - 10)
                                                       : ldexp(fraction, -9);
    return bits & 0x80 ? -magnitude : magnitude;
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
    case MCV_F8_E5M2:
        return (double)mcv_f32_from_f16((uint16_t)(LOAD(uint8_t, data, index) << 8));
    case MCV_F8_E4M3:
        return f8_e4m3(LOAD(uint8_t, data, index));
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
    case MCV_DTYPE_COUNT:
        break;
    }
    return (double)NAN;
}

void mcv_tensor_to_f32(const mcv_tensor *tensor, size_t index, size_t count, float *out) {
    const char *data = (const char *)tensor->data + index * mcv_dtype_size(tensor->dtype);
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
