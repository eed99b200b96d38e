/* Attention by OpenBLAS's products; see blas.h. */
#ifndef MCV_BLAS_OPENBLAS_ATTENTION_H
#define MCV_BLAS_OPENBLAS_ATTENTION_H

#include "simd/kernels/kernels.h"

/* Takes the place of kernels->attention, whose softmax and attention it uses. */
void mcv_blas_select_attention(mcv_kernels *kernels);

#endif
