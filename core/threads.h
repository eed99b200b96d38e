/* A pool of threads with a static partition: the same index always falls to the same share, and no sum is ever split,
 * so results do not depend on the number of threads. */
#ifndef MCV_CORE_THREADS_H
#define MCV_CORE_THREADS_H

#include "core/memory.h"

typedef struct mcv_pool mcv_pool;

/* Does the work of indices [begin, end). `worker` is 0..threads-1. */
typedef void (*mcv_range_fn)(void *context, size_t begin, size_t end, int worker);

/* threads <= 0: one per processor that this process may use. */
mcv_status mcv_pool_create(mcv_pool **pool, int threads);
void mcv_pool_free(mcv_pool *pool);
int mcv_pool_threads(const mcv_pool *pool);

/* Splits [0, count) into one contiguous range a thread and waits until all are done. The calling thread takes part.
 * A NULL pool runs everything in the calling thread. Not to be called from within `fn`. */
void mcv_parallel_for(mcv_pool *pool, size_t count, mcv_range_fn fn, void *context);

#endif
