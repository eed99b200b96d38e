#include "core/log.h"
#include "core/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
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

/* ", 1:02:03 left" at the pace so far; "" where that cannot be told yet. Another label, or a step back, is new work. */
static const char *time_left(const char *label, uint64_t done, uint64_t total, double now) {
    static const double SECONDS_TO_LEARN = 3;
    static char work[64];
    static uint64_t first_done, last_done;
    static double started;
    static char text[48];
    if (strncmp(work, label, sizeof work - 1) != 0 || done < last_done || !line_shown) {
        snprintf(work, sizeof work, "%s", label);
        first_done = done;
        started = now;
    }
    last_done = done;
    text[0] = 0;
    if (total > done && done > first_done && now - started >= SECONDS_TO_LEARN) {
        double left = (now - started) / (double)(done - first_done) * (double)(total - done) + 0.5;
        uint64_t seconds = left < 1e9 ? (uint64_t)left : 1000000000;
        snprintf(text, sizeof text, ", %" PRIu64 ":%02u:%02u left", seconds / 3600, (unsigned)(seconds / 60 % 60),
                 (unsigned)(seconds % 60));
    }
    return text;
}

void mcv_log_progress(const char *label, uint64_t done, uint64_t total) {
    static const double SECONDS_BETWEEN = 0.1;
    double now = mcv_seconds();
    if (quiet || (line_shown && now - last_shown < SECONDS_BETWEEN) || !isatty(STDERR_FILENO))
        return;
    /* "\r" goes back to the start of the line, "\33[K" clears what is longer than the new text. */
    if (total)
        fprintf(stderr, "\r%s: %" PRIu64 "/%" PRIu64 "%s\33[K", label, done, total, time_left(label, done, total, now));
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
