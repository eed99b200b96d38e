/* Time that passes. */
#ifndef MCV_CORE_CLOCK_H
#define MCV_CORE_CLOCK_H

#include <time.h>

/* Seconds on a clock that is never set back, from a beginning of its own. */
static inline double mcv_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
