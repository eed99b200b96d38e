/* An arena: memory that is given back all at once, or down to a mark.
 *
 *     mcv_arena arena = {0};
 *     float *scores;
 *     MCV_TRY(MCV_ARENA_NEW(&arena, &scores, rows * columns));
 *     ...
 *     mcv_arena_free(&arena);
 *
 * Memory is aligned to 64 bytes and not zeroed. In sanitizer builds each allocation is a block of its own, so that
 * running over an edge is seen. */
#ifndef MCV_CORE_ARENA_H
#define MCV_CORE_ARENA_H

#include "core/memory.h"

typedef struct mcv_arena_block mcv_arena_block;

typedef struct mcv_arena {
    mcv_arena_block *newest; /* a chain; older blocks behind it */
} mcv_arena;

typedef struct mcv_arena_mark {
    mcv_arena_block *block;
    size_t used;
} mcv_arena_mark;

/* *out = count * size bytes. Use MCV_ARENA_NEW. */
mcv_status mcv_arena_alloc(mcv_arena *arena, void **out, size_t count, size_t size);

/* Makes room for allocations of `bytes` in all (each rounded up to 64), so that they, and what comes after a restore to
 * here, need no more from the system. */
mcv_status mcv_arena_reserve(mcv_arena *arena, size_t bytes);

/* For memory that is filled and will be read often: has the system put huge pages in the place of small ones that it
 * gave where memory was fragmented, as far as it can. Costs a copy of those. */
void mcv_arena_settle(mcv_arena *arena);

/* The arena's present state; mcv_arena_restore gives back what was allocated since. */
mcv_arena_mark mcv_arena_save(const mcv_arena *arena);
void mcv_arena_restore(mcv_arena *arena, mcv_arena_mark mark);

/* Gives everything back. The arena can be used again. */
void mcv_arena_free(mcv_arena *arena);

#define MCV_ARENA_NEW(arena, pointer_address, count)                                                                   \
    mcv_arena_alloc((arena), (void **)(pointer_address), (size_t)(count), sizeof **(pointer_address))

#endif
