#include "ref/topk.h"

#include <stdbool.h>

static bool comes_before(const float *keys, int32_t a, int32_t b) {
    return keys[a] > keys[b] || (keys[a] == keys[b] && a < b);
}

static void swap(int32_t *a, int32_t *b) {
    int32_t kept = *a;
    *a = *b;
    *b = kept;
}

/* Moves an index down a heap whose root comes behind all others. */
static void sift_down(const float *keys, int32_t *heap, int size, int at) {
    for (int child = 2 * at + 1; child < size; child = 2 * at + 1) {
        if (child + 1 < size && comes_before(keys, heap[child], heap[child + 1]))
            child++;
        if (!comes_before(keys, heap[at], heap[child]))
            return;
        swap(&heap[at], &heap[child]);
        at = child;
    }
}

void topk(const float *keys, int count, int k, int32_t *indices) {
    for (int i = 0; i < k; i++)
        indices[i] = i;
    for (int i = k / 2 - 1; i >= 0; i--)
        sift_down(keys, indices, k, i);
    for (int i = k; i < count; i++)
        if (comes_before(keys, i, indices[0])) {
            indices[0] = i;
            sift_down(keys, indices, k, 0);
        }
    for (int size = k - 1; size > 0; size--) {
        swap(&indices[0], &indices[size]);
        sift_down(keys, indices, size, 0);
    }
}
