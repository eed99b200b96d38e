#include "simd/kernels/gemm_contract.h"

/* The dot product of a group: w points to the group's quadruples of output n. */
static int32_t group_dot(const mcv_gemm_nf4_args *a, const uint8_t *w, const int8_t *q) {
    int32_t dot = 0;
    for (size_t k = 0; k < a->group; k++) {
        uint8_t byte = w[k / 8 * MCV_LANES * 4 + k % 4];
        dot += a->levels[k % 8 < 4 ? byte & 15 : byte >> 4] * q[k];
    }
    return dot;
}

void mcv_gemm_nf4_contract(const mcv_gemm_nf4_args *a) {
    size_t groups = mcv_groups(a->k, a->group);
    for (size_t m = 0; m < a->m; m++)
        for (size_t n = 0; n < a->n; n++) {
            float total = 0;
            for (size_t g = 0; g < groups; g++) {
                size_t panel = n / MCV_LANES * groups + g;
                const uint8_t *w = a->w + panel * a->group / 2 * MCV_LANES + n % MCV_LANES * 4;
                int32_t dot = group_dot(a, w, a->q + m * a->ldq + g * a->group);
                float scale = a->w_scale[panel * MCV_LANES + n % MCV_LANES] * a->scale[m * groups + g];
                total = fmaf((float)dot, scale, total);
            }
            mcv_store_output(total, a->bias, n, a->accumulate, a->y + m * a->ldy);
        }
}
