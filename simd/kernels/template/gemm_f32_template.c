/* The product with FP32 weights of a new target: a panel of 16 outputs with up to ROWS rows, whose chains stay in
 * registers. To be made fast: more panels or rows at a time as registers allow, copies of rows (gemm_float_tiles.h). */
#include "simd/kernels/lanes.h"

enum { ROWS = 4 };

/* `rows` rows from m on with the panel of output n; `rows` is a constant after inlining. */
MCV_INLINE void multiply(const mcv_gemm_args *a, size_t m, size_t n, const int rows) {
    const float *w = (const float *)a->w + n * a->k, *x = a->x + m * a->ldx;
    mcv_floats total[ROWS], chain[ROWS];
    for (int r = 0; r < rows; r++)
        total[r] = mcv_floats_set(0);
    for (size_t k = 0; k < a->k;) {
        size_t end = a->k - k < MCV_K_BLOCK ? a->k : k + MCV_K_BLOCK;
        for (int r = 0; r < rows; r++)
            chain[r] = mcv_floats_set(0);
        for (; k < end; k++) {
            mcv_floats weight = mcv_floats_load(w + k * MCV_LANES);
            for (int r = 0; r < rows; r++)
                chain[r] = mcv_floats_fma(mcv_floats_set(x[(size_t)r * a->ldx + k]), weight, chain[r]);
        }
        for (int r = 0; r < rows; r++)
            total[r] = mcv_floats_add(total[r], chain[r]);
    }
    size_t count = mcv_step(a->n - n);
    for (int r = 0; r < rows; r++) {
        float *y = a->y + (m + (size_t)r) * a->ldy + n;
        if (a->bias)
            total[r] = mcv_floats_add(total[r], mcv_floats_load_step(a->bias + n, count));
        if (a->accumulate)
            total[r] = mcv_floats_add(mcv_floats_load_step(y, count), total[r]);
        mcv_floats_store_step(y, total[r], count);
    }
}

void mcv_gemm_f32_template(const mcv_gemm_args *a) {
    for (size_t n = 0; n < a->n; n += MCV_LANES) {
        size_t m = 0;
        for (; a->m - m >= ROWS; m += ROWS)
            multiply(a, m, n, ROWS);
        for (; m < a->m; m++)
            multiply(a, m, n, 1);
    }
}
