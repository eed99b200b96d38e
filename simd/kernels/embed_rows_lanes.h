/* embed_rows on the registers of lanes.h. */
#ifndef MCV_SIMD_KERNELS_EMBED_ROWS_LANES_H
#define MCV_SIMD_KERNELS_EMBED_ROWS_LANES_H

#include "simd/kernels/lanes.h"

MCV_INLINE void mcv_widen_row(const uint16_t *x, size_t columns, float *y) {
    for (size_t d = 0; d < columns; d += MCV_LANES) {
        size_t count = mcv_step(columns - d);
        mcv_floats row = count == MCV_LANES ? mcv_floats_load_bf16(x + d) : mcv_floats_load_bf16_part(x + d, count);
        mcv_floats_store_step(y + d, row, count);
    }
}

MCV_INLINE void mcv_embed_rows_lanes(const mcv_embed_args *a) {
    for (size_t i = 0; i < a->rows; i++) {
        size_t first = (size_t)a->ids[i] * a->columns;
        if (a->bf16)
            mcv_widen_row((const uint16_t *)a->table + first, a->columns, a->y + i * a->ldy);
        else
            memcpy(a->y + i * a->ldy, (const float *)a->table + first, a->columns * sizeof *a->y);
    }
}

#endif
