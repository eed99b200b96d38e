/* The product with indices of levels for any instruction set that product_lanes.h knows. The variant that includes this
 * file says how many panels it takes at a time (TILE_PANELS), how many rows at most (TILE_ROWS), and names itself
 * (GEMM_NF4). Levels are multiplied as 16 bits, those of even and of odd k apart; activations are widened to match when
 * rows are copied. */
#ifndef MCV_SIMD_KERNELS_GEMM_NF4_TILES_H
#define MCV_SIMD_KERNELS_GEMM_NF4_TILES_H

#include "simd/kernels/product_lanes.h"

typedef mcv_gemm_nf4_args Arguments;

typedef struct Panel {
    const uint8_t *w;
    const float *scale;
    size_t n, count;
} Panel;

enum { STEP = 8 /* k that a register of codes holds */ };

static Panel panel_of(const mcv_gemm_nf4_args *a, size_t n) {
    return (Panel){.w = a->w + n * a->k / 2, .scale = a->w_scale + n * mcv_groups(a->k, a->group)};
}

static size_t row_bytes(const mcv_gemm_nf4_args *a) {
    return mcv_groups(a->k, a->group) * sizeof *a->scale + a->k * sizeof(int16_t);
}

static void copy_rows(const mcv_gemm_nf4_args *a, size_t first, size_t rows, char *memory);

#include "simd/kernels/gemm_walk_tiles.h"

/* To scale [groups][rows], q [k / STEP][rows][STEP], even ones before odd ones of each four. */
static void copy_rows(const mcv_gemm_nf4_args *a, size_t first, size_t rows, char *memory) {
    size_t groups = mcv_groups(a->k, a->group);
    float *scale = (float *)memory;
    int16_t *q = (int16_t *)(scale + groups * rows);
    for (size_t r = 0; r < rows; r++) {
        const int8_t *from = a->q + (first + r) * a->ldq;
        for (size_t k = 0; k < a->k; k += 4) {
            const int16_t four[4] = {from[k], from[k + 2], from[k + 1], from[k + 3]};
            memcpy(q + k / STEP * STEP * rows + r * STEP + k % STEP, four, sizeof four);
        }
        for (size_t g = 0; g < groups; g++)
            scale[g * rows + r] = a->scale[(first + r) * groups + g];
    }
}

/* The dot products of STEP k are added to `dot`. */
MCV_INLINE void add_step(mcv_ints dot[][MCV_TILE_PANELS], const uint8_t *const w[], const mcv_levels levels,
                         const int16_t *q, const int rows) {
    const int panels = panels_of(rows);
    mcv_ints level[MCV_TILE_PANELS][STEP / 2];
    MCV_EACH_PANEL({
        mcv_ints both = mcv_ints_load(w[p]);
        mcv_shorts_look_up(levels, both, level[p]);
        mcv_shorts_look_up(levels, mcv_ints_shift_right(both, 4), level[p] + 2);
    })
    MCV_EACH_ROW({
        const int16_t *x = q + r * STEP;
        MCV_EACH_PANEL(dot[r][p] = mcv_ints_add_shorts(dot[r][p], level[p][0], mcv_ints_broadcast(x));)
        MCV_EACH_PANEL(dot[r][p] = mcv_ints_add_shorts(dot[r][p], level[p][1], mcv_ints_broadcast(x + 2));)
        MCV_EACH_PANEL(dot[r][p] = mcv_ints_add_shorts(dot[r][p], level[p][2], mcv_ints_broadcast(x + 4));)
        MCV_EACH_PANEL(dot[r][p] = mcv_ints_add_shorts(dot[r][p], level[p][3], mcv_ints_broadcast(x + 6));)
    })
}

/* x: what copy_rows has written. */
MCV_INLINE void multiply(const mcv_gemm_nf4_args *a, const Panel panel[], const char *x, float *y, const int rows) {
    const int panels = panels_of(rows);
    const mcv_levels levels = mcv_levels_load(a->levels);
    const size_t groups = mcv_groups(a->k, a->group);
    const float *scale = (const float *)x;
    const int16_t *q = (const int16_t *)(scale + groups * (size_t)rows);
    const uint8_t *w[MCV_TILE_PANELS];
    mcv_floats total[MCV_TILE_ROWS][MCV_TILE_PANELS];
    MCV_EACH_PANEL(w[p] = panel[p].w;)
    MCV_EACH_ROW(MCV_EACH_PANEL(total[r][p] = mcv_floats_set(0);))
    for (size_t g = 0; g < groups; g++, scale += rows) {
        mcv_ints dot[MCV_TILE_ROWS][MCV_TILE_PANELS];
        MCV_EACH_ROW(MCV_EACH_PANEL(dot[r][p] = mcv_ints_set(0);))
        size_t k = 0;
        do {
            add_step(dot, w, levels, q, rows);
            MCV_EACH_PANEL(w[p] += STEP / 2 * MCV_LANES;)
            q += rows * STEP;
        } while ((k += STEP) < a->group);
        mcv_floats w_scale[MCV_TILE_PANELS];
        MCV_EACH_PANEL(w_scale[p] = mcv_floats_load(panel[p].scale + g * MCV_LANES);)
        add_group_totals(total, dot, w_scale, scale, rows);
    }
    store_tile(a, panel, total, y, rows);
}

void GEMM_NF4(const mcv_gemm_nf4_args *a) {
    multiply_all(a);
}

#endif
