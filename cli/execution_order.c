#include "cli/execution_order.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* From the inputs to the outputs; what stands first as a prefix counts. */
static const struct {
    const char *prefix, *stage;
} PHASES[] = {
    {"prompts", "inputs"},           {"temporal_ids", "inputs"},
    {"input_ids", "inputs"},         {"attention_mask", "inputs"},
    {"image_bound", "inputs"},       {"tgt_sizes", "inputs"},
    {"pixel_values", "inputs"},      {"vpm", "vision"},
    {"resampler", "resampler"},      {"llm.model.embed_tokens", "embeddings"},
    {"inputs_embeds", "embeddings"}, {"llm", "llm"},
    {"generated_ids", "generation"}, {"text", "generation"},
};

/* Within a module. Names of different modules share one list where their orders agree. */
static const char MODULES[] = " embeddings encoder post_layernorm"                  /* vpm */
                              " kv_proj ln_kv ln_q attn ln_post"                    /* resampler */
                              " model embed_tokens layers norm lm_head"             /* llm */
                              " layer_norm1 input_layernorm self_attn"              /* a layer */
                              " layer_norm2 post_attention_layernorm mlp"           /* a layer, its second half */
                              " q_proj q_norm k_proj k_norm v_proj out_proj o_proj" /* attention */
                              " fc1 activation_fn fc2 gate_proj act_fn up_proj down_proj "; /* mlp */

enum { NUM_PHASES = sizeof PHASES / sizeof PHASES[0] };

static int phase_of(const char *name) {
    for (int i = 0; i < NUM_PHASES; i++) {
        size_t length = strlen(PHASES[i].prefix);
        if (strncmp(name, PHASES[i].prefix, length) == 0 && strchr(".#", name[length])) /* the 0 at the end too */
            return i;
    }
    return NUM_PHASES;
}

/* The encoder's batch: what stands behind '#'. */
static long batch_of(const char *name) {
    const char *mark = strchr(name, '#');
    return mark ? strtol(mark + 1, NULL, 10) : 0;
}

/* Where the list has a component; behind all others where it has not. */
static long module_rank(const char *component, size_t length) {
    for (const char *word = MODULES; (word = strchr(word, ' ')) && *++word;)
        if (strcspn(word, " ") == length && strncmp(word, component, length) == 0)
            return word - MODULES;
    return sizeof MODULES;
}

static int sign(long difference) {
    return (difference > 0) - (difference < 0);
}

/* One component ("layers", "12") of each name. */
static int component_order(const char *a, size_t a_length, const char *b, size_t b_length) {
    if (isdigit((unsigned char)a[0]) && isdigit((unsigned char)b[0]))
        return sign(strtol(a, NULL, 10) - strtol(b, NULL, 10));
    int order = sign(module_rank(a, a_length) - module_rank(b, b_length));
    if (order == 0)
        order = strncmp(a, b, a_length < b_length ? a_length : b_length);
    return order ? order : sign((long)a_length - (long)b_length);
}

int mcv_execution_order(const char *a, const char *b) {
    int order = sign(phase_of(a) - phase_of(b));
    if (order == 0)
        order = sign(batch_of(a) - batch_of(b));
    while (order == 0) {
        size_t a_length = strcspn(a, ".#"), b_length = strcspn(b, ".#");
        order = component_order(a, a_length, b, b_length);
        a += a_length;
        b += b_length;
        bool a_ends = *a != '.', b_ends = *b != '.';
        if (order == 0 && (a_ends || b_ends))
            return a_ends - b_ends; /* the whole module after its parts */
        a++;
        b++;
    }
    return order;
}

const char *mcv_stage_of(const char *name) {
    int phase = phase_of(name);
    return phase < NUM_PHASES ? PHASES[phase].stage : "other";
}
