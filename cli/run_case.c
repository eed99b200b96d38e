#include "cli/run_case.h"

#include <math.h>
#include <stdio.h>

/* Hands `value` to the sink and releases it. `complete`: all of it could be allocated. */
static mcv_status emit_text(const mcv_run_sink *sink, const char *name, json_t *value, bool complete) {
    mcv_status status =
        complete ? sink->text(sink->context, name, value) : MCV_FAIL(MCV_NO_MEMORY, "out of memory for %s", name);
    json_decref(value);
    return status;
}

/* jansson fails on a NULL list and on a NULL item, and releases the item in any case. */
static bool append(json_t *list, json_t *item) {
    return json_array_append_new(list, item) == 0;
}

static mcv_status emit_prompts(const mcv_run_sink *sink, const PreparedBatch *batch) {
    json_t *prompts = json_array();
    bool complete = true;
    for (int i = 0; i < batch->features.batch_size; i++)
        complete &= append(prompts, json_stringn(mcv_buffer_text(&batch->prompts[i]), batch->prompts[i].size));
    return emit_text(sink, "prompts", prompts, complete);
}

/* The groups of the image processor: [[-1], [-1]] for two slices of images, [[0, 5, 10]] for packed frames. */
static mcv_status emit_temporal_ids(const mcv_run_sink *sink, const MiniCPMVBatchFeature *features) {
    json_t *conversations = json_array();
    bool complete = true;
    for (int i = 0; i < features->batch_size; i++) {
        const ImageFeatures *images = &features->images[i];
        json_t *groups = json_array();
        complete &= append(conversations, groups);
        for (int j = 0; complete && j < images->num_groups; j++) {
            json_t *ids = json_array();
            complete &= append(groups, ids);
            for (int k = 0; complete && k < images->groups[j].count; k++)
                complete &= append(ids, json_integer(images->groups[j].temporal_ids[k]));
        }
    }
    return emit_text(sink, "temporal_ids", conversations, complete);
}

static GenerationConfig config_of(const MiniCPMV *model, const mcv_case_decoding *decoding) {
    GenerationConfig config = MiniCPMV_generation_config(model);
    config.do_sample = false;
    if (decoding->max_new_tokens >= 0)
        config.max_new_tokens = decoding->max_new_tokens;
    if (decoding->min_new_tokens >= 0)
        config.min_new_tokens = decoding->min_new_tokens;
    if (decoding->num_beams >= 0)
        config.num_beams = decoding->num_beams;
    if (decoding->early_stopping >= 0)
        config.early_stopping = decoding->early_stopping;
    if (!isnan(decoding->repetition_penalty))
        config.repetition_penalty = decoding->repetition_penalty;
    if (!isnan(decoding->length_penalty))
        config.length_penalty = decoding->length_penalty;
    return config;
}

static mcv_status emit_ids(const mcv_run_sink *sink, const char *name, const TokenIds *sequences, int batch_size) {
    size_t length = sequences[0].count;
    int32_t *ids;
    MCV_TRY(MCV_NEW(&ids, (size_t)batch_size * length));
    mcv_buffer full_name = {0};
    mcv_status status = mcv_buffer_printf(&full_name, "generated_ids.%s", name);
    for (int i = 0; i < batch_size; i++) /* all of one length; see GenerationMixin_generate */
        memcpy(ids + (size_t)i * length, sequences[i].data, length * sizeof *ids);
    if (status == MCV_OK)
        status = sink->tensor(sink->context, mcv_buffer_text(&full_name),
                              &MCV_TENSOR(MCV_I32, ids, batch_size, (int64_t)length));
    mcv_buffer_free(&full_name);
    free(ids);
    return status;
}

static mcv_status emit_answers(const MiniCPMV *model, const mcv_run_sink *sink, const char *name,
                               const TokenIds *sequences, int batch_size) {
    json_t *answers = json_array();
    mcv_buffer full_name = {0};
    mcv_status status = mcv_buffer_printf(&full_name, "text.%s", name);
    bool complete = true;
    for (int i = 0; i < batch_size && status == MCV_OK; i++) {
        mcv_buffer text = {0};
        status = MiniCPMV_decode_text(model, sequences[i].data, sequences[i].count, &text);
        complete &= append(answers, json_stringn(mcv_buffer_text(&text), text.size));
        mcv_buffer_free(&text);
    }
    if (status == MCV_OK)
        status = emit_text(sink, mcv_buffer_text(&full_name), answers, complete);
    else
        json_decref(answers);
    mcv_buffer_free(&full_name);
    return status;
}

static mcv_status decode(Prefill *prefill, const mcv_case_decoding *decoding, const mcv_run_sink *sink) {
    int batch_size = prefill->batch_size;
    GenerationConfig config = config_of(prefill->model, decoding);
    TokenIds *sequences;
    MCV_TRY(MCV_NEW(&sequences, (size_t)batch_size));
    mcv_status status = MiniCPMV_generate(prefill, &config, NULL, NULL, sequences);
    if (status == MCV_OK)
        status = emit_ids(sink, decoding->name, sequences, batch_size);
    if (status == MCV_OK)
        status = emit_answers(prefill->model, sink, decoding->name, sequences, batch_size);
    for (int i = 0; i < batch_size; i++)
        TokenIds_free(&sequences[i]);
    free(sequences);
    return status;
}

static mcv_status run_batch(const MiniCPMV *model, const PreparedBatch *batch, const mcv_golden_case *golden_case,
                            const mcv_run_sink *sink) {
    Prefill prefill;
    MCV_TRY(emit_prompts(sink, batch));
    MCV_TRY(emit_temporal_ids(sink, &batch->features));
    mcv_observer observer = {
        .tap = sink->tensor, .replace = sink->replace, .context = sink->context, .tap_attention = sink->attention};
    MCV_TRY(MiniCPMV_prefill(model, &batch->features, &observer, &prefill));
    mcv_status status = MCV_OK;
    for (int i = 0; i < golden_case->num_decodings && status == MCV_OK; i++)
        status = decode(&prefill, &golden_case->decodings[i], sink);
    Prefill_free(&prefill);
    return status;
}

mcv_status mcv_run_case(const MiniCPMV *model, const mcv_golden_case *golden_case, const mcv_run_sink *sink) {
    mcv_arena arena = {0};
    PreparedBatch batch;
    mcv_status status = MiniCPMV_prepare(model, &arena, golden_case->conversations, golden_case->num_conversations,
                                         &golden_case->prompt_options, &batch);
    if (status == MCV_USAGE) /* the program was used rightly, on a case that has no meaning */
        status = mcv_fail_context(MCV_BAD_INPUT, "case %s", golden_case->name);
    if (status == MCV_OK)
        status = run_batch(model, &batch, golden_case, sink);
    PreparedBatch_free(&batch);
    mcv_arena_free(&arena);
    return status;
}
