/* The product of pairs of BF16 with NEON's matrix product of BF16 (2 x 4 by 4 x 2 at a time). Rows are rounded to BF16
 * into scratch memory, so many and so many k of them as fit; y is where the parts of k are added up. */
#include "simd/kernels/neon_products.h"

enum {
    FOUR = 4, /* k of a step */
    MOST_ROWS = 60,
    MOST_K = 4096,
    STRIDE = MOST_K + MCV_LANES /* from a row to the next, no power of two */
};
_Static_assert(MOST_ROWS *STRIDE * sizeof(uint16_t) <= MCV_SCRATCH_BYTES, "scratch");

/* What is worked on: m rows and some k, with all outputs. */
typedef struct Part {
    const mcv_gemm_args *a;
    size_t m, n, row, k, length;
    uint16_t *x; /* [m][STRIDE], zeros behind `length` up to a multiple of FOUR */
} Part;

/* Sums of two rows with two outputs a register. */
typedef struct Chains {
    float32x4_t pair[TILE_ROWS / 2][2 * REGISTERS];
} Chains;

/* Four k of a panel with those of the rows; `w` has only the first two of them where there are no others. */
MCV_INLINE void add_four(Chains *chains, const uint16_t *w, const bool others, const uint16_t *x, const int rows) {
    bfloat16x8_t both[TILE_ROWS / 2];
    MCV_UNROLLED for (int r = 0; r < (rows + 1) / 2; r++) {
        const uint16_t *upper = x + 2 * r * STRIDE, *lower = 2 * r + 1 < rows ? upper + STRIDE : upper;
        both[r] = vreinterpretq_bf16_u16(vcombine_u16(vld1_u16(upper), vld1_u16(lower)));
    }
    MCV_UNROLLED for (int v = 0; v < REGISTERS; v++) {
        uint32x4_t first = vreinterpretq_u32_u16(vld1q_u16(w + v * 8));
        uint32x4_t second = others ? vreinterpretq_u32_u16(vld1q_u16(w + 2 * MCV_LANES + v * 8)) : vdupq_n_u32(0);
        bfloat16x8_t low = vreinterpretq_bf16_u32(vzip1q_u32(first, second));
        bfloat16x8_t high = vreinterpretq_bf16_u32(vzip2q_u32(first, second));
        MCV_UNROLLED for (int r = 0; r < (rows + 1) / 2; r++) {
            chains->pair[r][2 * v] = vbfmmlaq_f32(chains->pair[r][2 * v], both[r], low);
            chains->pair[r][2 * v + 1] = vbfmmlaq_f32(chains->pair[r][2 * v + 1], both[r], high);
        }
    }
}

/* Four outputs of a row. */
MCV_INLINE float32x4_t four_of(const Chains *chains, const int r, const int v) {
    float64x2_t low = vreinterpretq_f64_f32(chains->pair[r / 2][2 * v]);
    float64x2_t high = vreinterpretq_f64_f32(chains->pair[r / 2][2 * v + 1]);
    return vreinterpretq_f32_f64(r % 2 ? vzip2q_f64(low, high) : vzip1q_f64(low, high));
}

/* `rows` rows from m on with the panel of output n. */
MCV_INLINE void multiply(const Part *part, size_t m, size_t n, const int rows) {
    const mcv_gemm_args *a = part->a;
    const uint16_t *x = part->x + m * STRIDE;
    const uint16_t *w = (const uint16_t *)a->w + ((a->k + 1) / 2 * 2 * n + part->k * MCV_LANES);
    bool first = part->k == 0;
    Chains chains;
    size_t k = 0;
    MCV_UNROLLED for (int r = 0; r < (rows + 1) / 2; r++) MCV_UNROLLED for (int i = 0; i < 2 * REGISTERS; i++)
        chains.pair[r][i] = vdupq_n_f32(0);
    for (; k + 2 < part->length; k += FOUR)
        add_four(&chains, w + k * MCV_LANES, true, x + k, rows);
    if (k < part->length)
        add_four(&chains, w + k * MCV_LANES, false, x + k, rows);
    MCV_UNROLLED for (int r = 0; r < rows; r++) {
        mcv_floats total = {four_of(&chains, r, 0), four_of(&chains, r, 1), four_of(&chains, r, 2),
                            four_of(&chains, r, 3)};
        store_outputs(total, first && a->bias ? a->bias + n : NULL, a->accumulate || !first,
                      a->y + (part->row + m + (size_t)r) * a->ldy + n, mcv_step(a->n - n));
    }
}

static void round_rows(const Part *part) {
    for (size_t r = 0; r < part->m; r++) {
        const float *from = part->a->x + (part->row + r) * part->a->ldx + part->k;
        for (size_t i = 0; i < part->length; i += FOUR) {
            float four[FOUR] = {0};
            memcpy(four, from + i, (part->length - i < FOUR ? part->length - i : FOUR) * sizeof *four);
            vst1_u16(part->x + r * STRIDE + i, vreinterpret_u16_bf16(vcvt_bf16_f32(vld1q_f32(four))));
        }
    }
}

void mcv_gemm_bf16_fast_neonbf16(const mcv_gemm_args *a) {
    size_t parts = a->k ? (a->k + MOST_K - 1) / MOST_K : 1,
           length = ((a->k + parts - 1) / parts + FOUR - 1) / FOUR * FOUR;
    Part part = {.a = a, .n = a->n, .x = a->scratch};
    for (; part.row < a->m; part.row += part.m) {
        part.m = a->m - part.row < MOST_ROWS ? a->m - part.row : MOST_ROWS;
        for (size_t i = 0; i < parts; i++) {
            part.k = i * length;
            part.length = i + 1 < parts ? length : a->k - part.k;
            round_rows(&part);
            FOR_EACH_TILE(&part, multiply);
        }
    }
}
