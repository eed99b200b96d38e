/* NumPy's .npy files: one array, C order, little-endian.
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef MCV_FORMATS_NPY_H
#define MCV_FORMATS_NPY_H

#include "core/file.h"
#include "core/tensor.h"

/* Writes version 1.0. Types that NumPy lacks (BF16 and all floats of 8 bits and fewer) are widened to F32, which is
 * exact. */
mcv_status mcv_npy_write(const char *path, const mcv_tensor *tensor);

/* An array in a mapped file. Its data is aligned as the file has it (NumPy aligns to 64 bytes). */
typedef struct mcv_npy {
    mcv_tensor tensor;
    mcv_file_map map;
} mcv_npy;

/* Reads versions 1.0 to 3.0. MCV_BAD_INPUT: damaged, or more or less data than the shape takes. MCV_UNSUPPORTED:
 * Fortran order, big-endian, structured or other types that safetensors lacks, more than MCV_MAX_RANK dimensions. */
mcv_status mcv_npy_open(const char *path, mcv_npy *array);
void mcv_npy_close(mcv_npy *array);

#endif
