/* Two tiles of rows by two tiles of weights: what keeps the tiles' multiplier busy, since each tile that is loaded is
 * multiplied twice. The variant that includes this file names the instruction (TILE_PRODUCT). */
#ifndef MCV_SIMD_KERNELS_AMX_AMX_SQUARE_H
#define MCV_SIMD_KERNELS_AMX_AMX_SQUARE_H

#include "simd/kernels/amx/amx_tiles.h"

#if defined(__AMX_TILE__) || defined(__AMXTILE__)

enum {
    MCV_SQUARE_TILES = 2,
    MCV_SQUARE_ROWS = MCV_SQUARE_TILES * MCV_TILE_HEIGHT,
    MCV_SQUARE_SUMS = MCV_SQUARE_TILES * MCV_LANES /* of a row, 32 bits each */
};

/* Tiles by number: sums of the upper or lower rows and the first or second weights, rows, weights. */
#define SUM_00 0
#define SUM_01 1
#define SUM_10 2
#define SUM_11 3
#define X_0 4
#define X_1 5
#define W_0 6
#define W_1 7

/* Tiles for `rows` rows, at most MCV_SQUARE_ROWS; *configured: those that tiles are there for, 0 at first. */
MCV_INLINE void mcv_configure_square(size_t rows, size_t *configured) {
    if (rows == *configured)
        return;
    mcv_tile_shapes shapes = {.palette = 1};
    size_t upper = rows < MCV_TILE_HEIGHT ? rows : MCV_TILE_HEIGHT, lower = rows > upper ? rows - upper : 1;
    for (int tile = 0; tile < MCV_TILES; tile++)
        mcv_set_tile(&shapes, tile, MCV_TILE_HEIGHT, MCV_TILE_BYTES);
    shapes.rows[X_0] = shapes.rows[SUM_00] = shapes.rows[SUM_01] = (uint8_t)upper;
    shapes.rows[X_1] = shapes.rows[SUM_10] = shapes.rows[SUM_11] = (uint8_t)lower;
    mcv_configure_tiles(&shapes);
    *configured = rows;
}

MCV_INLINE void mcv_clear_square(void) {
    _tile_zero(SUM_00);
    _tile_zero(SUM_01);
    _tile_zero(SUM_10);
    _tile_zero(SUM_11);
}

/* Adds the products of a tile's k. x: rows ldx bytes apart; w: two tiles; `tall` where there are more rows than a tile
 * has. */
MCV_INLINE void mcv_multiply_square(const void *x, size_t ldx, const void *const w[MCV_SQUARE_TILES], const bool tall) {
    _tile_loadd(W_0, w[0], MCV_TILE_BYTES);
    _tile_loadd(W_1, w[1], MCV_TILE_BYTES);
    _tile_loadd(X_0, x, ldx);
    TILE_PRODUCT(SUM_00, X_0, W_0);
    TILE_PRODUCT(SUM_01, X_0, W_1);
    if (tall) {
        _tile_loadd(X_1, (const char *)x + MCV_TILE_HEIGHT * ldx, ldx);
        TILE_PRODUCT(SUM_10, X_1, W_0);
        TILE_PRODUCT(SUM_11, X_1, W_1);
    }
}

/* sums: [MCV_SQUARE_ROWS][MCV_SQUARE_TILES][16] of 32 bits. */
MCV_INLINE void mcv_store_square(void *sums, const bool tall) {
    enum { STRIDE = MCV_SQUARE_SUMS * sizeof(int32_t), LOWER = MCV_TILE_HEIGHT * STRIDE };
    _tile_stored(SUM_00, sums, STRIDE);
    _tile_stored(SUM_01, (char *)sums + MCV_TILE_BYTES, STRIDE);
    if (tall) {
        _tile_stored(SUM_10, (char *)sums + LOWER, STRIDE);
        _tile_stored(SUM_11, (char *)sums + LOWER + MCV_TILE_BYTES, STRIDE);
    }
}

#endif
#endif
