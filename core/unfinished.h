/* Files and folders while they are written: what a failure, or a signal that ends the program, takes away again. */
#ifndef MCV_CORE_UNFINISHED_H
#define MCV_CORE_UNFINISHED_H

#include <stdbool.h>

#include "core/status.h"

typedef struct mcv_unfinished mcv_unfinished;

/* Lists what was just created, under the path by which it can be removed. Any thread may. *entry (NULL: not
 * asked for) is never released. */
mcv_status mcv_unfinished_add(const char *path, mcv_unfinished **entry);
/* Lists what is about to be created, so that no signal comes between. What is there already is not listed: it may be
 * replaced, but a failure does not take it away. */
mcv_status mcv_unfinished_add_new(const char *path);
/* It is complete, or gone. NULL is fine. */
void mcv_unfinished_done(mcv_unfinished *entry);

/* For outputs of many files, written by one thread: what was listed last, and the end of all that was listed since,
 * which stays where `complete` and is removed elsewhere, the newest first, so that folders come behind their files. */
mcv_unfinished *mcv_unfinished_newest(void);
void mcv_unfinished_settle(const mcv_unfinished *since, bool complete);

/* From now on SIGINT, SIGTERM and SIGHUP, unless they are ignored, remove all that is listed before they end the
 * program. */
void mcv_unfinished_watch_signals(void);

#endif
