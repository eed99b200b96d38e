#include "core/unfinished.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/memory.h"

/* Entries are added at the front and never taken out, so that a signal finds the list whole at any time. */
struct mcv_unfinished {
    mcv_unfinished *older;
    atomic_bool listed;
    char path[];
};

static _Atomic(mcv_unfinished *) newest;

mcv_status mcv_unfinished_add(const char *path, mcv_unfinished **entry) {
    size_t size = strlen(path) + 1;
    mcv_unfinished *added = malloc(sizeof *added + size);
    if (entry)
        *entry = added;
    if (!added)
        return MCV_FAIL_MEMORY(sizeof *added + size);
    memcpy(added->path, path, size);
    atomic_init(&added->listed, true);
    added->older = atomic_load(&newest);
    while (!atomic_compare_exchange_weak(&newest, &added->older, added))
        ;
    return MCV_OK;
}

mcv_status mcv_unfinished_add_new(const char *path) {
    struct stat about;
    return lstat(path, &about) == 0 ? MCV_OK : mcv_unfinished_add(path, NULL);
}

void mcv_unfinished_done(mcv_unfinished *entry) {
    if (entry)
        atomic_store(&entry->listed, false);
}

/* remove() of the C library may not be called from a signal's handler; these two may. */
static void take_away(mcv_unfinished *entry) {
    if (atomic_exchange(&entry->listed, false) && unlink(entry->path) != 0)
        rmdir(entry->path);
}

mcv_unfinished *mcv_unfinished_newest(void) {
    return atomic_load(&newest);
}

void mcv_unfinished_settle(const mcv_unfinished *since, bool complete) {
    for (mcv_unfinished *entry = atomic_load(&newest); entry != since; entry = entry->older) {
        if (complete)
            mcv_unfinished_done(entry);
        else
            take_away(entry);
    }
}

/* ---- Signals ------------------------------------------------------------------------------------------------- */

/* The signal's own effect is back when its handler is called, and comes when it returns. */
static void on_signal(int number) {
    mcv_unfinished_settle(NULL, false);
    raise(number);
}

void mcv_unfinished_watch_signals(void) {
    static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND}, before;
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++)
        if (sigaction(SIGNALS[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(SIGNALS[i], &action, NULL);
}
