#include "core/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

typedef struct worker {
    mcv_pool *pool;
    int index;
    pthread_t thread;
} worker;

enum {
    /* How often a thread looks for work, or for the end of it, before it sleeps: some ten microseconds, less than
     * waking up takes. Products of a single token follow each other that closely. */
    LOOKS = 4000,
    /* A piece is this part of what each thread has left: a thread that memory keeps waiting holds up the others by no
     * more than that, and the number of pieces grows with the logarithm of the indices alone. */
    SHARE = 4,
    /* But no less than this part of all that a thread has: the last pieces, which threads wait for, take about a
     * hundredth of the whole time, and each is still worth its call. */
    SMALLEST = 64
};

struct mcv_pool {
    int threads, looks;
    worker *workers; /* [threads]; the first is the caller and has no thread */
    pthread_mutex_t lock;
    pthread_cond_t work_ready, work_done;
    atomic_uint_fast64_t generation; /* counts calls of mcv_parallel_for; written under the lock */
    atomic_int running;              /* workers that have not finished this generation */
    bool stopping;
    size_t count;
    size_t piece;       /* indices that a thread takes at least at a time; 0: each has a share of its own */
    atomic_size_t next; /* the first index that nobody has taken */
    mcv_range_fn fn;
    void *context;
};

/* A part of what is left: pieces are large at first, for each is a call, and small at the end, when threads wait for
 * the one that has the last. False: nothing is left. */
static bool take_piece(mcv_pool *pool, size_t *begin, size_t *end) {
    size_t next = atomic_load(&pool->next);
    do {
        size_t left = pool->count - next, size = left / ((size_t)pool->threads * SHARE);
        if (left == 0)
            return false;
        size = size < pool->piece ? pool->piece : size;
        *end = next + (size < left ? size : left);
    } while (!atomic_compare_exchange_weak(&pool->next, &next, *end));
    *begin = next;
    return true;
}

static void run_pieces(mcv_pool *pool, int index) {
    size_t begin, end;
    while (take_piece(pool, &begin, &end))
        pool->fn(pool->context, begin, end, index);
}

static void run_share(mcv_pool *pool, int index) {
    if (pool->piece) {
        run_pieces(pool, index);
        return;
    }
    size_t threads = (size_t)pool->threads, i = (size_t)index;
    size_t share = pool->count / threads, rest = pool->count % threads;
    size_t begin = i * share + (i < rest ? i : rest), end = begin + share + (i < rest);
    if (begin < end)
        pool->fn(pool->context, begin, end, index);
}

static void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void *worker_main(void *argument) {
    worker *self = argument;
    mcv_pool *pool = self->pool;
    uint64_t seen = 0;
    for (;;) {
        for (int i = 0; i < pool->looks && atomic_load(&pool->generation) == seen; i++)
            pause_briefly();
        pthread_mutex_lock(&pool->lock);
        while (atomic_load(&pool->generation) == seen && !pool->stopping)
            pthread_cond_wait(&pool->work_ready, &pool->lock);
        bool stopping = pool->stopping;
        seen = atomic_load(&pool->generation);
        pthread_mutex_unlock(&pool->lock);
        if (stopping)
            return NULL;
        run_share(pool, self->index);
        if (atomic_fetch_sub(&pool->running, 1) == 1) {
            pthread_mutex_lock(&pool->lock);
            pthread_cond_signal(&pool->work_done);
            pthread_mutex_unlock(&pool->lock);
        }
    }
}

static int usable_processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

mcv_status mcv_pool_create(mcv_pool **out, int threads) {
    *out = NULL;
    if (threads <= 0)
        threads = usable_processors();
    mcv_pool *pool;
    MCV_TRY(MCV_NEW(&pool, 1));
    mcv_status status = MCV_NEW(&pool->workers, (size_t)threads);
    if (status != MCV_OK) {
        free(pool);
        return status;
    }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work_ready, NULL);
    pthread_cond_init(&pool->work_done, NULL);
    pool->looks = threads <= usable_processors() ? LOOKS : 0; /* else others need the processor */
    pool->threads = 1;
    for (int i = 1; i < threads; i++) {
        pool->workers[i] = (worker){.pool = pool, .index = i};
        if (pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]) != 0) {
            mcv_pool_free(pool);
            return MCV_FAIL(MCV_NO_MEMORY, "thread %d of %d cannot be started", i + 1, threads);
        }
        pool->threads++;
    }
    *out = pool;
    return MCV_OK;
}

void mcv_pool_free(mcv_pool *pool) {
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work_ready);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 1; i < pool->threads; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->work_done);
    pthread_cond_destroy(&pool->work_ready);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}

int mcv_pool_threads(const mcv_pool *pool) {
    return pool ? pool->threads : 1;
}

static void run(mcv_pool *pool, size_t count, size_t piece, mcv_range_fn fn, void *context) {
    if (!pool || pool->threads == 1 || count < 2) {
        if (count)
            fn(context, 0, count, 0);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->count = count;
    pool->piece = piece;
    atomic_store(&pool->next, 0);
    pool->fn = fn;
    pool->context = context;
    atomic_store(&pool->running, pool->threads - 1);
    atomic_fetch_add(&pool->generation, 1);
    pthread_cond_broadcast(&pool->work_ready);
    pthread_mutex_unlock(&pool->lock);
    run_share(pool, 0);
    for (int i = 0; i < pool->looks && atomic_load(&pool->running) > 0; i++)
        pause_briefly();
    if (atomic_load(&pool->running) == 0)
        return;
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->running) > 0)
        pthread_cond_wait(&pool->work_done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

void mcv_parallel_for(mcv_pool *pool, size_t count, mcv_range_fn fn, void *context) {
    run(pool, count, 0, fn, context);
}

void mcv_parallel_pieces(mcv_pool *pool, size_t count, mcv_range_fn fn, void *context) {
    run(pool, count, count / ((size_t)mcv_pool_threads(pool) * SMALLEST) + 1, fn, context);
}
