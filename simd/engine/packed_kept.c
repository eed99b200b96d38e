/* Packed layers on disk: packing.h. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/file.h"
#include "simd/engine/packing.h"

static const char *const NAMES[MCV_PARTS] = {
    [MCV_PART_W] = "w",
    [MCV_PART_W_SCALE] = "w_scale",
    [MCV_PART_W_SUM] = "w_sum",
    [MCV_PART_W_ZERO] = "w_zero",
    [MCV_PART_W_GROUP_SCALE] = "w_group_scale",
    [MCV_PART_W_MIN] = "w_min",
    [MCV_PART_W_GROUP_MIN] = "w_group_min",
};

/* A number in as many bytes as keep what lies behind it aligned. */
static const char SOURCE[] = "source";

enum { ALIGNMENT = 64 /* of packed weights; kernels.h */, SOURCE_WORDS = ALIGNMENT / 8 };

static mcv_status name_part(const char *key, const char *part, char *name, size_t size) {
    int length = snprintf(name, size, "%s.%s", key, part);
    return length > 0 && (size_t)length < size ? MCV_OK : MCV_FAIL(MCV_USAGE, "%s: a name of %d bytes", key, length);
}

static mcv_tensor bytes_of(const mcv_packed *packed, mcv_part_name part) {
    size_t bytes = mcv_panels(packed->n) * packed->parts[part].panel_bytes;
    return MCV_TENSOR(MCV_U8, packed->parts[part].data, (int64_t)bytes);
}

/* ---- Keeping ------------------------------------------------------------------------------------------------ */

static mcv_status keep(mcv_safetensors_writer *writer, const char *key, const char *part, const mcv_tensor *tensor) {
    char name[NAME_SIZE + 32];
    MCV_TRY(name_part(key, part, name, sizeof name));
    return mcv_safetensors_add(writer, name, tensor);
}

mcv_status mcv_keep_parts(mcv_safetensors_writer *writer, const char *key, const mcv_packed *packed, uint64_t source) {
    const uint64_t words[SOURCE_WORDS] = {source};
    MCV_TRY(keep(writer, key, SOURCE, &MCV_TENSOR(MCV_U64, words, SOURCE_WORDS)));
    for (int part = 0; part < MCV_PARTS; part++) {
        mcv_tensor tensor = bytes_of(packed, (mcv_part_name)part);
        if (packed->parts[part].panel_bytes)
            MCV_TRY(keep(writer, key, NAMES[part], &tensor));
    }
    return MCV_OK;
}

/* ---- Taking ------------------------------------------------------------------------------------------------- */

/* Where the data begins. */
static const unsigned char *first_byte(const mcv_safetensors *kept) {
    return mcv_safetensors_at(kept, 0).data;
}

typedef struct CopyWork {
    const unsigned char *from;
    unsigned char *to;
    size_t bytes;
} CopyWork;

enum { COPY_BYTES = 4 << 20 /* that a thread takes at a time */ };

/* All pages at once, not one fault each. */
static void read_ahead(const unsigned char *begin, const unsigned char *end) {
#ifdef MADV_POPULATE_READ
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)begin / page * page;
    madvise((void *)first, (uintptr_t)end - first, MADV_POPULATE_READ);
#else
    (void)begin, (void)end;
#endif
}

static void copy_range(void *context, size_t begin, size_t end, int worker) {
    const CopyWork *work = context;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        size_t first = i * COPY_BYTES, last = work->bytes - first < COPY_BYTES ? work->bytes : first + COPY_BYTES;
        read_ahead(work->from + first, work->from + last);
        memcpy(work->to + first, work->from + first, last - first);
        mcv_file_forget(work->from + first, last - first);
    }
}

void mcv_kept_copy(const mcv_packer *packer) {
    CopyWork work = {first_byte(packer->kept), packer->kept_data, packer->kept_bytes};
    mcv_parallel_for(packer->pool, (work.bytes + COPY_BYTES - 1) / COPY_BYTES, copy_range, &work);
}

/* Memory for the copy; untouched it costs nothing. */
static mcv_status make_room(mcv_packer *packer) {
    mcv_tensor last = mcv_safetensors_at(packer->kept, mcv_safetensors_count(packer->kept) - 1);
    size_t bytes;
    if (!mcv_tensor_bytes(&last, &bytes))
        return MCV_FAIL(MCV_BAD_INPUT, "packed weights of half a byte");
    packer->kept_bytes = (size_t)((const unsigned char *)last.data - first_byte(packer->kept)) + bytes;
    return MCV_ARENA_NEW(packer->arena, &packer->kept_data, packer->kept_bytes);
}

static mcv_status find(const mcv_safetensors *kept, const char *key, const char *part, mcv_tensor *tensor) {
    char name[NAME_SIZE + 32];
    mcv_tensor found;
    MCV_TRY(name_part(key, part, name, sizeof name));
    if (!mcv_safetensors_find(kept, name, &found) || found.dtype != tensor->dtype ||
        !mcv_tensor_same_shape(&found, tensor))
        return MCV_FAIL(MCV_DIFFERS, "no %s as it is wanted", name);
    tensor->data = found.data;
    return MCV_OK;
}

/* A part's place in the copy of the file. What would not be aligned there as kernels want it (parts of odd sizes lie
 * before it) is copied on its own. */
static mcv_status take(mcv_packer *packer, const char *key, mcv_packed *packed, mcv_part_name part) {
    mcv_tensor tensor = bytes_of(packed, part);
    MCV_TRY(find(packer->kept, key, NAMES[part], &tensor));
    size_t offset = (size_t)((const unsigned char *)tensor.data - first_byte(packer->kept));
    unsigned char *aligned;
    packed->parts[part].data = packer->kept_data + offset;
    if (offset % ALIGNMENT == 0)
        return MCV_OK;
    MCV_TRY(MCV_ARENA_NEW(packer->arena, &aligned, tensor.shape[0]));
    packed->parts[part].data = memcpy(aligned, tensor.data, (size_t)tensor.shape[0]);
    return MCV_OK;
}

mcv_status mcv_take_parts(mcv_packer *packer, const char *key, mcv_packed *packed, uint64_t source) {
    mcv_tensor kept_source = MCV_TENSOR(MCV_U64, NULL, SOURCE_WORDS);
    MCV_TRY(find(packer->kept, key, SOURCE, &kept_source));
    if (memcmp(kept_source.data, &source, sizeof source) != 0)
        return MCV_FAIL(MCV_DIFFERS, "%s was packed from other weights, or in another way", key);
    if (!packer->kept_data)
        MCV_TRY(make_room(packer));
    for (int part = 0; part < MCV_PARTS; part++)
        if (packed->parts[part].panel_bytes)
            MCV_TRY(take(packer, key, packed, (mcv_part_name)part));
    return MCV_OK;
}
