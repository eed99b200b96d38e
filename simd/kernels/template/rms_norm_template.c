/* A row kernel of a new target: written once on the registers of lanes.h, compiled for the target. */
#include "simd/kernels/rms_norm_lanes.h"

void mcv_rms_norm_template(const mcv_norm_args *a) {
    mcv_rms_norm_lanes(a);
}
