#include "simd/kernels/kernel_math.h"

void mcv_rms_norm_contract(const mcv_norm_args *a) {
    for (size_t row = 0; row < a->rows; row++) {
        const float *x = a->x + row * a->ldx;
        float *y = a->y + row * a->ldy, partial[MCV_LANES] = {0};
        for (size_t i = 0; i < a->columns; i++)
            partial[i % MCV_LANES] = fmaf(x[i], x[i], partial[i % MCV_LANES]);
        float mean = mcv_tree_sum(partial) / (float)a->columns;
        float scale = 1.0f / sqrtf(mean + a->eps);
        for (size_t i = 0; i < a->columns; i++)
            y[i] = x[i] * scale * a->weight[i];
    }
}
