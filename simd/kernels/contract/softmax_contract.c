#include "simd/kernels/kernel_math.h"

void mcv_softmax_contract(const mcv_softmax_args *a) {
    for (size_t row = 0; row < a->rows; row++) {
        const float *x = a->x + row * a->ldx;
        float *y = a->y + row * a->ldy, largest = x[0], partial[MCV_LANES] = {0};
        for (size_t i = 0; i < a->columns; i++)
            largest = x[i] > largest || x[i] != x[i] ? x[i] : largest;
        for (size_t i = 0; i < a->columns; i++) {
            y[i] = mcv_expf(x[i] - largest);
            partial[i % MCV_LANES] = partial[i % MCV_LANES] + y[i];
        }
        float sum = mcv_tree_sum(partial);
        for (size_t i = 0; i < a->columns; i++)
            y[i] = y[i] / sum;
    }
}
