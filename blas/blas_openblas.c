#include <string.h>

#include "blas/blas.h"
#include "blas/openblas_attention.h"
#include "blas/openblas_library.h"
#include "core/tensor.h"

/* A block of widened weights is [length][COLUMNS]; beside it in scratch lie ROWS rows of activations of int4. */
enum { COLUMNS = 256, LENGTH = 256, ROWS = 256 };
_Static_assert((COLUMNS + ROWS) * LENGTH * sizeof(float) <= MCV_SCRATCH_BYTES, "scratch");

/* ---- Floats ------------------------------------------------------------------------------------------------- */

/* What the outputs are before the first block is added. */
static void start_outputs(size_t m, size_t n, const float *bias, bool accumulate, float *y, size_t ldy) {
    for (size_t i = 0; i < m; i++, y += ldy) {
        if (!accumulate)
            memset(y, 0, n * sizeof *y);
        for (size_t j = 0; bias && j < n; j++)
            y[j] = y[j] + bias[j];
    }
}

/* y += x times a block of weights. */
static void add_block(size_t m, size_t n, size_t length, const float *x, size_t ldx, const float *block, float *y,
                      size_t ldy) {
    mcv_openblas_library.sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)m, (blasint)n, (blasint)length, 1, x,
                               (blasint)ldx, block, COLUMNS, 1, y, (blasint)ldy);
}

/* One panel's weights from k on become 16 columns of a block. */
static void widen_f32(const mcv_gemm_args *a, size_t panel, size_t k, size_t length, float *columns) {
    const float *w = (const float *)a->w + (panel * a->k + k) * MCV_LANES;
    for (size_t i = 0; i < length; i++)
        memcpy(columns + i * COLUMNS, w + i * MCV_LANES, MCV_LANES * sizeof *w);
}

static void widen_bf16(const mcv_gemm_args *a, size_t panel, size_t k, size_t length, float *columns) {
    size_t pairs = (a->k + 1) / 2;
    const uint16_t *w = (const uint16_t *)a->w + (panel * pairs + k / 2) * MCV_LANES * 2;
    for (size_t i = 0; i < length; i++)
        for (size_t lane = 0; lane < MCV_LANES; lane++)
            columns[i * COLUMNS + lane] = mcv_f32_from_bf16(w[(i / 2 * MCV_LANES + lane) * 2 + i % 2]);
}

static void widen_f16(const mcv_gemm_args *a, size_t panel, size_t k, size_t length, float *columns) {
    const uint16_t *w = (const uint16_t *)a->w + (panel * a->k + k) * MCV_LANES;
    for (size_t i = 0; i < length; i++)
        for (size_t lane = 0; lane < MCV_LANES; lane++)
            columns[i * COLUMNS + lane] = mcv_f32_from_f16(w[i * MCV_LANES + lane]);
}

static void gemm(const mcv_gemm_args *a, void (*widen)(const mcv_gemm_args *, size_t, size_t, size_t, float *)) {
    float *block = a->scratch;
    start_outputs(a->m, a->n, a->bias, a->accumulate, a->y, a->ldy);
    for (size_t n = 0; n < a->n; n += COLUMNS)
        for (size_t k = 0; k < a->k; k += LENGTH) {
            size_t columns = a->n - n < COLUMNS ? a->n - n : COLUMNS, length = a->k - k < LENGTH ? a->k - k : LENGTH;
            for (size_t i = 0; i < columns; i += MCV_LANES)
                widen(a, (n + i) / MCV_LANES, k, length, block + i);
            add_block(a->m, columns, length, a->x + k, a->ldx, block, a->y + n, a->ldy);
        }
}

static void gemm_f32(const mcv_gemm_args *a) {
    gemm(a, widen_f32);
}

static void gemm_bf16(const mcv_gemm_args *a) {
    gemm(a, widen_bf16);
}

static void gemm_f16(const mcv_gemm_args *a) {
    gemm(a, widen_f16);
}

/* ---- int4 --------------------------------------------------------------------------------------------------- */

/* A step is a group or what LENGTH holds of it. */
static void widen_int4(const mcv_gemm_int4_args *a, size_t panel, size_t k, size_t length, float *columns) {
    size_t groups = mcv_groups(a->k, a->group);
    for (size_t i = 0; i < length; i++) {
        size_t at = panel * groups + (k + i) / a->group, inside = (k + i) % a->group;
        const uint8_t *w = a->w + (at * a->group / 8 + inside / 8) * MCV_LANES * 4 + inside % 4;
        for (size_t lane = 0; lane < MCV_LANES; lane++) {
            int zero = a->w_zero ? a->w_zero[at * MCV_LANES + lane] : 8;
            int nibble = w[lane * 4] >> (inside % 8 < 4 ? 0 : 4) & 15;
            columns[i * COLUMNS + lane] = (float)(nibble - zero) * mcv_f32_from_f16(a->w_scale[at * MCV_LANES + lane]);
        }
    }
}

static void widen_rows(const mcv_gemm_int4_args *a, size_t m, size_t rows, size_t k, size_t length, float *x) {
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < length; i++)
            x[r * LENGTH + i] = (float)a->q[(m + r) * a->ldq + k + i] *
                                a->scale[(m + r) * mcv_groups(a->k, a->group) + (k + i) / a->group];
}

static void gemm_int4(const mcv_gemm_int4_args *a) {
    float *block = a->scratch, *x = block + LENGTH * COLUMNS;
    start_outputs(a->m, a->n, a->bias, a->accumulate, a->y, a->ldy);
    for (size_t n = 0; n < a->n; n += COLUMNS)
        for (size_t k = 0; k < a->k; k += LENGTH) {
            size_t columns = a->n - n < COLUMNS ? a->n - n : COLUMNS, length = a->k - k < LENGTH ? a->k - k : LENGTH;
            for (size_t i = 0; i < columns; i += MCV_LANES)
                widen_int4(a, (n + i) / MCV_LANES, k, length, block + i);
            for (size_t m = 0; m < a->m; m += ROWS) {
                size_t rows = a->m - m < ROWS ? a->m - m : ROWS;
                widen_rows(a, m, rows, k, length, x);
                add_block(rows, columns, length, x, LENGTH, block, a->y + m * a->ldy + n, a->ldy);
            }
        }
}

/* ---- The table ---------------------------------------------------------------------------------------------- */

mcv_status mcv_blas_select(mcv_kernels *kernels) {
    MCV_TRY(mcv_openblas_load());
    mcv_openblas_library.set_num_threads(1);
    kernels->gemm_f32 = gemm_f32;
    kernels->gemm_bf16 = gemm_bf16;
    kernels->gemm_f16 = gemm_f16;
    kernels->gemm_int4 = gemm_int4;
    mcv_blas_select_attention(kernels);
    return MCV_OK;
}

const char *mcv_blas_version(void) {
    return mcv_openblas_load() == MCV_OK ? mcv_openblas_library.get_config() : NULL;
}

void mcv_blas_product(int threads, size_t m, size_t n, size_t k, const float *x, const float *w, float *y) {
    mcv_openblas_library.set_num_threads(threads);
    mcv_openblas_library.sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)m, (blasint)n, (blasint)k, 1, x,
                               (blasint)k, w, (blasint)k, 0, y, (blasint)n);
    mcv_openblas_library.set_num_threads(1);
}
