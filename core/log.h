/* What a person at a terminal sees of long work. All of it goes to standard error, nothing of it into a pipe. */
#ifndef MCV_CORE_LOG_H
#define MCV_CORE_LOG_H

#include <stdbool.h>

#include "core/status.h"

/* --quiet: no progress and no remarks from now on. */
void mcv_log_set_quiet(bool quiet);

/* A line of information that is neither a result nor an error; ends with a line break by itself. */
void mcv_log_remark(const char *format, ...) MCV_PRINTF(1, 2);

/* Shows "label: done/total, 0:12:34 left" in place of what was shown before; at most ten times a second, on a terminal
 * only. The time is told after some seconds. total 0: not known. From one thread at a time. */
void mcv_log_progress(const char *label, uint64_t done, uint64_t total);

/* Clears the progress line; to be called before anything else is printed. */
void mcv_log_progress_end(void);

#endif
