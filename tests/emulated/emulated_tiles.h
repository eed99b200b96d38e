/* A model of AMX in plain C, for CPUs without it: put in front of a kernel's source (gcc -include). It does what
 * Intel's Instruction Set Extensions Programming Reference says of each instruction, and ends the program where the
 * CPU would fault. */
#ifndef TESTS_EMULATED_EMULATED_TILES_H
#define TESTS_EMULATED_EMULATED_TILES_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EMULATED_TILES = 8, EMULATED_TILE_ROWS = 16, EMULATED_TILE_BYTES = 64 };

typedef struct emulated_tile {
    int rows, row_bytes;
    union {
        uint8_t bytes[EMULATED_TILE_ROWS][EMULATED_TILE_BYTES];
        int8_t i8[EMULATED_TILE_ROWS][EMULATED_TILE_BYTES];
        uint16_t bf16[EMULATED_TILE_ROWS][EMULATED_TILE_BYTES / 2];
        int32_t i32[EMULATED_TILE_ROWS][EMULATED_TILE_BYTES / 4];
        float f32[EMULATED_TILE_ROWS][EMULATED_TILE_BYTES / 4];
    };
} emulated_tile;

/* Tiles of this thread; without a configuration none can be used. */
static _Thread_local struct {
    int configured;
    emulated_tile tiles[EMULATED_TILES];
} emulated_amx;

static inline void emulated_fault(int faulty, const char *what) {
    if (faulty) {
        fprintf(stderr, "AMX: %s\n", what);
        abort();
    }
}

static inline emulated_tile *emulated_tile_of(int number) {
    emulated_fault(!emulated_amx.configured, "a tile is used before LDTILECFG");
    emulated_tile *tile = &emulated_amx.tiles[number];
    emulated_fault(tile->rows == 0 || tile->row_bytes == 0, "a tile is used that has no shape");
    return tile;
}

static inline void emulated_tile_loadconfig(const void *config) {
    const uint8_t *bytes = config;
    emulated_fault(bytes[0] != 1, "the palette is not 1");
    for (int i = 1; i < 16; i++)
        emulated_fault(bytes[i] != 0, "LDTILECFG: a reserved byte is not 0");
    memset(&emulated_amx, 0, sizeof emulated_amx);
    emulated_amx.configured = 1;
    for (int i = 0; i < 16; i++) {
        uint16_t row_bytes;
        memcpy(&row_bytes, bytes + 16 + 2 * i, sizeof row_bytes);
        int rows = bytes[48 + i];
        emulated_fault(i >= EMULATED_TILES && (rows || row_bytes), "LDTILECFG: more than 8 tiles");
        emulated_fault(rows > EMULATED_TILE_ROWS || row_bytes > EMULATED_TILE_BYTES, "LDTILECFG: too large a tile");
        if (i < EMULATED_TILES)
            emulated_amx.tiles[i] = (emulated_tile){.rows = rows, .row_bytes = row_bytes};
    }
}

static inline void emulated_tile_release(void) {
    memset(&emulated_amx, 0, sizeof emulated_amx);
}

static inline void emulated_tile_zero(int number) {
    emulated_tile *tile = emulated_tile_of(number);
    memset(tile->bytes, 0, sizeof tile->bytes);
}

/* Rows and columns beyond the tile's shape become 0. */
static inline void emulated_tile_loadd(int number, const void *base, size_t stride) {
    emulated_tile *tile = emulated_tile_of(number);
    emulated_tile_zero(number);
    for (int row = 0; row < tile->rows; row++)
        memcpy(tile->bytes[row], (const uint8_t *)base + (size_t)row * stride, (size_t)tile->row_bytes);
}

static inline void emulated_tile_stored(int number, void *base, size_t stride) {
    const emulated_tile *tile = emulated_tile_of(number);
    for (int row = 0; row < tile->rows; row++)
        memcpy((uint8_t *)base + (size_t)row * stride, tile->bytes[row], (size_t)tile->row_bytes);
}

/* c [M][N] += a [M][K] b [K][N], K counted in 4 bytes. */
static inline void emulated_check_shapes(const emulated_tile *c, const emulated_tile *a, const emulated_tile *b) {
    emulated_fault(c == a || c == b || a == b, "a product has one tile twice");
    emulated_fault(a->rows != c->rows || b->row_bytes != c->row_bytes || a->row_bytes != 4 * b->rows ||
                       c->row_bytes % 4 != 0,
                   "the shapes of a product do not fit");
}

static inline void emulated_dpbssd(int sum, int first, int second) {
    emulated_tile *c = emulated_tile_of(sum), *a = emulated_tile_of(first), *b = emulated_tile_of(second);
    emulated_check_shapes(c, a, b);
    for (int m = 0; m < c->rows; m++)
        for (int k = 0; k < a->row_bytes; k++)
            for (int n = 0; n < c->row_bytes / 4; n++)
                c->i32[m][n] += a->i8[m][k] * b->i8[k / 4][4 * n + k % 4];
}

/* In one product, the sums over even and over odd places of a pair are added up by themselves. */
static inline void emulated_dpbf16ps(int sum, int first, int second) {
    emulated_tile *c = emulated_tile_of(sum), *a = emulated_tile_of(first), *b = emulated_tile_of(second);
    emulated_check_shapes(c, a, b);
    for (int m = 0; m < c->rows; m++)
        for (int n = 0; n < c->row_bytes / 4; n++) {
            float sums[2] = {0, 0};
            for (int k = 0; k < a->row_bytes / 2; k++)
                sums[k % 2] =
                    emulated_flush(sums[k % 2] + emulated_flush(emulated_widen(a->bf16[m][k]) *
                                                                emulated_widen(b->bf16[k / 2][2 * n + k % 2])));
            c->f32[m][n] = emulated_flush(emulated_flush(c->f32[m][n]) + emulated_flush(sums[0] + sums[1]));
        }
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbssd
#undef _tile_dpbf16ps
#define _tile_loadconfig emulated_tile_loadconfig
#define _tile_release emulated_tile_release
#define _tile_zero emulated_tile_zero
#define _tile_loadd emulated_tile_loadd
#define _tile_stored emulated_tile_stored
#define _tile_dpbssd emulated_dpbssd
#define _tile_dpbf16ps emulated_dpbf16ps

/* What the sources ask the compiler. */
#define __AMX_TILE__ 1
#define __AMX_INT8__ 1
#define __AMX_BF16__ 1

#endif
