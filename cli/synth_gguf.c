#include "cli/synth_gguf.h"

#include "cli/synth_range.h"
#include "core/file.h"
#include "core/random.h"
#include "formats/random_blocks.h"
#include "ref/gguf_write.h"

typedef struct gguf_synthesis {
    mcv_pool *pool;
    uint64_t seed;
    size_t bytes;
} gguf_synthesis;

typedef struct fill_work {
    mcv_weight_type type;
    uint64_t stream;
    float middle, span;
    uint8_t *blocks;
} fill_work;

static void fill_blocks(void *context, size_t begin, size_t end, int worker) {
    (void)worker;
    const fill_work *work = context;
    mcv_random_blocks(work->type, work->stream, work->middle, work->span, begin, end, work->blocks);
}

static mcv_status fill(void *context, const char *name, const mcv_tensor *shape, mcv_weight_type type, size_t bytes,
                       uint8_t *blocks) {
    gguf_synthesis *self = context;
    fill_work work = {.type = type, .blocks = blocks};
    work.stream = mcv_random_mix(mcv_random_mix(self->seed) + self->bytes);
    mcv_synth_range(name, shape, &work.middle, &work.span);
    mcv_parallel_for(self->pool, bytes / mcv_weight_block_bytes(type), fill_blocks, &work);
    return MCV_OK;
}

static mcv_status written(void *context, const WrittenTensor *tensor) {
    gguf_synthesis *self = context;
    self->bytes += tensor->bytes;
    return MCV_OK;
}

mcv_status mcv_synth_gguf(const char *folder, const mcv_mix *mix, uint64_t seed, mcv_pool *pool, size_t *bytes) {
    gguf_synthesis self = {.pool = pool, .seed = seed};
    GgufJob job = {.files = {.model = folder}, .pool = pool, .written = written, .fill = fill, .context = &self};
    char *language, *vision = NULL;
    MCV_TRY(mcv_path_join(&language, folder, "model.gguf"));
    mcv_status status = mcv_path_join(&vision, folder, "mmproj.gguf");
    if (status == MCV_OK)
        status = mcv_unfinished_add_new(language);
    if (status == MCV_OK)
        status = gguf_write_language(&job, mix, language);
    if (status == MCV_OK)
        status = mcv_unfinished_add_new(vision);
    if (status == MCV_OK)
        status = gguf_write_vision(&job, MCV_WEIGHT_F16, vision);
    free(language);
    free(vision);
    *bytes = self.bytes;
    return status;
}
