#include "core/arena.h"

#include <linux/mman.h>
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

enum { ALIGNMENT = 64, SMALLEST_BLOCK = 1 << 20, LARGEST_BLOCK = 64 << 20, HUGE_PAGE = 2 << 20 };

struct mcv_arena_block {
    mcv_arena_block *older;
    size_t used, capacity;
    unsigned char *bytes; /* behind this header, aligned */
};

/* Memory of `*size` bytes, or of whole huge pages where it fills one. Weights are read from one end to the other: with
 * pages of 4 KiB a third of that time goes into finding them. A system without huge pages says no, which is all right.
 */
static void *allocate(size_t *size) {
    size_t rounded;
    if (*size < HUGE_PAGE || ONE_BLOCK_EACH)
        return malloc(*size);
    if (!mcv_add_size(*size, HUGE_PAGE - 1, &rounded))
        return NULL;
    *size = rounded - rounded % HUGE_PAGE;
    void *memory = aligned_alloc(HUGE_PAGE, *size);
    if (memory)
        madvise(memory, *size, MADV_HUGEPAGE);
    return memory;
}

static mcv_status push_block(mcv_arena *arena, size_t capacity) {
    size_t total;
    if (!mcv_add_size(capacity, sizeof(mcv_arena_block) + ALIGNMENT, &total))
        return MCV_FAIL_MEMORY(capacity);
    size_t header = total - capacity;
    mcv_arena_block *block = allocate(&total);
    if (!block)
        return MCV_FAIL_MEMORY(total);
    uintptr_t start = (uintptr_t)(block + 1);
    block->bytes = (unsigned char *)(block + 1) + (ALIGNMENT - start % ALIGNMENT) % ALIGNMENT;
    block->older = arena->newest;
    block->used = 0;
    block->capacity = total - header;
    arena->newest = block;
    return MCV_OK;
}

/* Blocks grow, so that what is many is in few of them, which have few ends that fill no huge page. What is never
 * touched of a block takes no memory. */
static size_t block_size(const mcv_arena *arena, size_t wanted) {
    size_t usual = arena->newest ? 2 * arena->newest->capacity : SMALLEST_BLOCK;
    usual = usual < SMALLEST_BLOCK ? SMALLEST_BLOCK : usual > LARGEST_BLOCK ? LARGEST_BLOCK : usual;
    return wanted > usual ? wanted : usual;
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
        MCV_TRY(push_block(arena, block_size(arena, rounded)));
    }
    block = arena->newest;
    *out = block->bytes + block->used;
    block->used += ONE_BLOCK_EACH ? bytes : rounded;
    return MCV_OK;
}

void mcv_arena_settle(mcv_arena *arena) {
#ifdef MADV_COLLAPSE
    /* One by one: a refusal, for which nothing is lost, ends a call. */
    for (mcv_arena_block *block = arena->newest; block; block = block->older)
        for (size_t at = 0; at + HUGE_PAGE <= block->used; at += HUGE_PAGE)
            madvise((unsigned char *)block + at, HUGE_PAGE, MADV_COLLAPSE);
#else
    (void)arena;
#endif
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
