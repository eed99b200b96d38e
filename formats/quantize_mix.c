#include "formats/quantize_mix.h"

#include <stdio.h>
#include <strings.h>

/* In which layers a tensor gets `type` in place of `otherwise`. */
typedef enum rule_kind {
    NOWHERE,
    EVERYWHERE,
    FIRST_TWO,
    FIRST_FOUR,
    FIRST_SIXTEENTH,
    FIRST_EIGHTH,
    SENSITIVE,     /* the first and the last eighth, and every third layer between */
    SHARED_BY_FOUR /* where at least four query heads share a key head */
} rule_kind;

typedef struct rule {
    rule_kind kind;
    mcv_weight_type type, otherwise;
} rule;

struct mcv_mix {
    const char *name;
    uint32_t file_type;
    mcv_weight_type base;
    rule attn_v, attn_output, ffn_down;
};

#define TYPE(name) MCV_WEIGHT_##name
#define PURE(name, file_type)                                                                                          \
    {                                                                                                                  \
#name, file_type, TYPE(name), {NOWHERE, TYPE(name), TYPE(name) }, {NOWHERE, TYPE(name), TYPE(name) }, {        \
            NOWHERE, TYPE(name), TYPE(name)                                                                            \
        }                                                                                                              \
    }

static const mcv_mix MIXES[] = {
    {"Q2_K_S",
     21,
     TYPE(Q2_K),
     {SHARED_BY_FOUR, TYPE(Q4_K), TYPE(Q2_K)},
     {NOWHERE, TYPE(Q2_K), TYPE(Q2_K)},
     {FIRST_EIGHTH, TYPE(Q4_K), TYPE(Q2_K)}},
    {"Q2_K",
     10,
     TYPE(Q2_K),
     {SHARED_BY_FOUR, TYPE(Q4_K), TYPE(Q3_K)},
     {EVERYWHERE, TYPE(Q3_K), TYPE(Q3_K)},
     {EVERYWHERE, TYPE(Q3_K), TYPE(Q3_K)}},
    {"Q3_K_S",
     11,
     TYPE(Q3_K),
     {NOWHERE, TYPE(Q3_K), TYPE(Q3_K)},
     {NOWHERE, TYPE(Q3_K), TYPE(Q3_K)},
     {NOWHERE, TYPE(Q3_K), TYPE(Q3_K)}},
    {"Q3_K_M",
     12,
     TYPE(Q3_K),
     {FIRST_TWO, TYPE(Q5_K), TYPE(Q4_K)},
     {EVERYWHERE, TYPE(Q4_K), TYPE(Q4_K)},
     {FIRST_SIXTEENTH, TYPE(Q5_K), TYPE(Q4_K)}},
    {"Q3_K_L",
     13,
     TYPE(Q3_K),
     {EVERYWHERE, TYPE(Q5_K), TYPE(Q5_K)},
     {EVERYWHERE, TYPE(Q5_K), TYPE(Q5_K)},
     {EVERYWHERE, TYPE(Q5_K), TYPE(Q5_K)}},
    {"IQ4_XS",
     30,
     TYPE(IQ4_XS),
     {SHARED_BY_FOUR, TYPE(Q5_K), TYPE(IQ4_XS)},
     {NOWHERE, TYPE(IQ4_XS), TYPE(IQ4_XS)},
     {FIRST_EIGHTH, TYPE(Q5_K), TYPE(IQ4_XS)}},
    {"IQ4_NL",
     25,
     TYPE(IQ4_NL),
     {SHARED_BY_FOUR, TYPE(Q5_K), TYPE(IQ4_NL)},
     {NOWHERE, TYPE(IQ4_NL), TYPE(IQ4_NL)},
     {FIRST_EIGHTH, TYPE(Q5_K), TYPE(IQ4_NL)}},
    PURE(Q4_0, 2),
    {"Q4_K_S",
     14,
     TYPE(Q4_K),
     {FIRST_FOUR, TYPE(Q5_K), TYPE(Q4_K)},
     {NOWHERE, TYPE(Q4_K), TYPE(Q4_K)},
     {FIRST_EIGHTH, TYPE(Q5_K), TYPE(Q4_K)}},
    {"Q4_K_M",
     15,
     TYPE(Q4_K),
     {SENSITIVE, TYPE(Q6_K), TYPE(Q4_K)},
     {NOWHERE, TYPE(Q4_K), TYPE(Q4_K)},
     {SENSITIVE, TYPE(Q6_K), TYPE(Q4_K)}},
    PURE(Q4_1, 3),
    PURE(Q5_0, 8),
    {"Q5_K_S",
     16,
     TYPE(Q5_K),
     {NOWHERE, TYPE(Q5_K), TYPE(Q5_K)},
     {NOWHERE, TYPE(Q5_K), TYPE(Q5_K)},
     {NOWHERE, TYPE(Q5_K), TYPE(Q5_K)}},
    {"Q5_K_M",
     17,
     TYPE(Q5_K),
     {SENSITIVE, TYPE(Q6_K), TYPE(Q5_K)},
     {NOWHERE, TYPE(Q5_K), TYPE(Q5_K)},
     {SENSITIVE, TYPE(Q6_K), TYPE(Q5_K)}},
    PURE(Q5_1, 9),
    PURE(Q6_K, 18),
    PURE(Q8_0, 7),
    PURE(F16, 1),
    PURE(BF16, 32),
    PURE(F32, 0),
};

enum { MIX_COUNT = sizeof MIXES / sizeof *MIXES };

const mcv_mix *mcv_mix_at(size_t index) {
    return index < MIX_COUNT ? &MIXES[index] : NULL;
}

const mcv_mix *mcv_mix_find(const char *name) {
    for (size_t i = 0; i < MIX_COUNT; i++)
        if (strcasecmp(MIXES[i].name, name) == 0)
            return &MIXES[i];
    return NULL;
}

const char *mcv_mix_name(const mcv_mix *mix) {
    return mix->name;
}

uint32_t mcv_mix_file_type(const mcv_mix *mix) {
    return mix->file_type;
}

static bool applies(rule_kind kind, const mcv_mix_model *model, int layer) {
    int layers = model->layers;
    switch (kind) {
    case NOWHERE:
        return false;
    case EVERYWHERE:
        return true;
    case FIRST_TWO:
        return layer < 2;
    case FIRST_FOUR:
        return layer < 4;
    case FIRST_SIXTEENTH:
        return layer < layers / 16;
    case FIRST_EIGHTH:
        return layer < layers / 8;
    case SENSITIVE:
        return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
    case SHARED_BY_FOUR:
        return model->queries_per_key >= 4;
    }
    return false;
}

static mcv_weight_type by_rule(const rule *by, const mcv_mix_model *model, int layer) {
    return applies(by->kind, model, layer) ? by->type : by->otherwise;
}

static bool is_plain(mcv_weight_type type) {
    return mcv_weight_block_size(type) == 1;
}

/* The table that makes logits: finer than the rest, whatever the mix. */
static mcv_weight_type output_type(const mcv_mix *mix, int64_t columns) {
    if (is_plain(mix->base) || mix->base == MCV_WEIGHT_Q8_0)
        return mix->base;
    return columns % (int64_t)mcv_weight_block_size(mix->base) == 0 ? MCV_WEIGHT_Q6_K : MCV_WEIGHT_Q8_0;
}

/* Importance weights are known to spoil these two types in the first layers' ffn_down. */
static mcv_weight_type ffn_down_type(const mcv_mix *mix, const mcv_mix_model *model, int layer) {
    if (model->has_importance && layer < model->layers / 8) {
        if (mix->base == MCV_WEIGHT_Q4_0)
            return MCV_WEIGHT_Q4_1;
        if (mix->base == MCV_WEIGHT_Q5_0)
            return MCV_WEIGHT_Q5_1;
        if (mix->base == MCV_WEIGHT_IQ4_NL || mix->base == MCV_WEIGHT_IQ4_XS)
            return mix->base;
    }
    return by_rule(&mix->ffn_down, model, layer);
}

static mcv_weight_type layer_type(const mcv_mix *mix, const mcv_mix_model *model, const char *name) {
    int layer = 0, end = 0;
    if (sscanf(name, "blk.%d.%n", &layer, &end) != 1 || end == 0)
        return mix->base;
    if (strcmp(name + end, "attn_v.weight") == 0)
        return by_rule(&mix->attn_v, model, layer);
    if (strcmp(name + end, "attn_output.weight") == 0)
        return by_rule(&mix->attn_output, model, layer);
    if (strcmp(name + end, "ffn_down.weight") == 0)
        return ffn_down_type(mix, model, layer);
    return mix->base;
}

mcv_weight_type mcv_weight_type_that_fits(mcv_weight_type type, int64_t columns) {
    static const struct {
        mcv_weight_type type, smaller;
    } SMALLER[] = {
        {TYPE(Q2_K), TYPE(Q4_0)}, {TYPE(Q3_K), TYPE(Q4_0)}, {TYPE(Q4_K), TYPE(Q5_0)},
        {TYPE(Q5_K), TYPE(Q5_1)}, {TYPE(Q6_K), TYPE(Q8_0)}, {TYPE(IQ4_XS), TYPE(IQ4_NL)},
    };
    if (columns % (int64_t)mcv_weight_block_size(type) == 0)
        return type;
    for (size_t i = 0; i < sizeof SMALLER / sizeof *SMALLER; i++)
        if (SMALLER[i].type == type)
            return mcv_weight_type_that_fits(SMALLER[i].smaller, columns);
    return TYPE(F16);
}

mcv_weight_type mcv_mix_choose(const mcv_mix *mix, const mcv_mix_model *model, const char *name, int rank,
                               const int64_t *shape) {
    bool is_output = strcmp(name, "output.weight") == 0;
    is_output |= model->tied_embeddings && strcmp(name, "token_embd.weight") == 0;
    if (rank != 2)
        return MCV_WEIGHT_F32;
    mcv_weight_type type = is_output ? output_type(mix, shape[1]) : layer_type(mix, model, name);
    return mcv_weight_type_that_fits(type, shape[1]);
}
