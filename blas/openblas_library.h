/* OpenBLAS, loaded when it is first asked for. A program that is linked with it starts its threads before main, and
 * where memory is limited they never end. */
#ifndef MCV_BLAS_OPENBLAS_LIBRARY_H
#define MCV_BLAS_OPENBLAS_LIBRARY_H

#include <cblas.h>

#include "core/status.h"

typedef struct mcv_openblas {
    __typeof__(cblas_sgemm) *sgemm;
    __typeof__(openblas_set_num_threads) *set_num_threads;
    __typeof__(openblas_get_config) *get_config;
} mcv_openblas;

/* Loads the library, once; its own threads are not started. MCV_UNSUPPORTED: it is not installed, or lacks a function.
 */
mcv_status mcv_openblas_load(void);

/* What mcv_openblas_load found. */
extern mcv_openblas mcv_openblas_library;

#endif
