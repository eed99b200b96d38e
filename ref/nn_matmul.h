/* The one matrix product behind all linear layers and attention, in FP64. */
#ifndef MCV_REF_NN_MATMUL_H
#define MCV_REF_NN_MATMUL_H

#include <stddef.h>

/* c[i][j] = sum over k of a[i][k] * b[j][k].
 *
 * a: [m, k] with rows lda apart, b: [n, k] with rows ldb apart, c: [m, n] with rows ldc apart.
 *
 * Each sum is four partial ones, over k mod 4 = 0, 1, 2, 3 in ascending order, added as (s0 + s2) + (s1 + s3). Each
 * product is rounded before it is added, also where a CPU could do both at once: -ffp-contract=off. */
void matmul_nt(const double *a, size_t lda, size_t m, const double *b, size_t ldb, size_t n, size_t k, double *c,
               size_t ldc);

#endif
