/* OpenBLAS behind the kernel table: gemm_f32, gemm_bf16, gemm_f16 and gemm_int4 as products of FP32 blocks,
 * attention as two products a head. */
#ifndef MCV_BLAS_BLAS_H
#define MCV_BLAS_BLAS_H

#include "core/status.h"
#include "simd/kernels/kernels.h"

/* Puts OpenBLAS's products into the table. Packed weights are widened to FP32 a block at a time and multiplied by
 * cblas_sgemm, which runs in the thread that calls the kernel; OpenBLAS's own threads are switched off for the process.
 * Products of int4 take the activations' integers times their scales. Sizes must be below 2^31.
 *
 * These are of class BOUND: OpenBLAS adds in an order of its own, which differs from CPU to CPU and with m. Against
 * exact arithmetic
 *     |y - exact| <= gamma(k + 3) * (sum |x w| + |bias| + |y before|),  gamma(i) = i u / (1 - i u), u = 2^-24,
 * for a sum of k products and two more numbers in any order rounds each of them at most k + 2 times (Higham, Accuracy
 * and Stability of Numerical Algorithms, 2nd ed., section 3.1), and an activation of int4 is rounded once before
 * (nibble - zero times an F16 is exact in FP32). No number may underflow.
 *
 * Attention of 16 queries of a head or more (the encoder's, the resampler's, prompts): scores are a product of queries
 * and widened keys, their softmax is the table's, and a product with the values follows. Of class BOUND with the bound
 * of the contract (docs/numerics.md), for a sum of head_dim or of all keys in any order rounds a term no more often
 * than the contract's chains do, and there are no factors between blocks; only the sum of the exponentials adds
 * ceil(keys / 16) + 4 times. Keys and values have to be finite, those that a query does not see, too: they are
 * multiplied with zeros. Fewer queries, and those with more keys than 5,000 or so, are left to the table's kernel. The
 * table has to hold softmax and attention already.
 *
 * OpenBLAS is loaded by the first call. MCV_UNSUPPORTED: this build has no OpenBLAS, or it cannot be loaded. */
mcv_status mcv_blas_select(mcv_kernels *kernels);

/* What OpenBLAS says of itself, with the CPU whose kernels it took; NULL: there is none. */
const char *mcv_blas_version(void);

/* y = x w^T by one call with OpenBLAS's own threads, for benchmarks. x: [m][k], w: [n][k], y: [m][n], dense. After
 * mcv_blas_select; does nothing in a build without it. */
void mcv_blas_product(int threads, size_t m, size_t n, size_t k, const float *x, const float *w, float *y);

#endif
