#include "simd/kernels/peaks.h"

/* One more than there are loops: the list may be empty. */
static const struct Loop {
    mcv_peak kind;
    mcv_target target;
    double (*run)(size_t rounds);
} LOOPS[] = {
#define PEAK(kind, target) {MCV_PEAK_##kind, MCV_TARGET_##target, mcv_peak_##kind##_##target},
#include "simd/kernels/peaks.def"
    {MCV_PEAKS, MCV_TARGETS, NULL},
};

double mcv_peak_run(mcv_peak peak, mcv_target target, size_t rounds) {
    for (; target != MCV_TARGET_contract; target = mcv_target_stand_in(target))
        for (const struct Loop *loop = LOOPS; loop->run; loop++)
            if (loop->kind == peak && loop->target == target)
                return loop->run(rounds);
    return 0;
}
