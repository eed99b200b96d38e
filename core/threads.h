/* A pool of threads. Indices are shared out, a sum is never split, so results do not depend on the number of threads.
 */
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

/* The same for work that takes as long as memory, or another program on a processor, lets it: each thread takes a piece
 * of [0, count) whenever it has done one, smaller and smaller ones, and calls `fn` for each. */
void mcv_parallel_pieces(mcv_pool *pool, size_t count, mcv_range_fn fn, void *context);

#endif
