/* One tile of rows by one of weights, as deep as a group of k: for weights whose groups are scaled one by one. */
#ifndef MCV_SIMD_KERNELS_AMX_AMX_GROUP_H
#define MCV_SIMD_KERNELS_AMX_AMX_GROUP_H

#include "simd/kernels/amx/amx_tiles.h"

#if defined(__AMX_TILE__) || defined(__AMXTILE__)

/* Tiles by number. */
#define SUM 0
#define X 1
#define W 2

/* The rows that a tile is made of; those that are not there are the last one again. */
typedef struct mcv_tile_rows {
    size_t first, count, index[MCV_TILE_HEIGHT];
} mcv_tile_rows;

/* The rows from `first` on, before `end`. */
MCV_INLINE mcv_tile_rows mcv_tile_rows_from(size_t first, size_t end) {
    mcv_tile_rows rows = {.first = first, .count = end - first < MCV_TILE_HEIGHT ? end - first : MCV_TILE_HEIGHT};
    for (size_t r = 0; r < MCV_TILE_HEIGHT; r++)
        rows.index[r] = first + (r < rows.count ? r : rows.count - 1);
    return rows;
}

/* The k that a product of tiles takes in. */
MCV_INLINE size_t mcv_group_step(size_t group) {
    return group < MCV_TILE_BYTES ? group : MCV_TILE_BYTES;
}

/* Tiles for `rows` rows; *configured: those that tiles are there for, 0 at first. */
MCV_INLINE void mcv_configure_group(size_t rows, size_t group, size_t *configured) {
    if (rows == *configured)
        return;
    mcv_tile_shapes shapes = {.palette = 1};
    mcv_set_tile(&shapes, SUM, rows, MCV_TILE_BYTES);
    mcv_set_tile(&shapes, X, rows, mcv_group_step(group));
    mcv_set_tile(&shapes, W, mcv_group_step(group) / 4, MCV_TILE_BYTES);
    mcv_configure_tiles(&shapes);
    *configured = rows;
}

/* The dot products of rows with a group: q points to it in the first row, w to its bytes, [group / 4][16][4]. sums:
 * [16][16] */
MCV_INLINE void mcv_multiply_group(const int8_t *q, size_t ldq, const int8_t *w, size_t group, int32_t *sums) {
    size_t step = mcv_group_step(group);
    _tile_zero(SUM);
    for (size_t k = 0; k < group; k += step) {
        _tile_loadd(X, q + k, ldq);
        _tile_loadd(W, w + k * MCV_LANES, MCV_TILE_BYTES);
        _tile_dpbssd(SUM, X, W);
    }
    _tile_stored(SUM, sums, MCV_TILE_BYTES);
}

#endif
#endif
