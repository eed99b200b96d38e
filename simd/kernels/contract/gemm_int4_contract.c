#include "core/tensor.h"
#include "simd/kernels/gemm_contract.h"

/* The dot product of a group: w points to the group's quadruples of output n. */
static int32_t group_dot(const uint8_t *w, const int8_t *q, size_t group, int32_t zero, int32_t sum) {
    int32_t dot = 0;
    for (size_t k = 0; k < group; k++) {
        uint8_t byte = w[k / 8 * MCV_LANES * 4 + k % 4];
        dot += (k % 8 < 4 ? byte & 15 : byte >> 4) * q[k];
    }
    return dot - zero * sum;
}

void mcv_gemm_int4_contract(const mcv_gemm_int4_args *a) {
    size_t groups = mcv_groups(a->k, a->group), group_bytes = a->group / 2 * MCV_LANES;
    for (size_t m = 0; m < a->m; m++)
        for (size_t n = 0; n < a->n; n++) {
            float total = 0;
            for (size_t g = 0; g < groups; g++) {
                size_t panel = n / MCV_LANES * groups + g, at = panel * MCV_LANES + n % MCV_LANES;
                const uint8_t *w = a->w + panel * group_bytes + n % MCV_LANES * 4;
                int32_t zero = a->w_zero ? a->w_zero[at] : 8;
                int32_t dot = group_dot(w, a->q + m * a->ldq + g * a->group, a->group, zero, a->sum[m * groups + g]);
                total = fmaf((float)dot, mcv_f32_from_f16(a->w_scale[at]) * a->scale[m * groups + g], total);
            }
            mcv_store_output(total, a->bias, n, a->accumulate, a->y + m * a->ldy);
        }
}
