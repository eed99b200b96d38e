/* The product with weights of 8 bits of a new target: integers are exact in any order, so a target takes whatever
 * instruction it has for sums of products of bytes. */
#include "simd/kernels/lanes.h"

/* dot[i] = the sum over k of q[k] and output i of the panel. */
static void multiply(const int8_t *q, const int8_t *w, size_t k, int32_t dot[MCV_LANES]) {
    memset(dot, 0, MCV_LANES * sizeof *dot);
    for (size_t at = 0; at < k; at += 4, w += 4 * MCV_LANES)
        for (int i = 0; i < MCV_LANES; i++)
            for (int j = 0; j < 4; j++)
                dot[i] += q[at + (size_t)j] * w[i * 4 + j];
}

/* The output of row m with the panel of output n. */
static void finish(const mcv_gemm_int8_args *a, size_t m, size_t n, const int32_t dot[MCV_LANES]) {
    float floats[MCV_LANES], *y = a->y + m * a->ldy + n;
    size_t count = mcv_step(a->n - n);
    for (int i = 0; i < MCV_LANES; i++)
        floats[i] = (float)dot[i];
    mcv_floats scale = mcv_floats_multiply(mcv_floats_set(a->scale[m]), mcv_floats_load(a->w_scale + n));
    mcv_floats total = mcv_floats_multiply(mcv_floats_load(floats), scale);
    if (a->bias)
        total = mcv_floats_add(total, mcv_floats_load_step(a->bias + n, count));
    if (a->accumulate)
        total = mcv_floats_add(mcv_floats_load_step(y, count), total);
    mcv_floats_store_step(y, total, count);
}

void mcv_gemm_int8_template(const mcv_gemm_int8_args *a) {
    size_t padded = (a->k + MCV_K_PADDING - 1) / MCV_K_PADDING * MCV_K_PADDING;
    for (size_t m = 0; m < a->m; m++)
        for (size_t n = 0; n < a->n; n += MCV_LANES) {
            int32_t dot[MCV_LANES];
            multiply(a->q + m * a->ldq, a->w + n * padded, padded, dot);
            finish(a, m, n, dot);
        }
}
