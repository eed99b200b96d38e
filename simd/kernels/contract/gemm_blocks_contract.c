#include "core/tensor.h"
#include "simd/kernels/gemm_contract.h"

/* The code of output n and k: w points to the 16 k of its panel that k is among. */
static int code_of(const uint8_t *w, int bits, size_t n, size_t k) {
    const uint8_t *quadruple = w + n % MCV_LANES * 4 + k % 4;
    size_t step = MCV_LANES * 4;
    if (bits == 8)
        return quadruple[k / 4 % 4 * step];
    int low = quadruple[k / 8 % 2 * step] >> k / 4 % 2 * 4 & 15;
    return bits == 4 ? low : low | (quadruple[2 * step] >> k / 4 % 4 * 2 & 3) << 4;
}

/* The number that it stands for. */
static int number_of(const mcv_gemm_blocks_args *a, const uint8_t *w, size_t n, size_t k) {
    int code = code_of(w, a->bits, n, k);
    return a->levels ? a->levels[code] : code - a->zero;
}

/* A block of output n: its groups with those of a row whose activations are q. */
static float block_of(const mcv_gemm_blocks_args *a, size_t n, size_t b, const int8_t *q) {
    size_t panel = n / MCV_LANES, block = (panel * (a->k / a->block) + b) * MCV_LANES + n % MCV_LANES;
    int32_t dot = 0, low = 0;
    for (size_t g = b * a->block / a->group; g < (b + 1) * a->block / a->group; g++) {
        size_t at = (panel * (a->k / a->group) + g) * MCV_LANES + n % MCV_LANES;
        int32_t group = 0, sum = 0;
        for (size_t k = g * a->group; k < (g + 1) * a->group; k++) {
            const uint8_t *w = a->w + (panel * a->k + k / 16 * 16) * MCV_LANES / 8 * (size_t)a->bits;
            group += number_of(a, w, n, k) * q[k];
            sum += q[k];
        }
        dot += group * (a->w_group_scale ? a->w_group_scale[at] : 1);
        low -= sum * (a->w_group_min ? a->w_group_min[at] : 1);
    }
    float d = mcv_f32_from_f16(a->w_scale[block]);
    return a->w_min ? fmaf((float)dot, d, (float)low * mcv_f32_from_f16(a->w_min[block])) : (float)dot * d;
}

void mcv_gemm_blocks_contract(const mcv_gemm_blocks_args *a) {
    size_t blocks = a->k / a->block;
    for (size_t m = 0; m < a->m; m++)
        for (size_t n = 0; n < a->n; n++) {
            float total = 0;
            for (size_t b = 0; b < blocks; b++)
                total = fmaf(block_of(a, n, b, a->q + m * a->ldq), a->scale[m * blocks + b], total);
            mcv_store_output(total, a->bias, n, a->accumulate, a->y + m * a->ldy);
        }
}
