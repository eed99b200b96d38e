/* embed_rows on the registers of lanes.h. */
#ifndef MCV_SIMD_KERNELS_EMBED_ROWS_LANES_H
#define MCV_SIMD_KERNELS_EMBED_ROWS_LANES_H

#include "simd/kernels/lanes.h"

MCV_INLINE mcv_floats mcv_load_bf16_step(const uint16_t *p, size_t count) {
    return count == MCV_LANES ? mcv_floats_load_bf16(p) : mcv_floats_load_bf16_part(p, count);
}
MCV_INLINE mcv_floats mcv_load_f16_step(const uint16_t *p, size_t count) {
    return count == MCV_LANES ? mcv_floats_load_f16(p) : mcv_floats_load_f16_part(p, count);
}

MCV_INLINE void mcv_widen_row(const uint16_t *x, bool bf16, size_t columns, float *y) {
    for (size_t d = 0; d < columns; d += MCV_LANES) {
        size_t count = mcv_step(columns - d);
        mcv_floats_store_step(y + d, bf16 ? mcv_load_bf16_step(x + d, count) : mcv_load_f16_step(x + d, count), count);
    }
}

MCV_INLINE void mcv_embed_rows_lanes(const mcv_embed_args *a) {
    for (size_t i = 0; i < a->rows; i++) {
        size_t first = (size_t)a->ids[i] * a->columns;
        float *y = a->y + i * a->ldy;
        if (a->type == MCV_TABLE_F32)
            memcpy(y, (const float *)a->table + first, a->columns * sizeof *y);
        else
            mcv_widen_row((const uint16_t *)a->table + first, a->type == MCV_TABLE_BF16, a->columns, y);
    }
}

#endif
