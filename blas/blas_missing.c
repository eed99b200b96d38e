#include "blas/blas.h"

mcv_status mcv_blas_select(mcv_kernels *kernels) {
    (void)kernels;
    return MCV_FAIL(MCV_UNSUPPORTED, "this build has no OpenBLAS (Debian: libopenblas-dev)");
}

const char *mcv_blas_version(void) {
    return NULL;
}

void mcv_blas_product(int threads, size_t m, size_t n, size_t k, const float *x, const float *w, float *y) {
    (void)threads, (void)m, (void)n, (void)k, (void)x, (void)w, (void)y;
}
