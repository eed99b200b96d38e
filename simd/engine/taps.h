/* Showing outputs of the engine to a run's tap in the shapes that HF's modules give them. Without a tap nothing
 * happens. */
#ifndef MCV_SIMD_ENGINE_TAPS_H
#define MCV_SIMD_ENGINE_TAPS_H

#include "ref/nn.h"

static inline mcv_status mcv_tap_3d(const Run *run, const char *name, const float *data, int64_t d0, int64_t d1,
                                    int64_t d2) {
    return run->tap ? Run_output_raw(run, name, &MCV_TENSOR(MCV_F32, data, d0, d1, d2)) : MCV_OK;
}

static inline mcv_status mcv_tap_4d(const Run *run, const char *name, const float *data, int64_t d0, int64_t d1,
                                    int64_t d2, int64_t d3) {
    return run->tap ? Run_output_raw(run, name, &MCV_TENSOR(MCV_F32, data, d0, d1, d2, d3)) : MCV_OK;
}

#endif
