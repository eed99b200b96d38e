#include <criterion/criterion.h>
#include <stdlib.h>

#include "cli/execution_order.h"

/* As HF's modules finish in MiniCPMV.generate; a name of each kind. */
static const char *const EXECUTED[] = {
    "prompts",
    "temporal_ids",
    "input_ids",
    "attention_mask",
    "image_bound.0",
    "image_bound.1",
    "tgt_sizes.0",
    "pixel_values.0.0",
    "pixel_values.0.1",
    "pixel_values.0.10",
    "pixel_values.1.0",
    "vpm.embeddings#0",
    "vpm.encoder.layers.0.layer_norm1#0",
    "vpm.encoder.layers.0.self_attn.q_proj#0",
    "vpm.encoder.layers.0.self_attn.k_proj#0",
    "vpm.encoder.layers.0.self_attn.v_proj#0",
    "vpm.encoder.layers.0.self_attn.out_proj#0",
    "vpm.encoder.layers.0.self_attn#0",
    "vpm.encoder.layers.0.layer_norm2#0",
    "vpm.encoder.layers.0.mlp.fc1#0",
    "vpm.encoder.layers.0.mlp.activation_fn#0",
    "vpm.encoder.layers.0.mlp.fc2#0",
    "vpm.encoder.layers.0.mlp#0",
    "vpm.encoder.layers.0#0",
    "vpm.encoder.layers.2#0",
    "vpm.encoder.layers.10#0",
    "vpm.post_layernorm#0",
    "vpm#0",
    "vpm.embeddings#1",
    "vpm#1",
    "vpm.embeddings#10",
    "resampler.kv_proj",
    "resampler.ln_kv",
    "resampler.ln_q",
    "resampler.attn",
    "resampler.ln_post",
    "resampler",
    "llm.model.embed_tokens",
    "inputs_embeds",
    "llm.model.layers.0.input_layernorm",
    "llm.model.layers.0.self_attn.q_proj",
    "llm.model.layers.0.self_attn.q_norm",
    "llm.model.layers.0.self_attn.k_proj",
    "llm.model.layers.0.self_attn.k_norm",
    "llm.model.layers.0.self_attn.v_proj",
    "llm.model.layers.0.self_attn.o_proj",
    "llm.model.layers.0.self_attn",
    "llm.model.layers.0.post_attention_layernorm",
    "llm.model.layers.0.mlp.gate_proj",
    "llm.model.layers.0.mlp.act_fn",
    "llm.model.layers.0.mlp.up_proj",
    "llm.model.layers.0.mlp.down_proj",
    "llm.model.layers.0.mlp",
    "llm.model.layers.0",
    "llm.model.layers.1.mlp",
    "llm.model.norm",
    "llm.lm_head",
    "generated_ids.beam3",
    "generated_ids.greedy",
    "text.greedy",
    "another_name",
};

enum { COUNT = sizeof EXECUTED / sizeof EXECUTED[0] };

Test(execution_order, of_every_pair) {
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < COUNT; j++) {
            int order = mcv_execution_order(EXECUTED[i], EXECUTED[j]);
            cr_expect((order > 0) == (i > j) && (order < 0) == (i < j), "%s, %s: %d", EXECUTED[i], EXECUTED[j], order);
        }
}

Test(execution_order, of_the_first_batch_by_its_two_names) {
    cr_expect_eq(mcv_execution_order("vpm.embeddings", "vpm.embeddings#0"), 0);
    cr_expect_lt(mcv_execution_order("vpm.embeddings", "vpm#0"), 0);
    cr_expect_lt(mcv_execution_order("vpm", "vpm.embeddings#1"), 0);
}

Test(execution_order, of_names_that_are_not_known_is_by_letters) {
    cr_expect_lt(mcv_execution_order("a", "b"), 0);
    cr_expect_lt(mcv_execution_order("llm.model.zeta", "llm.model.zetb"), 0);
    cr_expect_lt(mcv_execution_order("llm.model.norm", "llm.model.zeta"), 0);
    cr_expect_eq(mcv_execution_order("", ""), 0);
    cr_expect_neq(mcv_execution_order("", "."), 0);
}

Test(execution_order, stages) {
    const char *const names[][2] = {
        {"prompts", "inputs"},
        {"pixel_values.0.12", "inputs"},
        {"vpm", "vision"},
        {"vpm.encoder.layers.3.mlp.fc1#2", "vision"},
        {"resampler.attn", "resampler"},
        {"llm.model.embed_tokens", "embeddings"},
        {"inputs_embeds", "embeddings"},
        {"llm.model.layers.7.self_attn", "llm"},
        {"llm.lm_head", "llm"},
        {"generated_ids.greedy", "generation"},
        {"text.greedy", "generation"},
        {"vpmx", "other"},
        {"", "other"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cr_expect_str_eq(mcv_stage_of(names[i][0]), names[i][1], "%s", names[i][0]);
}
