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

/* One stream, from end to end: several a thread, or far prefetching, read up to a fifth less on a Zen 4. */
static void read_parts(void *context, size_t begin, size_t end, int worker) {
    const mcv_read_limit *limit = context;
    uint64_t sum[LINE_WORDS] = {0};
    for (const uint64_t *line = limit->words + begin * PART_WORDS; line < limit->words + end * PART_WORDS;
         line += LINE_WORDS) {
        __builtin_prefetch(line + LINE_WORDS * LINE_WORDS);
        for (size_t i = 0; i < LINE_WORDS; i++)
            sum[i] += line[i];
    }
    for (size_t i = 0; i < LINE_WORDS; i++)
        limit->sums[worker] += sum[i];
}

double mcv_read_limit_measure(const mcv_read_limit *limit, int times) {
    mcv_read_limit copy = *limit;
    double start = mcv_seconds();
    for (int i = 0; i < times; i++)
        mcv_parallel_pieces(limit->pool, PARTS, read_parts, &copy);
    return (double)times * MCV_READ_LIMIT_BYTES / (mcv_seconds() - start);
}
