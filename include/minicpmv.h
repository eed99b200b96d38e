/* minicpmv.h: MiniCPM-V 4.5 in C. The one public header.
 *
 * Every function that can fail returns an mcv_status; the words for the newest failure of the calling thread are in
 * mcv_error_message(). Nothing here prints. */
#ifndef MINICPMV_H
#define MINICPMV_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ------------------------------------------------------------------------------------------------- */

/* The first five are also the exit codes of the program `minicpmv`. */
typedef enum mcv_status {
    MCV_OK = 0,
    MCV_DIFFERS = 1,     /* a comparison ran and found a difference */
    MCV_USAGE = 2,       /* the caller asked for something that has no meaning */
    MCV_BAD_INPUT = 3,   /* a file is missing, damaged or contradicts another */
    MCV_UNSUPPORTED = 4, /* this CPU or build lacks what was asked for */
    MCV_NO_MEMORY = 5,   /* an allocation failed (exit code 4) */
} mcv_status;

/* The words for the newest failure in this thread: what was expected, what was found, and where. Never NULL. */
const char *mcv_error_message(void);

/* ---- Tensors ------------------------------------------------------------------------------------------------ */

/* Element types: those of the safetensors format, in its order of growing alignment. F4 and F6 share bytes: element i
 * has the `bits` bits from bit i * bits on, where bit 0 is a byte's lowest. */
typedef enum mcv_dtype {
    MCV_BOOL,
    MCV_F4,      /* E2M1 */
    MCV_F6_E2M3, /* OCP Microscaling Formats (MX) 1.0, as F4, F6_E3M2 and F8_E8M0 */
    MCV_F6_E3M2,
    MCV_U8,
    MCV_I8,
    MCV_F8_E5M2,
    MCV_F8_E4M3,
    MCV_F8_E8M0,
    MCV_F8_E4M3FNUZ,
    MCV_F8_E5M2FNUZ,
    MCV_I16,
    MCV_U16,
    MCV_F16,
    MCV_BF16,
    MCV_I32,
    MCV_U32,
    MCV_F32,
    MCV_C64, /* two F32: real, imaginary */
    MCV_F64,
    MCV_I64,
    MCV_U64,
    MCV_DTYPE_COUNT
} mcv_dtype;

enum { MCV_MAX_RANK = 8 };

/* A view of a dense, row-major (last index fastest), little-endian array. It owns nothing. rank 0 is a scalar. */
typedef struct mcv_tensor {
    mcv_dtype dtype;
    int rank;
    int64_t shape[MCV_MAX_RANK];
    const void *data;
} mcv_tensor;

/* Sees a module's output. `name` is its path in the Hugging Face model ("llm.model.layers.3.mlp"). The data is valid
 * during the call only. A return other than MCV_OK stops the run, which returns the same. */
typedef mcv_status (*mcv_tap_fn)(void *context, const char *name, const mcv_tensor *output);

#ifdef __cplusplus
}
#endif
#endif
