#include "cli/read_limit.h"

#include <string.h>

#include "core/clock.h"

enum { PART_WORDS = 1 << 19 /* of 4 MiB */, PARTS = MCV_READ_LIMIT_BYTES / (PART_WORDS * 8), LINE_WORDS = 8 };

mcv_status mcv_read_limit_make(mcv_read_limit *limit, mcv_pool *pool, mcv_arena *arena) {
    unsigned char *memory;
    limit->pool = pool;
    MCV_TRY(MCV_ARENA_NEW(arena, &limit->sums, mcv_pool_threads(pool)));
    memset(limit->sums, 0, (size_t)mcv_pool_threads(pool) * sizeof *limit->sums);
    MCV_TRY(MCV_ARENA_NEW(arena, &memory, MCV_READ_LIMIT_BYTES));
    memset(memory, 1, MCV_READ_LIMIT_BYTES); /* pages that were never written are all the same one */
    mcv_arena_settle(arena);
    limit->words = (const uint64_t *)(void *)memory;
    return MCV_OK;
}

/* A word of each line, one after the other, of which the processor makes the most: loading all words, streams side by
 * side and asking for lines ahead were never faster on a Zen 4, and up to a fifth slower. */
static void read_parts(void *context, size_t begin, size_t end, int worker) {
    const mcv_read_limit *limit = context;
    uint64_t sum = 0;
    for (size_t i = begin * PART_WORDS; i < end * PART_WORDS; i += LINE_WORDS)
        sum += limit->words[i];
    limit->sums[worker] += sum;
}

double mcv_read_limit_measure(const mcv_read_limit *limit) {
    mcv_read_limit copy = *limit;
    double start = mcv_seconds();
    mcv_parallel_pieces(limit->pool, PARTS, read_parts, &copy);
    return MCV_READ_LIMIT_BYTES / (mcv_seconds() - start);
}
