#include "core/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static bool quiet;
static bool line_shown;
static double last_shown; /* seconds */

void mcv_log_set_quiet(bool be_quiet) {
    quiet = be_quiet;
}

void mcv_log_remark(const char *format, ...) {
    if (quiet)
        return;
    mcv_log_progress_end();
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void mcv_log_progress(const char *label, uint64_t done, uint64_t total) {
    static const double SECONDS_BETWEEN = 0.1;
    double now = seconds_now();
    if (quiet || (line_shown && now - last_shown < SECONDS_BETWEEN) || !isatty(STDERR_FILENO))
        return;
    /* "\r" goes back to the start of the line, "\33[K" clears what is longer than the new text. */
    if (total)
        fprintf(stderr, "\r%s: %" PRIu64 "/%" PRIu64 "\33[K", label, done, total);
    else
        fprintf(stderr, "\r%s: %" PRIu64 "\33[K", label, done);
    fflush(stderr);
    line_shown = true;
    last_shown = now;
}

void mcv_log_progress_end(void) {
    if (line_shown)
        fputs("\r\33[K", stderr);
    line_shown = false;
}
