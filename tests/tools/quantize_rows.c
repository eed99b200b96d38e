/* Quantizes numbers and reads them back, for tests/live/quantizer.py:
 *
 *     quantize_rows TYPE COLUMNS <values.f32 >blocks
 *     quantize_rows --values TYPE <blocks >values.f32 */
#include <stdio.h>

#include "core/buffer.h"
#include "formats/quantize_blocks.h"

static mcv_status read_all(mcv_buffer *in) {
    char chunk[65536];
    size_t got;
    while ((got = fread(chunk, 1, sizeof chunk, stdin)) > 0)
        MCV_TRY(mcv_buffer_append(in, chunk, got));
    return MCV_OK;
}

static int write_values(mcv_weight_type type, const mcv_buffer *in) {
    float values[256];
    size_t bytes = mcv_weight_block_bytes(type);
    for (size_t at = 0; at + bytes <= in->size; at += bytes) {
        mcv_dequantize(type, in->data + at, 1, values);
        fwrite(values, sizeof *values, mcv_weight_block_size(type), stdout);
    }
    return 0;
}

static int write_blocks(mcv_weight_type type, size_t columns, const mcv_buffer *in) {
    size_t bytes = columns / mcv_weight_block_size(type) * mcv_weight_block_bytes(type);
    float *row = malloc(columns * sizeof *row);
    uint8_t *blocks = malloc(bytes);
    if (!row || !blocks)
        return 1;
    for (size_t at = 0; at + columns * sizeof *row <= in->size; at += columns * sizeof *row) {
        memcpy(row, in->data + at, columns * sizeof *row);
        mcv_quantize_row(type, row, NULL, columns, blocks);
        fwrite(blocks, 1, bytes, stdout);
    }
    free(row);
    free(blocks);
    return 0;
}

int main(int argc, char **argv) {
    bool to_values = argc == 3 && strcmp(argv[1], "--values") == 0;
    mcv_weight_type type;
    mcv_buffer in = {0};
    if (argc != 3 || !mcv_weight_type_from_name(argv[to_values ? 2 : 1], &type) || read_all(&in) != MCV_OK) {
        fprintf(stderr, "usage: quantize_rows TYPE COLUMNS | quantize_rows --values TYPE\n");
        return 2;
    }
    int status = to_values ? write_values(type, &in) : write_blocks(type, (size_t)atoi(argv[2]), &in);
    mcv_buffer_free(&in);
    return status;
}
