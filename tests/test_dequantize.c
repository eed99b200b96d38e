#include <criterion/criterion.h>
#include <stdio.h>

#include "formats/gguf.h"

/* Values of random blocks as the Python package gguf computes them: tests/fixtures/make_quantized_blocks.py. */
Test(dequantize, golden_blocks) {
    mcv_gguf *file;
    cr_assert_eq(mcv_gguf_open("tests/fixtures/quantized/blocks.gguf", &file), MCV_OK, "%s", mcv_error_message());
    for (int type = MCV_WEIGHT_F16; type < MCV_WEIGHT_BLOCK_TYPES; type++) {
        char name[32];
        const char *type_name = mcv_weight_type_name((mcv_weight_type)type);
        snprintf(name, sizeof name, "%s.values", type_name);
        const mcv_gguf_tensor *blocks = mcv_gguf_find_tensor(file, type_name),
                              *values = mcv_gguf_find_tensor(file, name);
        cr_assert(blocks && values, "%s", type_name);
        cr_assert(blocks->has_weight_type && blocks->weight_type == (mcv_weight_type)type, "%s", type_name);
        size_t size = mcv_weight_block_size(blocks->weight_type), bytes = mcv_weight_block_bytes(blocks->weight_type);
        size_t count = blocks->bytes / bytes;
        cr_assert_eq(values->bytes, count * size * sizeof(float));
        float *out = malloc(values->bytes);
        mcv_dequantize(blocks->weight_type, blocks->data, count, out);
        cr_expect_arr_eq(out, values->data, values->bytes, "%s", type_name);
        /* One block by itself, from an odd address. */
        uint8_t *moved = malloc(bytes + 1);
        memcpy(moved + 1, blocks->data + (count - 1) * bytes, bytes);
        mcv_dequantize(blocks->weight_type, moved + 1, 1, out);
        cr_expect_arr_eq(out, values->data + (count - 1) * size * sizeof(float), size * sizeof(float), "%s", type_name);
        free(moved);
        free(out);
    }
    mcv_gguf_close(file);
}

Test(dequantize, types_by_name) {
    mcv_weight_type type;
    for (int i = 0; i < MCV_WEIGHT_BLOCK_TYPES; i++) {
        cr_expect(mcv_weight_type_from_name(mcv_weight_type_name((mcv_weight_type)i), &type));
        cr_expect_eq((int)type, i);
        const mcv_gguf_element *element = mcv_gguf_element_of(mcv_gguf_type_id((mcv_weight_type)i));
        cr_expect(element->weight_type == i && element->block_size == mcv_weight_block_size(type) &&
                  element->block_bytes == mcv_weight_block_bytes(type));
    }
    cr_expect(!mcv_weight_type_from_name("Q9_0", &type));
}
