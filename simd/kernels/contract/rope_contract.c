#include <math.h>

#include "simd/kernels/kernels.h"

void mcv_rope_contract(const mcv_rope_args *a) {
    size_t half = a->head_dim / 2;
    for (size_t row = 0; row < a->rows; row++)
        for (size_t head = 0; head < a->heads; head++) {
            float *x = a->x + row * a->ldx + head * a->head_dim;
            const float *cosine = a->cos + row * half, *sine = a->sin + row * half;
            for (size_t d = 0; d < half; d++) {
                float low = x[d], high = x[half + d];
                x[d] = fmaf(low, cosine[d], -(high * sine[d]));
                x[half + d] = fmaf(high, cosine[d], low * sine[d]);
            }
        }
}
