/* Which type each tensor of a language model gets: the mixes that people know by name ("Q4_K_M"). */
#ifndef MCV_FORMATS_QUANTIZE_MIX_H
#define MCV_FORMATS_QUANTIZE_MIX_H

#include "formats/weight_types.h"

typedef struct mcv_mix mcv_mix;

/* NULL where none has this name; upper or lower case. */
const mcv_mix *mcv_mix_find(const char *name);
/* Mix number `index` in the order of their size, NULL behind the last. */
const mcv_mix *mcv_mix_at(size_t index);
const char *mcv_mix_name(const mcv_mix *mix);
/* general.file_type of a GGUF file with it. */
uint32_t mcv_mix_file_type(const mcv_mix *mix);

/* What the choice depends on besides the tensor. */
typedef struct mcv_mix_model {
    int layers;
    int queries_per_key; /* query heads that share a key head */
    bool tied_embeddings, has_importance;
} mcv_mix_model;

/* The type of a tensor by its name in GGUF files ("blk.3.attn_v.weight") and shape. What is no matrix and norms stay
 * F32; rows that no block of the type divides get a type of smaller blocks, and F16 in the end. */
mcv_weight_type mcv_mix_choose(const mcv_mix *mix, const mcv_mix_model *model, const char *name, int rank,
                               const int64_t *shape);

/* `type`, or where a row of `columns` has no whole number of its blocks, the nearest one that fits. */
mcv_weight_type mcv_weight_type_that_fits(mcv_weight_type type, int64_t columns);

#endif
