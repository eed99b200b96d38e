/* Reads all that weights.h gives of a file. */
#ifndef MCV_TESTS_FUZZ_READ_WEIGHTS_H
#define MCV_TESTS_FUZZ_READ_WEIGHTS_H

#include "formats/weights.h"

/* Seen from outside, so that the reads are not left out. */
extern double fuzz_sum;

static inline void read_weight(const mcv_weight *weight) {
    const uint8_t *bytes;
    size_t size = mcv_weight_sample(weight, 256, &bytes);
    fuzz_sum += size ? bytes[0] + bytes[size - 1] : 0;
    float *row = malloc(weight->columns * sizeof *row + 1);
    for (size_t r = 0; r < weight->rows && row; r++) {
        mcv_weight_to_f32(weight, r, 1, row);
        fuzz_sum += weight->columns ? (double)row[weight->columns - 1] : 0;
    }
    free(row);
}

/* `use`, unless NULL, is given each weight besides. */
static inline void read_weights(const char *path, const char *mmproj, void use(const mcv_weight *weight)) {
    mcv_weights *weights;
    mcv_weight weight;
    const char *unsupported;
    if (mcv_weights_open(path, mmproj, &weights) != MCV_OK)
        return;
    for (size_t i = 0; i < mcv_weights_count(weights); i++) {
        const char *name = mcv_weights_at(weights, i, &weight, &unsupported);
        if ((mcv_weights_find(weights, name, &weight) == MCV_OK) != !unsupported)
            abort();
        if (unsupported || weight.rows == 0)
            continue;
        read_weight(&weight);
        if (use)
            use(&weight);
    }
    mcv_weights_close(weights);
}

#endif
