/* resize_width and resize_height on the registers of pixel_lanes.h. */
#ifndef MCV_SIMD_KERNELS_RESIZE_LANES_H
#define MCV_SIMD_KERNELS_RESIZE_LANES_H

#include "simd/kernels/pixel_lanes.h"
#include "simd/kernels/resize_contract.h"

#if defined(__AVX2__) || defined(__aarch64__)

/* Bytes that are summed up together: those of MCV_LANES pixels. */
enum { MCV_RESIZE_BYTES = 3 * MCV_LANES };

/* MCV_RESIZE_BYTES of y from `count` rows of x. */
MCV_INLINE void mcv_resize_bytes(const uint8_t *x, size_t ldx, const int32_t *weights, size_t count, uint8_t *y) {
    mcv_sums a = mcv_sums_set(1 << (MCV_RESIZE_BITS - 1)), b = a, c = a;
    for (size_t j = 0; j < count; j++, x += ldx) {
        a = mcv_sums_add(a, x, weights[j]);
        b = mcv_sums_add(b, x + MCV_LANES, weights[j]);
        c = mcv_sums_add(c, x + 2 * MCV_LANES, weights[j]);
    }
    mcv_bytes_store(y, mcv_sums_clip(a));
    mcv_bytes_store(y + MCV_LANES, mcv_sums_clip(b));
    mcv_bytes_store(y + 2 * MCV_LANES, mcv_sums_clip(c));
}

MCV_INLINE void mcv_resize_height_lanes(const mcv_resize_args *a) {
    size_t bytes = a->columns * 3, whole = bytes / MCV_RESIZE_BYTES * MCV_RESIZE_BYTES;
    for (size_t i = 0; i < a->rows; i++) {
        const uint8_t *x = a->x + (size_t)a->first[i] * a->ldx;
        const int32_t *weights = a->weights + i * a->stride;
        uint8_t *y = a->y + i * a->ldy;
        size_t count = (size_t)a->count[i];
        for (size_t at = 0; at < whole; at += MCV_RESIZE_BYTES)
            mcv_resize_bytes(x + at, a->ldx, weights, count, y + at);
        for (size_t at = whole; at < bytes; at++)
            y[at] = mcv_resize_sample(x + at, a->ldx, weights, count);
    }
}

/* ---- Width -------------------------------------------------------------------------------------------------- */

/* Sixteen rows of pictures are turned, so that a pass along them is one across them: the pixels of y that a tile holds
 * and those of x that they need. */
enum { MCV_TILE_PIXELS = 512 };

typedef struct mcv_resize_tile {
    uint8_t x[(MCV_TILE_PIXELS * 3 + MCV_LANES) * MCV_LANES], y[(MCV_TILE_PIXELS * 3 + MCV_LANES) * MCV_LANES];
} mcv_resize_tile;

/* [rows][bytes] to [bytes][16]; rows behind the last one are copies of it. */
MCV_INLINE void mcv_turn_in(const uint8_t *x, size_t ldx, size_t rows, size_t bytes, uint8_t *turned) {
    for (size_t at = 0; at < bytes; at += MCV_LANES, turned += MCV_LANES * MCV_LANES) {
        mcv_bytes block[MCV_LANES];
        size_t count = mcv_step(bytes - at);
        for (size_t row = 0; row < MCV_LANES; row++) {
            const uint8_t *from = x + (row < rows ? row : rows - 1) * ldx + at;
            block[row] = count == MCV_LANES ? mcv_bytes_load(from) : mcv_bytes_load_part(from, count);
        }
        mcv_bytes_transpose(block);
        for (size_t row = 0; row < MCV_LANES; row++)
            mcv_bytes_store(turned + row * MCV_LANES, block[row]);
    }
}

/* [bytes][16] to [rows][bytes]. */
MCV_INLINE void mcv_turn_out(const uint8_t *turned, size_t rows, size_t bytes, uint8_t *y, size_t ldy) {
    for (size_t at = 0; at < bytes; at += MCV_LANES, turned += MCV_LANES * MCV_LANES) {
        mcv_bytes block[MCV_LANES];
        size_t count = mcv_step(bytes - at);
        for (size_t row = 0; row < MCV_LANES; row++)
            block[row] = mcv_bytes_load(turned + row * MCV_LANES);
        mcv_bytes_transpose(block);
        for (size_t row = 0; row < rows; row++) {
            if (count == MCV_LANES)
                mcv_bytes_store(y + row * ldy + at, block[row]);
            else
                mcv_bytes_store_part(y + row * ldy + at, block[row], count);
        }
    }
}

/* Pixels [begin, end) of at most 16 rows. */
MCV_INLINE void mcv_resize_turned(const mcv_resize_args *a, size_t row, size_t begin, size_t end,
                                  mcv_resize_tile *tile) {
    size_t first = (size_t)a->first[begin], last = (size_t)(a->first[end - 1] + a->count[end - 1]);
    size_t rows = mcv_step(a->rows - row);
    mcv_turn_in(a->x + row * a->ldx + first * 3, a->ldx, rows, (last - first) * 3, tile->x);
    for (size_t i = begin; i < end; i++)
        mcv_resize_bytes(tile->x + ((size_t)a->first[i] - first) * MCV_RESIZE_BYTES, MCV_RESIZE_BYTES,
                         a->weights + i * a->stride, (size_t)a->count[i], tile->y + (i - begin) * MCV_RESIZE_BYTES);
    mcv_turn_out(tile->y, rows, (end - begin) * 3, a->y + row * a->ldy + begin * 3, a->ldy);
}

/* A pixel of y that needs more of x than a tile holds. */
MCV_INLINE void mcv_resize_pixel(const mcv_resize_args *a, size_t row, size_t i) {
    for (size_t end = row + mcv_step(a->rows - row); row < end; row++)
        for (size_t c = 0; c < 3; c++)
            a->y[row * a->ldy + i * 3 + c] = mcv_resize_sample(a->x + row * a->ldx + (size_t)a->first[i] * 3 + c, 3,
                                                               a->weights + i * a->stride, (size_t)a->count[i]);
}

MCV_INLINE void mcv_resize_width_lanes(const mcv_resize_args *a) {
    mcv_resize_tile tile;
    for (size_t begin = 0, end; begin < a->columns; begin = end) {
        for (end = begin; end < a->columns && end - begin < MCV_TILE_PIXELS; end++)
            if (a->first[end] + a->count[end] - a->first[begin] > MCV_TILE_PIXELS)
                break;
        for (size_t row = 0; row < a->rows; row += MCV_LANES) {
            if (end > begin)
                mcv_resize_turned(a, row, begin, end, &tile);
            else
                mcv_resize_pixel(a, row, begin);
        }
        end += end == begin;
    }
}

#endif
#endif
