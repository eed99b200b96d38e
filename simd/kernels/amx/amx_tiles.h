/* Tiles of AMX: eight of 16 rows of 64 bytes. For the variants in this folder. */
#ifndef MCV_SIMD_KERNELS_AMX_AMX_TILES_H
#define MCV_SIMD_KERNELS_AMX_AMX_TILES_H

#if defined(__AMX_TILE__) || defined(__AMXTILE__) /* gcc, clang 14 */

#include <immintrin.h>

#include "simd/kernels/product_lanes.h"

enum {
    MCV_TILES = 8,
    MCV_TILE_HEIGHT = 16,
    MCV_TILE_BYTES = 64,   /* a row */
    MCV_ROWS_FOR_TILES = 5 /* fewer go through AVX-512 */
};

/* The shapes of the tiles (Intel, Software Developer's Manual, volume 1, chapter 18, palette 1). */
typedef struct mcv_tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} mcv_tile_shapes;
_Static_assert(sizeof(mcv_tile_shapes) == 64, "tile configuration");

MCV_INLINE void mcv_set_tile(mcv_tile_shapes *shapes, int tile, size_t rows, size_t row_bytes) {
    shapes->rows[tile] = (uint8_t)rows;
    shapes->row_bytes[tile] = (uint16_t)row_bytes;
}

/* What the program has written is in memory before tiles are loaded: compilers do not know that the instructions of
 * tiles read it. */
MCV_INLINE void mcv_finish_writing(void) {
    __asm__ volatile("" ::: "memory");
}

MCV_INLINE void mcv_configure_tiles(const mcv_tile_shapes *shapes) {
    mcv_finish_writing();
    _tile_loadconfig(shapes);
}

#endif
#endif
