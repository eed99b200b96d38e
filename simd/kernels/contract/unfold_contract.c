#include "simd/kernels/kernels.h"

void mcv_unfold_contract(const mcv_unfold_args *a) {
    size_t patch = a->patch;
    for (size_t i = 0; i < a->grid_h * a->grid_w; i++) {
        const uint8_t *x = a->x + i / a->grid_w * patch * a->row_step + i % a->grid_w * patch * a->column_step;
        float *y = a->y + i * a->ldy;
        for (size_t c = 0; c < 3; c++)
            for (size_t v = 0; v < patch; v++)
                for (size_t h = 0; h < patch; h++) {
                    uint8_t level = x[c * a->channel_step + v * a->row_step + h * a->column_step];
                    *y++ = ((float)level / 255.0f - a->mean[c]) / a->std[c];
                }
    }
}
