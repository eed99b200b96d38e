/* How weights get into the layouts of packed.h. */
#ifndef MCV_SIMD_ENGINE_PACKING_H
#define MCV_SIMD_ENGINE_PACKING_H

#include "simd/engine/packed.h"

/* What the threads share while a layer is packed. Its parts are to be written, panel by panel. */
typedef struct mcv_packing {
    const mcv_weight *weight;
    const mcv_packed *packed;
    float *rows;       /* [threads][MCV_LANES][k]: a panel's rows, widened; not there for stored weights */
    int8_t *quantized; /* [threads][MCV_LANES][padded k]: the same, of INT8 */
} mcv_packing;

static inline void *mcv_panel_of(const mcv_packing *packing, mcv_part_name part, size_t panel) {
    const mcv_packed_part *all = &packing->packed->parts[part];
    return all->data ? all->data + panel * all->panel_bytes : NULL;
}

/* Codes of one output, for k that follow each other, into a panel of gemm_int4 or gemm_blocks: quadruples of bytes that
 * lie MCV_LANES quadruples apart. count: a multiple of 8 with 4 bits, else of 16. */
void mcv_put_codes(int bits, const uint8_t *codes, size_t count, uint8_t *out);

/* Weights as numbers, rounded to the layout where that is needed: every layout but MCV_LAYOUT_BLOCKS and
 * MCV_LAYOUT_NF4. Those of MCV_LAYOUT_F16 are F16 already. group: of INT4. */
void mcv_widened_layout(mcv_layout layout, size_t group, mcv_packed *packed);
extern const mcv_range_fn mcv_pack_widened[MCV_LAYOUTS];

/* Weights as the file has them, integer for integer and scale for scale. Of NF4, levels are rounded to 16 bits, which
 * is off by 1.6e-5 of the largest one, and scales multiplied with what a step of them is. */

/* Whether a kernel multiplies with a weight as it is; then sets the layout and the sizes of its parts. packed: n and k
 * are set. kept: it was, which is not found out again where that takes reading all of the weight. */
bool mcv_stored_layout(const mcv_weight *weight, bool kept, mcv_packed *packed);
void mcv_pack_stored(void *packing, size_t begin, size_t end, int worker);

/* What is kept on disk: a layer's parts by name, and `source`, which tells what was packed, and how, from others. */
mcv_status mcv_keep_parts(mcv_safetensors_writer *writer, const char *key, const mcv_packed *packed, uint64_t source);
/* Finds them, and where mcv_kept_copy puts them. MCV_DIFFERS: other weights, or packed in another way. */
mcv_status mcv_take_parts(mcv_packer *packer, const char *key, mcv_packed *packed, uint64_t source);

#endif
