/* Showing outputs of the engine to a run's tap in the shapes that HF's modules give them. Without a tap nothing
 * happens. */
#ifndef MCV_SIMD_ENGINE_TAPS_H
#define MCV_SIMD_ENGINE_TAPS_H

#include "ref/nn.h"

static inline mcv_status mcv_tap_3d(const Run *run, const char *name, float *data, int64_t d0, int64_t d1, int64_t d2) {
    return Run_output(run, name, &(Tensor){.rank = 3, .shape = {d0, d1, d2}, .f32 = data});
}

static inline mcv_status mcv_tap_4d(const Run *run, const char *name, float *data, int64_t d0, int64_t d1, int64_t d2,
                                    int64_t d3) {
    return Run_output(run, name, &(Tensor){.rank = 4, .shape = {d0, d1, d2, d3}, .f32 = data});
}

#endif
