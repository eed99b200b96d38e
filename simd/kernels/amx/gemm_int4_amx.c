/* The product with weights of 4 bits in tiles: a panel's weights, less their zeros, become bytes in the caller's
 * scratch memory, then each 16 rows of activations go through its groups. A group is one product of tiles or two; its
 * scales are applied to what the tile of sums holds then. */
#include "simd/kernels/amx/amx_group.h"

enum {
    STEP = 8, /* k in 64 bytes of packed weights */
    ROWS = MCV_TILE_HEIGHT
};

/* The panel of output n: [k / 8][16][4] bytes of two nibbles each to [k / 4][16][4] weights, which are in [-16, 15]. */
static void unpack(const mcv_gemm_int4_args *a, size_t n, int8_t *bytes) {
    size_t groups = mcv_groups(a->k, a->group), panel = n / MCV_LANES * groups;
    const uint8_t *w = a->w + panel * a->group / 2 * MCV_LANES;
    const mcv_ints mask = mcv_ints_set(0x0f0f0f0f), every_byte = mcv_ints_set(0x01010101);
    for (size_t g = 0; g < groups; g++) {
        mcv_ints zero = a->w_zero ? mcv_ints_load_u8(a->w_zero + (panel + g) * MCV_LANES) : mcv_ints_set(8);
        zero = mcv_ints_multiply(zero, every_byte);
        for (size_t k = 0; k < a->group; k += STEP, w += 64, bytes += 128) {
            mcv_ints both = mcv_ints_load(w), low = mcv_bytes_subtract(mcv_ints_and(both, mask), zero);
            mcv_ints high = mcv_bytes_subtract(mcv_ints_and(mcv_ints_shift_right(both, 4), mask), zero);
            memcpy(bytes, &low, sizeof low);
            memcpy(bytes + 64, &high, sizeof high);
        }
    }
    mcv_finish_writing();
}

/* The outputs of the rows with the panel of output n, whose unpacked weights are `w`. */
static void multiply_panel(const mcv_gemm_int4_args *a, const mcv_tile_rows *rows, size_t n, const int8_t *w) {
    size_t groups = mcv_groups(a->k, a->group), panel = n / MCV_LANES * groups;
    mcv_floats total[ROWS];
    _Pragma("GCC unroll 16") for (int r = 0; r < ROWS; r++) total[r] = mcv_floats_set(0);
    int32_t sums[ROWS * MCV_LANES] __attribute__((aligned(64))) = {0}; /* rows that are not there stay 0 */
    for (size_t g = 0; g < groups; g++) {
        mcv_multiply_group(a->q + rows->first * a->ldq + g * a->group, a->ldq, w + g * a->group * MCV_LANES, a->group,
                           sums);
        mcv_floats w_scale = mcv_floats_load_f16(a->w_scale + (panel + g) * MCV_LANES);
        _Pragma("GCC unroll 16") for (int r = 0; r < ROWS; r++) {
            mcv_floats scale = mcv_floats_multiply(w_scale, mcv_floats_set(a->scale[rows->index[r] * groups + g]));
            total[r] = mcv_floats_fma(mcv_floats_from_ints(mcv_ints_load(sums + r * MCV_LANES)), scale, total[r]);
        }
    }
    float outputs[ROWS][MCV_LANES];
    _Pragma("GCC unroll 16") for (int r = 0; r < ROWS; r++) mcv_floats_store(outputs[r], total[r]);
    for (size_t r = 0; r < rows->count; r++)
        mcv_store_outputs(outputs[r], a->bias ? a->bias + n : NULL, a->accumulate, a->y + rows->index[r] * a->ldy + n,
                          mcv_step(a->n - n));
}

void mcv_gemm_int4_amx(const mcv_gemm_int4_args *a) {
    size_t padded = mcv_groups(a->k, a->group) * a->group;
    if (a->m < MCV_ROWS_FOR_TILES || padded * MCV_LANES > MCV_SCRATCH_BYTES) {
        mcv_gemm_int4_avx512vnni(a);
        return;
    }
    size_t configured = 0;
    int8_t *bytes = a->scratch;
    for (size_t n = 0; n < a->n; n += MCV_LANES) {
        unpack(a, n, bytes);
        for (size_t m = 0; m < a->m; m += ROWS) {
            mcv_tile_rows rows = mcv_tile_rows_from(m, a->m);
            mcv_configure_group(rows.count, a->group, &configured);
            multiply_panel(a, &rows, n, bytes);
        }
    }
    _tile_release();
}
