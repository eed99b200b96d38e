#include "ref/nn_matmul.h"

#include <string.h>

/* Two neighbouring doubles: the vector extension of gcc and clang, which every CPU with 128-bit registers maps to one.
 */
typedef double pair __attribute__((vector_size(16)));

static inline pair load(const double *p) {
    pair value;
    memcpy(&value, p, sizeof value);
    return value;
}

/* The last k % 4 products fall to partial sums 0, 1, 2, as they would in a longer row. */
static double reduce(pair low, pair high, const double *a, const double *b, size_t begin, size_t end) {
    double partial[4] = {low[0], low[1], high[0], high[1]};
    for (size_t k = begin; k < end; k++)
        partial[k - begin] += a[k] * b[k];
    return (partial[0] + partial[2]) + (partial[1] + partial[3]);
}

/* Two rows of a by two rows of b: each loaded value is used twice, and the eight sums stay in registers. */
static void dot_2x2(const double *a0, const double *a1, const double *b0, const double *b1, size_t k, double *c0,
                    double *c1) {
    pair low[4] = {{0}}, high[4] = {{0}};
    size_t i = 0;
    for (; i + 4 <= k; i += 4) {
        pair x0 = load(a0 + i), x1 = load(a1 + i), y0 = load(b0 + i), y1 = load(b1 + i);
        low[0] += x0 * y0;
        low[1] += x0 * y1;
        low[2] += x1 * y0;
        low[3] += x1 * y1;
        x0 = load(a0 + i + 2), x1 = load(a1 + i + 2), y0 = load(b0 + i + 2), y1 = load(b1 + i + 2);
        high[0] += x0 * y0;
        high[1] += x0 * y1;
        high[2] += x1 * y0;
        high[3] += x1 * y1;
    }
    c0[0] = reduce(low[0], high[0], a0, b0, i, k);
    c0[1] = reduce(low[1], high[1], a0, b1, i, k);
    c1[0] = reduce(low[2], high[2], a1, b0, i, k);
    c1[1] = reduce(low[3], high[3], a1, b1, i, k);
}

static double dot(const double *a, const double *b, size_t k) {
    pair low = {0}, high = {0};
    size_t i = 0;
    for (; i + 4 <= k; i += 4) {
        low += load(a + i) * load(b + i);
        high += load(a + i + 2) * load(b + i + 2);
    }
    return reduce(low, high, a, b, i, k);
}

void matmul_nt(const double *a, size_t lda, size_t m, const double *b, size_t ldb, size_t n, size_t k, double *c,
               size_t ldc) {
    size_t m2 = m - m % 2, n2 = n - n % 2;
    for (size_t j = 0; j < n2; j += 2)
        for (size_t i = 0; i < m2; i += 2)
            dot_2x2(a + i * lda, a + (i + 1) * lda, b + j * ldb, b + (j + 1) * ldb, k, c + i * ldc + j,
                    c + (i + 1) * ldc + j);
    for (size_t i = 0; i < m; i++)
        for (size_t j = i < m2 ? n2 : 0; j < n; j++)
            c[i * ldc + j] = dot(a + i * lda, b + j * ldb, k);
}
