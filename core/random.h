/* Random numbers that are the same on every machine: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
 * number generators", 2014). */
#ifndef MCV_CORE_RANDOM_H
#define MCV_CORE_RANDOM_H

#include <stdint.h>

typedef struct mcv_random {
    uint64_t state;
} mcv_random;

/* Scrambles 64 bits, one to one. */
static inline uint64_t mcv_random_mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Number `stream` of the independent sequences of a seed. */
static inline mcv_random mcv_random_begin(uint64_t seed, uint64_t stream) {
    return (mcv_random){mcv_random_mix(mcv_random_mix(seed) + stream)};
}

static inline uint64_t mcv_random_next(mcv_random *random) {
    random->state += 0x9e3779b97f4a7c15u;
    return mcv_random_mix(random->state);
}

/* Uniform in (0, 1): the middles of 2^52 equal parts. */
static inline double mcv_random_positive(mcv_random *random) {
    return ((double)(mcv_random_next(random) >> 12) + 0.5) * 0x1p-52;
}

/* Uniform in [0, 1), a multiple of 2^-53. */
static inline double mcv_random_uniform(mcv_random *random) {
    return (double)(mcv_random_next(random) >> 11) * 0x1p-53;
}

#endif
