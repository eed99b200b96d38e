#include "simd/kernels/kernel_math.h"

void mcv_layer_norm_contract(const mcv_norm_args *a) {
    for (size_t row = 0; row < a->rows; row++) {
        const float *x = a->x + row * a->ldx;
        float *y = a->y + row * a->ldy, sums[MCV_LANES] = {0}, squares[MCV_LANES] = {0};
        for (size_t i = 0; i < a->columns; i++)
            sums[i % MCV_LANES] = sums[i % MCV_LANES] + x[i];
        float mean = mcv_tree_sum(sums) / (float)a->columns;
        for (size_t i = 0; i < a->columns; i++)
            squares[i % MCV_LANES] = fmaf(x[i] - mean, x[i] - mean, squares[i % MCV_LANES]);
        float scale = 1.0f / sqrtf(mcv_tree_sum(squares) / (float)a->columns + a->eps);
        for (size_t i = 0; i < a->columns; i++)
            y[i] = fmaf((x[i] - mean) * scale, a->weight[i], a->bias[i]);
    }
}
