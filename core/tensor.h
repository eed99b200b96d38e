/* Element types and tensor views: names, sizes, conversions. */
#ifndef MCV_CORE_TENSOR_H
#define MCV_CORE_TENSOR_H

#include <string.h>

#include "core/memory.h"

/* Bits of one element. */
size_t mcv_dtype_bits(mcv_dtype dtype);
/* Bytes of one element; 0 where several share a byte. */
size_t mcv_dtype_size(mcv_dtype dtype);
/* The name in the safetensors format ("BF16"). */
const char *mcv_dtype_name(mcv_dtype dtype);
/* false where the name is unknown. */
bool mcv_dtype_from_name(const char *name, mcv_dtype *dtype);
/* Real floating point: not C64. */
bool mcv_dtype_is_float(mcv_dtype dtype);

/* Elements and bytes; false on overflow, on a negative size and on elements that end within a byte. */
bool mcv_tensor_count(const mcv_tensor *tensor, size_t *count);
bool mcv_tensor_bytes(const mcv_tensor *tensor, size_t *bytes);
bool mcv_tensor_same_shape(const mcv_tensor *a, const mcv_tensor *b);
/* Writes "[2, 3, 4]" and returns `text`. */
const char *mcv_tensor_shape_text(const mcv_tensor *tensor, char *text, size_t size);

/* MCV_TENSOR(MCV_F32, data, 2, 3): a view of shape [2, 3]. */
#define MCV_TENSOR(type, pointer, ...)                                                                                 \
    ((mcv_tensor){.dtype = (type),                                                                                     \
                  .rank = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                                   \
                  .shape = {__VA_ARGS__},                                                                              \
                  .data = (pointer)})

static inline float mcv_f32_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float mcv_f32_from_bf16(uint16_t bits) {
    return mcv_f32_from_bits((uint32_t)bits << 16);
}

/* IEEE binary16 to binary32, exact. NaN payloads keep their bits, denormals their value. */
static inline float mcv_f32_from_f16(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, exponent = (bits >> 10) & 0x1fu, fraction = bits & 0x3ffu;
    if (exponent == 0x1f)
        return mcv_f32_from_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent != 0)
        return mcv_f32_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float magnitude = (float)fraction * 0x1p-24f;
    return sign ? -magnitude : magnitude;
}

/* Rounded to nearest, ties to even. NaN stays NaN, what is too large becomes infinite. */
uint16_t mcv_bf16_from_f32(float value);
uint16_t mcv_f16_from_f32(float value);

/* Element `index` of a float or integer tensor as a double (64-bit integers are rounded; NaN for C64). */
double mcv_tensor_get(const mcv_tensor *tensor, size_t index);

/* Converts `count` elements from `index` on to float (exact for F16, BF16, F32; rounded for F64). */
void mcv_tensor_to_f32(const mcv_tensor *tensor, size_t index, size_t count, float *out);

#endif
