/* How fast this machine reads memory with all threads of a pool: the limit of what reads every byte once. */
#ifndef MCV_CLI_READ_LIMIT_H
#define MCV_CLI_READ_LIMIT_H

#include "core/arena.h"
#include "core/threads.h"

enum { MCV_READ_LIMIT_BYTES = 256 * 1024 * 1024 /* several times what caches hold */ };

typedef struct mcv_read_limit {
    mcv_pool *pool;
    const uint64_t *words; /* MCV_READ_LIMIT_BYTES, in huge pages as weights are */
    uint64_t *sums;        /* of each thread, so that what is read is used */
} mcv_read_limit;

mcv_status mcv_read_limit_make(mcv_read_limit *limit, mcv_pool *pool, mcv_arena *arena);

/* Reads all of it. Bytes a second. */
double mcv_read_limit_measure(const mcv_read_limit *limit);

#endif
