/* The thread pool without a test framework, so that ThreadSanitizer can watch it. Prints TAP. */
#include <stdio.h>
#include <string.h>

#include "core/threads.h"

enum { COUNT = 1000, ROUNDS = 200, MAX_THREADS = 5 };

typedef struct shared {
    int visits[COUNT];        /* by index; every index has one writer */
    size_t work[MAX_THREADS]; /* by worker */
} shared;

static int failures;

static void check(int number, const char *name, bool right) {
    printf("%sok %d - %s\n", right ? "" : "not ", number, name);
    failures += !right;
}

static void visit(void *context, size_t begin, size_t end, int worker) {
    shared *all = context;
    for (size_t i = begin; i < end; i++)
        all->visits[i]++;
    all->work[worker] += end - begin;
}

typedef void (*parallel_fn)(mcv_pool *pool, size_t count, mcv_range_fn fn, void *context);

/* Runs ROUNDS loops over `count` indices; true where each index was visited once a round. */
static bool visits_each_once(parallel_fn parallel, int threads, size_t count) {
    shared all = {0};
    mcv_pool *pool;
    if (mcv_pool_create(&pool, threads) != MCV_OK)
        return false;
    for (int round = 0; round < ROUNDS; round++)
        parallel(pool, count, visit, &all);
    mcv_pool_free(pool);
    size_t total = 0;
    for (int worker = 0; worker < MAX_THREADS; worker++)
        total += all.work[worker];
    bool right = total == ROUNDS * count;
    for (size_t i = 0; i < COUNT; i++)
        right = right && all.visits[i] == (i < count ? ROUNDS : 0);
    return right;
}

/* A loop sees what the loop before it wrote, though other threads wrote it. */
static void add_mirrored(void *context, size_t begin, size_t end, int worker) {
    (void)worker;
    int(*values)[COUNT] = context;
    for (size_t i = begin; i < end; i++)
        values[1][i] = values[0][COUNT - 1 - i] + 1;
}

static bool hands_over_between_loops(void) {
    int values[2][COUNT] = {0};
    mcv_pool *pool;
    if (mcv_pool_create(&pool, MAX_THREADS) != MCV_OK)
        return false;
    for (int round = 0; round < ROUNDS; round++) {
        mcv_parallel_for(pool, COUNT, add_mirrored, values);
        memcpy(values[0], values[1], sizeof values[0]);
    }
    mcv_pool_free(pool);
    bool right = true;
    for (size_t i = 0; i < COUNT; i++)
        right = right && values[0][i] == ROUNDS;
    return right;
}

int main(void) {
    printf("1..8\n");
    check(1, "one thread visits each index once", visits_each_once(mcv_parallel_for, 1, COUNT));
    check(2, "five threads visit each index once", visits_each_once(mcv_parallel_for, MAX_THREADS, COUNT));
    check(3, "fewer indices than threads", visits_each_once(mcv_parallel_for, MAX_THREADS, 3));
    check(4, "no index", visits_each_once(mcv_parallel_for, MAX_THREADS, 0));
    check(5, "a loop sees the results of the one before", hands_over_between_loops());
    check(6, "pieces of all indices", visits_each_once(mcv_parallel_pieces, MAX_THREADS, COUNT));
    check(7, "fewer pieces than threads", visits_each_once(mcv_parallel_pieces, MAX_THREADS, 3));
    check(8, "pieces for one thread", visits_each_once(mcv_parallel_pieces, 1, COUNT));
    return failures != 0;
}
