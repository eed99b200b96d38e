#include "core/arena.h"

#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define ONE_BLOCK_EACH 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONE_BLOCK_EACH 1
#endif
#endif
#ifndef ONE_BLOCK_EACH
#define ONE_BLOCK_EACH 0
#endif

enum { ALIGNMENT = 64, BLOCK_SIZE = 1 << 20, HUGE_PAGE = 2 << 20 };

struct mcv_arena_block {
    mcv_arena_block *older;
    size_t used, capacity;
    unsigned char *bytes; /* behind this header, aligned */
};

/* Weights are read from one end to the other: with pages of 4 KiB a good part of that time goes into finding them. A
 * system without huge pages says no, which is all right. */
static void ask_for_huge_pages(unsigned char *bytes, size_t size) {
    size_t skipped = (HUGE_PAGE - (uintptr_t)bytes % HUGE_PAGE) % HUGE_PAGE;
    if (size >= skipped + HUGE_PAGE)
        madvise(bytes + skipped, (size - skipped) / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
}

static mcv_status push_block(mcv_arena *arena, size_t capacity) {
    size_t total;
    if (!mcv_add_size(capacity, sizeof(mcv_arena_block) + ALIGNMENT, &total))
        return MCV_FAIL_MEMORY(capacity);
    mcv_arena_block *block = malloc(total);
    if (!block)
        return MCV_FAIL_MEMORY(total);
    uintptr_t start = (uintptr_t)(block + 1);
    block->bytes = (unsigned char *)(block + 1) + (ALIGNMENT - start % ALIGNMENT) % ALIGNMENT;
    block->older = arena->newest;
    block->used = 0;
    block->capacity = capacity;
    arena->newest = block;
    ask_for_huge_pages(block->bytes, capacity);
    return MCV_OK;
}

static void pop_block(mcv_arena *arena) {
    mcv_arena_block *block = arena->newest;
    arena->newest = block->older;
    free(block);
}

mcv_status mcv_arena_alloc(mcv_arena *arena, void **out, size_t count, size_t size) {
    size_t bytes, rounded;
    if (!mcv_mul_size(count, size, &bytes) || !mcv_add_size(bytes, ALIGNMENT - 1, &rounded))
        return MCV_FAIL(MCV_NO_MEMORY, "out of memory (%zu x %zu bytes asked for)", count, size);
    rounded -= rounded % ALIGNMENT;
    mcv_arena_block *block = arena->newest;
    if (ONE_BLOCK_EACH) {
        MCV_TRY(push_block(arena, bytes));
    } else if (!block || block->capacity - block->used < rounded) {
        MCV_TRY(push_block(arena, rounded > BLOCK_SIZE ? rounded : BLOCK_SIZE));
    }
    block = arena->newest;
    *out = block->bytes + block->used;
    block->used += ONE_BLOCK_EACH ? bytes : rounded;
    return MCV_OK;
}

mcv_arena_mark mcv_arena_save(const mcv_arena *arena) {
    return (mcv_arena_mark){arena->newest, arena->newest ? arena->newest->used : 0};
}

void mcv_arena_restore(mcv_arena *arena, mcv_arena_mark mark) {
    while (arena->newest != mark.block)
        pop_block(arena);
    if (arena->newest)
        arena->newest->used = mark.used;
}

void mcv_arena_free(mcv_arena *arena) {
    while (arena->newest)
        pop_block(arena);
}

mcv_status mcv_arena_reserve(mcv_arena *arena, size_t bytes) {
    return ONE_BLOCK_EACH ? MCV_OK : push_block(arena, bytes);
}
