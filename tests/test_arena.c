/* Arenas: allocations that follow each other over blocks of all sizes, marks, and memory that is settled. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/arena.h"

/* Sizes around those of blocks and huge pages. */
static const size_t SIZES[] = {1,   63,       64,       65, 1 << 20, (1 << 20) + 1, 3 << 20,
                               100, 40 << 20, 70 << 20, 5,  2 << 20, 9 << 20};
enum { COUNT = sizeof SIZES / sizeof *SIZES };

static void fill(mcv_arena *arena, unsigned char *parts[COUNT]) {
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(mcv_arena_alloc(arena, (void **)&parts[i], SIZES[i], 1), MCV_OK);
        cr_expect_eq((uintptr_t)parts[i] % 64, 0);
        memset(parts[i], i + 1, SIZES[i]);
    }
}

static void expect_intact(unsigned char *const parts[COUNT]) {
    for (int i = 0; i < COUNT; i++)
        for (size_t at = 0; at < SIZES[i]; at++)
            cr_assert_eq(parts[i][at], i + 1, "byte %zu of part %d", at, i);
}

Test(arena, parts_do_not_overlap) {
    mcv_arena arena = {0};
    unsigned char *parts[COUNT];
    fill(&arena, parts);
    expect_intact(parts);
    mcv_arena_settle(&arena);
    expect_intact(parts);
    mcv_arena_free(&arena);
}

Test(arena, marks) {
    mcv_arena arena = {0};
    unsigned char *parts[COUNT], *others[COUNT];
    mcv_arena_settle(&arena);
    fill(&arena, parts);
    for (int i = 0; i < 3; i++) {
        mcv_arena_mark mark = mcv_arena_save(&arena);
        fill(&arena, others);
        expect_intact(others);
        mcv_arena_restore(&arena, mark);
    }
    expect_intact(parts);
    mcv_arena_free(&arena);
}

Test(arena, more_than_there_is) {
    mcv_arena arena = {0};
    unsigned char *part;
    cr_expect_eq(mcv_arena_alloc(&arena, (void **)&part, SIZE_MAX - 10, 1), MCV_NO_MEMORY);
    cr_expect_eq(mcv_arena_alloc(&arena, (void **)&part, SIZE_MAX / 2, 3), MCV_NO_MEMORY);
    cr_expect_eq(mcv_arena_alloc(&arena, (void **)&part, 10, 1), MCV_OK);
    mcv_arena_free(&arena);
}
