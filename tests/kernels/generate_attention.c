/* Arguments of attention. */
#include "tests/kernels/kernel_trial.h"

enum { MAX_BLOCKS = 5, MAX_WORK = 60000 };

static Element kv_element(mcv_kv_type type) {
    static const Element ELEMENT[MCV_KV_TYPES] = {
        [MCV_KV_F32] = ELEMENT_F32, [MCV_KV_BF16] = ELEMENT_BF16, [MCV_KV_INT8] = ELEMENT_I8};
    return ELEMENT[type];
}

/* Keys and values behind the last visible one are finite, whatever the others are. */
static void make_finite(Trial *trial, Element element, void *data) {
    float value = trial_float(trial, VALUES_NEAR_ONE);
    uint16_t half = (uint16_t)(0x3f80 + trial_below(trial, 128));
    if (element == ELEMENT_F32)
        memcpy(data, &value, sizeof value);
    else if (element == ELEMENT_BF16)
        memcpy(data, &half, sizeof half);
}

static mcv_kv_block make_block(Trial *trial, const mcv_attention_args *a, size_t keys, Values values) {
    Element element = kv_element(a->type);
    size_t size = element_size(element), count = a->head_dim * MCV_KEY_BLOCK;
    unsigned char *k = trial_filled(trial, "k", element, (Shape){1, count, count, 0}, values);
    unsigned char *v = trial_filled(trial, "v", element, (Shape){1, count, count, 0}, values);
    for (size_t key = keys; key < MCV_KEY_BLOCK; key++)
        for (size_t d = 0; d < a->head_dim; d++) {
            make_finite(trial, element, k + (key / 16 * 16 * a->head_dim + d * 16 + key % 16) * size);
            make_finite(trial, element, v + (key * a->head_dim + d) * size);
        }
    mcv_kv_block block = {.k = k, .v = v};
    if (a->type == MCV_KV_INT8) {
        float *k_scale = trial_row(trial, "k_scale", MCV_KEY_BLOCK, values);
        float *v_scale = trial_row(trial, "v_scale", MCV_KEY_BLOCK, values);
        for (size_t key = keys; key < MCV_KEY_BLOCK; key++) {
            make_finite(trial, ELEMENT_F32, &k_scale[key]);
            make_finite(trial, ELEMENT_F32, &v_scale[key]);
        }
        block.k_scale = k_scale;
        block.v_scale = v_scale;
    }
    return block;
}

/* All queries see the same keys, or each one more than the query before, or any number. */
static uint32_t draw_visible(Trial *trial, int pattern, size_t query, size_t keys) {
    switch (pattern) {
    case 0:
        return (uint32_t)keys;
    case 1:
        return (uint32_t)(query < keys ? query + 1 : keys);
    default:
        return (uint32_t)trial_between(trial, 0, keys);
    }
}

void generate_attention(Trial *trial, void (*kernel)(const mcv_attention_args *)) {
    static const size_t USUAL[] = {72, 128, 64, 256, 80, 8};
    mcv_attention_args a = {.type = (mcv_kv_type)trial_below(trial, MCV_KV_TYPES)};
    a.head_dim = trial_chance(trial, 2) ? USUAL[trial_below(trial, 6)] : trial_between(trial, 1, MCV_MAX_HEAD_DIM);
    size_t keys = trial_size(trial, MAX_BLOCKS * MCV_KEY_BLOCK);
    a.queries = trial_chance(trial, 3) ? 4 : trial_between(trial, 0, trial_chance(trial, 8) ? 150 : 20);
    if (a.queries * keys * a.head_dim > MAX_WORK)
        a.queries = 1 + MAX_WORK / (keys * a.head_dim);
    int pattern = (int)trial_below(trial, 3);
    Values values = trial_values(trial);
    Shape in = {a.queries, a.head_dim, a.head_dim + (trial_chance(trial, 2) ? trial_below(trial, 200) : 0), 0};
    Shape out = {a.queries, a.head_dim, a.head_dim + (trial_chance(trial, 2) ? trial_below(trial, 200) : 0), 0};
    a.q = trial_filled(trial, "q", ELEMENT_F32, in, values);
    a.ldq = in.stride;
    a.scale = trial_chance(trial, 8) ? trial_float(trial, values) : 0.25f;
    uint32_t *visible = trial_buffer(trial, "visible", ELEMENT_I32, (Shape){1, a.queries, a.queries, 0});
    size_t largest = 0;
    for (size_t i = 0; i < a.queries; i++) {
        visible[i] = draw_visible(trial, pattern, i, keys);
        largest = visible[i] > largest ? visible[i] : largest;
    }
    mcv_kv_block blocks[MAX_BLOCKS];
    for (size_t first = 0; first < largest; first += MCV_KEY_BLOCK)
        blocks[first / MCV_KEY_BLOCK] = make_block(trial, &a, largest - first, values);
    a.blocks = blocks;
    a.visible = visible;
    a.y = trial_buffer(trial, "y", ELEMENT_F32, out);
    a.ldy = out.stride;
    a.scratch = trial_scratch(trial);
    trial_describe(trial, "%zu queries, %zu keys, head_dim %zu, type %d, ldq %zu, ldy %zu", a.queries, largest,
                   a.head_dim, a.type, a.ldq, a.ldy);
    trial_output(trial, a.y);
    kernel(&a);
}
