#include "formats/importance.h"

#include <math.h>
#include <stdio.h>

struct mcv_importance {
    mcv_gguf *file;
};

mcv_status mcv_importance_open(const char *path, mcv_importance **out) {
    static const char KEY[] = "general.type", KIND[] = "imatrix";
    mcv_importance *importance;
    mcv_gguf_string kind = {"", 0};
    *out = NULL;
    MCV_TRY(MCV_NEW(&importance, 1));
    mcv_status status = mcv_gguf_open(path, &importance->file);
    if (status == MCV_OK)
        status = mcv_gguf_get_string(importance->file, KEY, &kind);
    if (status == MCV_OK && (kind.size != strlen(KIND) || memcmp(kind.data, KIND, kind.size) != 0))
        status = mcv_gguf_fail(MCV_BAD_INPUT, importance->file, KEY, KIND);
    if (status == MCV_OK)
        *out = importance;
    else
        mcv_importance_close(importance);
    return status;
}

void mcv_importance_close(mcv_importance *importance) {
    if (!importance)
        return;
    mcv_gguf_close(importance->file);
    free(importance);
}

static mcv_status find_part(const mcv_importance *importance, const char *name, const char *part,
                            const mcv_gguf_tensor **tensor) {
    char full[256];
    snprintf(full, sizeof full, "%s.%s", name, part);
    *tensor = mcv_gguf_find_tensor(importance->file, full);
    if (!*tensor || ((*tensor)->has_weight_type && (*tensor)->weight_type == MCV_WEIGHT_F32))
        return MCV_OK;
    return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: expected type F32", mcv_gguf_path(importance->file), full);
}

/* Divides by the mean, and lifts what is next to nothing, so that every column counts a little. */
static void normalize(float *weights, int64_t columns) {
    double sum = 0;
    for (int64_t i = 0; i < columns; i++)
        sum += (double)weights[i];
    double mean = sum / (double)columns;
    for (int64_t i = 0; i < columns; i++)
        weights[i] = mean > 0 ? (float)fmax((double)weights[i] / mean, 1e-4) : 1;
}

mcv_status mcv_importance_find(const mcv_importance *importance, const char *name, int64_t columns, mcv_arena *arena,
                               const float **weights) {
    const mcv_gguf_tensor *sums, *counts;
    float *copy;
    *weights = NULL;
    MCV_TRY(find_part(importance, name, "in_sum2", &sums));
    MCV_TRY(find_part(importance, name, "counts", &counts));
    if (!sums || !counts)
        return MCV_OK;
    if (sums->bytes != (size_t)columns * sizeof *copy || counts->bytes != sizeof *copy)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: expected one count and %lld sums, found %zu and %zu",
                        mcv_gguf_path(importance->file), name, (long long)columns, counts->bytes / sizeof *copy,
                        sums->bytes / sizeof *copy);
    MCV_TRY(MCV_ARENA_NEW(arena, &copy, columns));
    memcpy(copy, sums->data, sums->bytes);
    for (int64_t i = 0; i < columns; i++)
        if (!(copy[i] >= 0) || !isfinite(copy[i]))
            return MCV_FAIL(MCV_BAD_INPUT, "%s: %s: column %lld: expected a sum of squares, found %g",
                            mcv_gguf_path(importance->file), name, (long long)i, (double)copy[i]);
    normalize(copy, columns);
    *weights = copy;
    return MCV_OK;
}
