/* How fast a CPU computes at best, for benchmarks: loops of nothing but the instruction that products are made of. */
#ifndef MCV_SIMD_KERNELS_PEAKS_H
#define MCV_SIMD_KERNELS_PEAKS_H

#include "simd/kernels/kernel_table.h"

typedef enum mcv_peak {
    MCV_PEAK_f32,  /* fused multiply-adds of FP32 */
    MCV_PEAK_int8, /* products of bytes, added up in 32 bits with dot product instructions, in 16 bits without */
    MCV_PEAK_bf16, /* products of pairs of BF16 */
    MCV_PEAKS
} mcv_peak;

/* Runs `rounds` rounds of a target's loop, or of that of the target which stands in for it. Returns how many operations
 * that were, a multiply-add counted as two; 0: there is no loop. */
double mcv_peak_run(mcv_peak peak, mcv_target target, size_t rounds);

/* What the loops are: each gives the operations of its rounds. */
#define PEAK(kind, target) double mcv_peak_##kind##_##target(size_t rounds);
#include "simd/kernels/peaks.def"

#endif
