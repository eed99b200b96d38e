#include "simd/engine/packed.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/tensor.h"

enum { MAX_K = 131072 };

/* What the threads share while a layer is packed. The pointers are the packed layer's, to be written. */
typedef struct PackWork {
    const mcv_weight *weight;
    size_t n, k, group;
    void *w;
    float *w_scale;
    int32_t *w_sum;
    uint16_t *w_scale_16;
    float *rows;       /* [threads][MCV_LANES][k]: a panel's rows, widened */
    int8_t *quantized; /* [threads][MCV_LANES][padded k]: the same, of INT8 */
} PackWork;

/* A panel's rows as floats, zeros for those behind the last. */
static const float *widen_panel(const PackWork *work, size_t panel, int worker) {
    float *rows = work->rows + (size_t)worker * MCV_LANES * work->k;
    size_t first = panel * MCV_LANES, count = work->n - first < MCV_LANES ? work->n - first : MCV_LANES;
    mcv_weight_to_f32(work->weight, first, count, rows);
    memset(rows + count * work->k, 0, (MCV_LANES - count) * work->k * sizeof *rows);
    return rows;
}

static void pack_f32(void *context, size_t begin, size_t end, int worker) {
    const PackWork *work = context;
    for (size_t panel = begin; panel < end; panel++) {
        const float *rows = widen_panel(work, panel, worker);
        float *out = (float *)work->w + panel * work->k * MCV_LANES;
        for (size_t k = 0; k < work->k; k++)
            for (size_t lane = 0; lane < MCV_LANES; lane++)
                *out++ = rows[lane * work->k + k];
    }
}

static void pack_bf16(void *context, size_t begin, size_t end, int worker) {
    const PackWork *work = context;
    size_t pairs = (work->k + 1) / 2;
    for (size_t panel = begin; panel < end; panel++) {
        const float *rows = widen_panel(work, panel, worker);
        uint16_t *out = (uint16_t *)work->w + panel * pairs * 2 * MCV_LANES;
        for (size_t k = 0; k < pairs * 2; k += 2)
            for (size_t lane = 0; lane < MCV_LANES; lane++)
                for (size_t i = k; i < k + 2; i++)
                    *out++ = i < work->k ? mcv_bf16_from_f32(rows[lane * work->k + i]) : 0;
    }
}

/* Rows are quantized as activations are. */
static void pack_int8(void *context, size_t begin, size_t end, int worker) {
    const PackWork *work = context;
    size_t padded = mcv_round_up(work->k, MCV_K_PADDING);
    int8_t *q = work->quantized + (size_t)worker * MCV_LANES * padded;
    for (size_t panel = begin; panel < end; panel++) {
        int8_t *out = (int8_t *)work->w + panel * padded * MCV_LANES;
        mcv_quantize_rows_contract(&(mcv_quantize_rows_args){.m = MCV_LANES,
                                                             .k = work->k,
                                                             .group = work->k,
                                                             .sum_group = work->k,
                                                             .x = widen_panel(work, panel, worker),
                                                             .ldx = work->k,
                                                             .q = q,
                                                             .ldq = padded,
                                                             .scale = work->w_scale + panel * MCV_LANES,
                                                             .sum = work->w_sum + panel * MCV_LANES});
        for (size_t k = 0; k < padded; k += 4)
            for (size_t lane = 0; lane < MCV_LANES; lane++, out += 4)
                memcpy(out, q + lane * padded + k, 4);
    }
}

/* Four bits a weight, as w = scale (q - 8): the largest magnitude becomes -8 or 8 - 16, then the scale is chosen anew
 * so that the squared error of these q is least. Returns the scale's F16 bits, NaN where a weight is not finite. */
static uint16_t quantize_int4(const float *w, size_t count, uint8_t *q) {
    float extreme = 0, products = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(w[i]))
            return mcv_f16_from_f32((float)NAN);
        extreme = fabsf(w[i]) > fabsf(extreme) ? w[i] : extreme;
    }
    float inverse = -8 / extreme;
    inverse = isfinite(inverse) ? inverse : 0;
    for (size_t i = 0; i < count; i++) {
        float level = rintf(w[i] * inverse);
        level = level > 7 ? 7 : level < -8 ? -8 : level;
        q[i] = (uint8_t)(level + 8);
        products += w[i] * level;
        squares += level * level;
    }
    return mcv_f16_from_f32(squares > 0 ? products / squares : 0);
}

static void pack_int4(void *context, size_t begin, size_t end, int worker) {
    const PackWork *work = context;
    size_t group = work->group, groups = (work->k + group - 1) / group;
    for (size_t panel = begin; panel < end; panel++) {
        const float *rows = widen_panel(work, panel, worker);
        for (size_t g = 0; g < groups; g++) {
            uint8_t *out = (uint8_t *)work->w + (panel * groups + g) * group / 2 * MCV_LANES;
            size_t count = work->k - g * group < group ? work->k - g * group : group;
            for (size_t lane = 0; lane < MCV_LANES; lane++) {
                uint8_t q[128];
                memset(q, 8, sizeof q);
                work->w_scale_16[(panel * groups + g) * MCV_LANES + lane] =
                    quantize_int4(rows + lane * work->k + g * group, count, q);
                for (size_t k = 0; k < group; k += 8)
                    for (size_t j = 0; j < 4; j++)
                        out[(k / 8 * MCV_LANES + lane) * 4 + j] = (uint8_t)(q[k + j] | q[k + 4 + j] << 4);
            }
        }
    }
}

/* ---- What is kept ------------------------------------------------------------------------------------------- */

/* The parts of a packed layer as tensors: bytes, scales, sums. */
typedef struct Parts {
    mcv_tensor w, w_scale, w_sum;
    uint64_t source; /* tells the weights that were packed, and how, from others */
} Parts;

static void describe_parts(const mcv_packed *packed, Parts *parts) {
    size_t rows = mcv_panels(packed->n) * MCV_LANES, k = packed->k;
    size_t groups = packed->group ? (k + packed->group - 1) / packed->group : 0;
    const size_t BYTES[] = {rows * k * sizeof(float), rows * mcv_round_up(k, 2) * sizeof(uint16_t),
                            rows * mcv_round_up(k, MCV_K_PADDING), rows * groups * packed->group / 2};
    *parts = (Parts){.w = MCV_TENSOR(MCV_U8, NULL, (int64_t)BYTES[packed->precision])};
    if (packed->precision == MCV_PRECISION_INT8) {
        parts->w_scale = MCV_TENSOR(MCV_F32, NULL, (int64_t)rows);
        parts->w_sum = MCV_TENSOR(MCV_I32, NULL, (int64_t)rows);
    }
    if (packed->precision == MCV_PRECISION_INT4)
        parts->w_scale = MCV_TENSOR(MCV_F16, NULL, (int64_t)(rows * groups));
}

/* Hashes bytes from the middle of the weights, their shape and type and how they are packed: what tells a file that was
 * made from them from one that was not. More bytes would have more of the model's file read. */
static void fingerprint(const mcv_weight *weight, const mcv_packed *packed, uint64_t *source) {
    enum { SIZE = 256 };
    uint64_t words[] = {3 /* of the layouts */,      (uint64_t)weight->type, packed->n, packed->k,
                        (uint64_t)packed->precision, packed->group};
    size_t bytes = weight->rows * weight->row_bytes, size = bytes < SIZE ? bytes : SIZE;
    uint64_t hash = XXH3_64bits(words, sizeof words);
    hash = XXH3_64bits_withSeed(weight->data + (bytes - size) / 2, size, hash);
    *source = hash;
}

static mcv_status part_name(const char *key, const char *part, char *name, size_t size) {
    int length = snprintf(name, size, "%s.%s", key, part);
    return length > 0 && (size_t)length < size ? MCV_OK : MCV_FAIL(MCV_USAGE, "%s: a name of %d bytes", key, length);
}

typedef struct CopyWork {
    const unsigned char *from;
    unsigned char *to;
    size_t bytes;
} CopyWork;

enum { COPY_BYTES = 1 << 20 /* that a thread takes at a time */ };

/* Both ends of a range moved to the page that they lie in. */
static void advise(const unsigned char *begin, const unsigned char *end, int advice) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)begin / page * page;
    madvise((void *)first, (uintptr_t)end - first, advice);
}

static void copy_range(void *context, size_t begin, size_t end, int worker) {
    const CopyWork *work = context;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        size_t first = i * COPY_BYTES, last = work->bytes - first < COPY_BYTES ? work->bytes : first + COPY_BYTES;
#ifdef MADV_POPULATE_READ
        advise(work->from + first, work->from + last, MADV_POPULATE_READ); /* all pages at once, not one fault each */
#endif
        memcpy(work->to + first, work->from + first, last - first);
    }
}

/* Copies a part from the file: memory of our own comes in large pages, from which weights are read faster. What the
 * file's pages take is given back at once. */
static mcv_status copy_part(const mcv_packer *packer, mcv_tensor *tensor) {
    CopyWork work = {.from = tensor->data};
    void *copy;
    if (tensor->rank == 0)
        return MCV_OK;
    mcv_tensor_bytes(tensor, &work.bytes);
    MCV_TRY(mcv_arena_alloc(packer->arena, &copy, work.bytes, 1));
    work.to = copy;
    mcv_parallel_for(packer->pool, (work.bytes + COPY_BYTES - 1) / COPY_BYTES, copy_range, &work);
    advise(work.from, work.from + work.bytes, MADV_DONTNEED);
    tensor->data = copy;
    return MCV_OK;
}

/* Finds a part where the layer has one. */
static mcv_status take_part(const mcv_safetensors *kept, const char *key, const char *part, mcv_tensor *tensor) {
    char name[NAME_SIZE + 32];
    mcv_tensor found;
    if (tensor->rank == 0)
        return MCV_OK;
    MCV_TRY(part_name(key, part, name, sizeof name));
    if (!mcv_safetensors_find(kept, name, &found) || found.dtype != tensor->dtype ||
        !mcv_tensor_same_shape(&found, tensor))
        return MCV_FAIL(MCV_DIFFERS, "no %s as it is wanted", name);
    tensor->data = found.data;
    return MCV_OK;
}

static mcv_status take_parts(const mcv_safetensors *kept, const char *key, Parts *parts) {
    mcv_tensor source = MCV_TENSOR(MCV_U64, NULL, 1);
    MCV_TRY(take_part(kept, key, "source", &source));
    if (memcmp(source.data, &parts->source, sizeof parts->source) != 0)
        return MCV_FAIL(MCV_DIFFERS, "%s was packed from other weights, or in another way", key);
    MCV_TRY(take_part(kept, key, "w", &parts->w));
    MCV_TRY(take_part(kept, key, "w_scale", &parts->w_scale));
    return take_part(kept, key, "w_sum", &parts->w_sum);
}

static mcv_status copy_parts(const mcv_packer *packer, Parts *parts) {
    MCV_TRY(copy_part(packer, &parts->w));
    MCV_TRY(copy_part(packer, &parts->w_scale));
    return copy_part(packer, &parts->w_sum);
}

static mcv_status keep_part(mcv_safetensors_writer *writer, const char *key, const char *part,
                            const mcv_tensor *tensor) {
    char name[NAME_SIZE + 32];
    if (tensor->rank == 0)
        return MCV_OK;
    MCV_TRY(part_name(key, part, name, sizeof name));
    return mcv_safetensors_add(writer, name, tensor);
}

static mcv_status keep_parts(mcv_safetensors_writer *writer, const char *key, const Parts *parts) {
    MCV_TRY(keep_part(writer, key, "source", &MCV_TENSOR(MCV_U64, &parts->source, 1)));
    MCV_TRY(keep_part(writer, key, "w", &parts->w));
    MCV_TRY(keep_part(writer, key, "w_scale", &parts->w_scale));
    return keep_part(writer, key, "w_sum", &parts->w_sum);
}

/* ---- Packing ------------------------------------------------------------------------------------------------ */

static mcv_status allocate_part(mcv_arena *arena, mcv_tensor *tensor, void **data) {
    size_t bytes;
    if (tensor->rank == 0)
        return MCV_OK;
    if (!mcv_tensor_bytes(tensor, &bytes))
        return MCV_FAIL_MEMORY(SIZE_MAX);
    MCV_TRY(mcv_arena_alloc(arena, data, bytes, 1));
    tensor->data = *data;
    return MCV_OK;
}

static mcv_status pack(const mcv_packer *packer, const mcv_weight *weight, const mcv_packed *packed, Parts *parts) {
    static const mcv_range_fn PACK[] = {pack_f32, pack_bf16, pack_int8, pack_int4};
    PackWork work = {.weight = weight, .n = packed->n, .k = packed->k, .group = packed->group};
    void *scales = NULL, *sums = NULL;
    MCV_TRY(allocate_part(packer->arena, &parts->w, &work.w));
    MCV_TRY(allocate_part(packer->arena, &parts->w_scale, &scales));
    MCV_TRY(allocate_part(packer->arena, &parts->w_sum, &sums));
    work.w_scale = scales;
    work.w_scale_16 = scales;
    work.w_sum = sums;
    if (packed->precision == MCV_PRECISION_INT4)
        memset(scales, 0, (size_t)parts->w_scale.shape[0] * sizeof *work.w_scale_16);
    size_t rows = (size_t)mcv_pool_threads(packer->pool) * MCV_LANES;
    MCV_TRY(MCV_NEW(&work.rows, rows * packed->k));
    mcv_status status = MCV_NEW(&work.quantized, rows * mcv_round_up(packed->k, MCV_K_PADDING));
    if (status == MCV_OK)
        mcv_parallel_for(packer->pool, mcv_panels(packed->n), PACK[packed->precision], &work);
    free(work.rows);
    free(work.quantized);
    return status;
}

mcv_status mcv_pack_linear(const mcv_packer *packer, const char *key, const Linear *linear, mcv_precision precision,
                           mcv_packed *packed) {
    Parts parts;
    if (precision == MCV_PRECISION_F32 && linear->weight.type == MCV_WEIGHT_BF16)
        precision = MCV_PRECISION_BF16;
    *packed = (mcv_packed){.name = linear->name,
                           .precision = precision,
                           .n = (size_t)linear->weight.shape[0],
                           .k = (size_t)linear->weight.columns,
                           .bias = linear->bias};
    packed->group = precision == MCV_PRECISION_INT4 ? packer->group : precision == MCV_PRECISION_INT8 ? packed->k : 0;
    if (packed->group && packed->k > MAX_K)
        return MCV_FAIL(MCV_UNSUPPORTED, "%s: %zu in_features; int8 and int4 take %d at most", key, packed->k, MAX_K);
    describe_parts(packed, &parts);
    fingerprint(&linear->weight, packed, &parts.source);
    if (packer->kept)
        MCV_TRY(take_parts(packer->kept, key, &parts));
    if (packer->kept)
        MCV_TRY(copy_parts(packer, &parts));
    else
        MCV_TRY(pack(packer, &linear->weight, packed, &parts));
    if (packer->writer)
        MCV_TRY(keep_parts(packer->writer, key, &parts));
    packed->w = parts.w.data;
    packed->w_scale = precision == MCV_PRECISION_INT8 ? parts.w_scale.data : NULL;
    packed->w_scale_16 = precision == MCV_PRECISION_INT4 ? parts.w_scale.data : NULL;
    packed->w_sum = parts.w_sum.data;
    return MCV_OK;
}
