#include "ref/modeling_minicpmv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ref/answer_text.h"
#include "ref/utf8.h"

static mcv_status reference_prefill(void *context, const Run *run, const MiniCPMVBatchFeature *data, Prefill *prefill);

/* ---- Loading ------------------------------------------------------------------------------------------------ */

static mcv_status init_vision_module(MiniCPMV *self, const Weights *weights) {
    int layers = self->config.vision_config.num_hidden_layers - (self->config.drop_vision_last_layer ? 1 : 0);
    return SiglipVisionTransformer_load(&self->vpm, weights, "vpm", &self->config.vision_config, layers);
}

static mcv_status init_resampler(MiniCPMV *self, const Weights *weights) {
    int embed_dim = self->config.hidden_size;
    return Resampler_load(&self->resampler, weights, "resampler", self->config.query_num, embed_dim, embed_dim / 128,
                          self->config.vision_config.hidden_size, self->config.batch_3d_resampler);
}

static mcv_status find_terminators(MiniCPMV *self, const char *folder) {
    static const char *const TERMINATORS[] = {"<|im_end|>", "<|endoftext|>"};
    for (int i = 0; i < 2; i++) {
        self->terminators[i] = Qwen2Tokenizer_token_to_id(self->processor.tokenizer, TERMINATORS[i]);
        if (self->terminators[i] < 0)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: the tokenizer has no token %s", folder, TERMINATORS[i]);
    }
    return MCV_OK;
}

/* Patches of another size would not be what the patch embedding reads. HF finds out in the convolution. */
static mcv_status check_patch_size(const MiniCPMV *self, const char *folder) {
    int expected = self->config.patch_size, found = self->processor.image_processor.patch_size;
    if (expected == found)
        return MCV_OK;
    return MCV_FAIL(MCV_BAD_INPUT, "%s: the model has patch_size = %d, its image processor has %d", folder, expected,
                    found);
}

static mcv_status load(MiniCPMV *self, const ModelFiles *files) {
    const char *folder = files->model;
    MCV_TRY(ModelFiles_config(files, &self->config));
    MCV_TRY(ModelFiles_processor(files, &self->processor));
    MCV_TRY(check_patch_size(self, folder));
    MCV_TRY(ModelFiles_check_chat_template(files));
    MCV_TRY(find_terminators(self, folder));
    MCV_TRY(ModelFiles_weights(files, &self->weights));
    Weights weights = {self->weights, &self->arena};
    mcv_status status = Qwen3ForCausalLM_load(&self->llm, &weights, "llm", &self->config);
    if (status == MCV_OK)
        status = init_vision_module(self, &weights);
    if (status == MCV_OK)
        status = init_resampler(self, &weights);
    if (status == MCV_OK)
        return status;
    const char *missing = self->config.missing_keys;
    return missing[0] ? mcv_fail_context(status, "%s (config.json has no %s)", folder, missing)
                      : mcv_fail_context(status, "%s", folder);
}

mcv_status MiniCPMV_from_files(MiniCPMV **model, const ModelFiles *files, mcv_pool *pool) {
    MiniCPMV *self;
    *model = NULL;
    MCV_TRY(MCV_NEW(&self, 1));
    self->pool = pool;
    self->executor = (Executor){self, reference_prefill};
    mcv_status status = load(self, files);
    if (status != MCV_OK) {
        MiniCPMV_free(self);
        return status;
    }
    *model = self;
    return MCV_OK;
}

mcv_status MiniCPMV_from_pretrained(MiniCPMV **model, const char *folder, mcv_pool *pool) {
    return MiniCPMV_from_files(model, &(ModelFiles){.model = folder}, pool);
}

void MiniCPMV_free(MiniCPMV *model) {
    if (!model)
        return;
    MiniCPMVProcessor_free(&model->processor);
    mcv_weights_close(model->weights);
    mcv_arena_free(&model->arena);
    free(model);
}

/* ---- get_vllm_embedding ------------------------------------------------------------------------------------- */

mcv_status MiniCPMV_vision_inputs(const Run *run, const MiniCPMVBatchFeature *data, VisionInputs *inputs) {
    *inputs = (VisionInputs){0};
    for (int i = 0; i < data->batch_size; i++) {
        inputs->num_slices += data->images[i].num_slices;
        inputs->num_groups += data->images[i].num_groups;
    }
    MCV_TRY(MCV_ARENA_NEW(run->arena, &inputs->slices, inputs->num_slices));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &inputs->groups, inputs->num_groups));
    int slice = 0, group = 0;
    for (int i = 0; i < data->batch_size; i++) {
        const ImageFeatures *images = &data->images[i];
        for (int j = 0; j < images->num_slices; j++) {
            int64_t patches = (int64_t)images->slices[j].grid_h * images->slices[j].grid_w;
            inputs->max_patches = patches > inputs->max_patches ? patches : inputs->max_patches;
            inputs->slices[slice++] = &images->slices[j];
        }
        for (int j = 0; j < images->num_groups; j++)
            inputs->groups[group++] = images->groups[j];
    }
    return MCV_OK;
}

/* The encoder over all slices, vision_batch_size at a time. *vision_embedding: [num_slices, max_patches, vision_dim].
 */
static mcv_status run_vpm(const Run *run, const MiniCPMV *self, const VisionInputs *inputs, Tensor *vision_embedding) {
    int64_t dim = self->config.vision_config.hidden_size, size = inputs->max_patches * dim;
    int batch_size = self->config.vision_batch_size;
    Tensor shape = {.rank = 3, .shape = {inputs->num_slices, inputs->max_patches, dim}};
    MCV_TRY(Tensor_like_f32(run, &shape, dim, vision_embedding));
    for (int start = 0, batch = 0; start < inputs->num_slices; start += batch_size, batch++) {
        int count = inputs->num_slices - start < batch_size ? inputs->num_slices - start : batch_size;
        mcv_arena_mark mark = mcv_arena_save(run->arena);
        Tensor hidden_states;
        Run batch_run = *run;
        char suffix[16];
        snprintf(suffix, sizeof suffix, "#%d", batch);
        batch_run.tap_suffix = inputs->num_slices > batch_size ? suffix : "";
        MCV_TRY(SiglipVisionTransformer_forward(&batch_run, &self->vpm, inputs->slices + start, count,
                                                inputs->max_patches, &hidden_states));
        memcpy(vision_embedding->f32 + start * size, hidden_states.f32, (size_t)(count * size) * sizeof(float));
        mcv_arena_restore(run->arena, mark);
    }
    return MCV_OK;
}

/* Encoder and resampler over the groups [first_group, last_group), whose slices start at first_slice.
 * features: [num_groups, query_num, hidden_size]; their part of it is written. */
static mcv_status run_groups(const Run *run, const MiniCPMV *self, const VisionInputs *inputs, int first_group,
                             int last_group, int first_slice, float *features) {
    VisionInputs part = *inputs;
    Tensor vision_embedding, resampled;
    mcv_arena_mark mark = mcv_arena_save(run->arena);
    part.slices += first_slice;
    part.groups += first_group;
    part.num_groups = last_group - first_group;
    part.num_slices = 0;
    for (int i = 0; i < part.num_groups; i++)
        part.num_slices += part.groups[i].count;
    MCV_TRY(run_vpm(run, self, &part, &vision_embedding));
    MCV_TRY(Resampler_forward(run, &self->resampler, &vision_embedding, part.slices, part.groups, part.num_groups,
                              &resampled));
    int64_t size = (int64_t)self->config.query_num * self->config.hidden_size;
    memcpy(features + first_group * size, resampled.f32, (size_t)(part.num_groups * size) * sizeof *features);
    mcv_arena_restore(run->arena, mark);
    return MCV_OK;
}

/* Group by group, so that memory does not grow with the number of frames. Nothing depends on which groups are run
 * together; a tap is shown all of them in one piece, as HF runs them, unless it takes them in parts. */
static mcv_status run_vision(const Run *run, const MiniCPMV *self, const VisionInputs *inputs, float *features) {
    bool in_one_piece = run->tap && !run->tap_in_parts;
    int step = in_one_piece ? inputs->num_groups : 1, first_slice = 0;
    for (int group = 0; group < inputs->num_groups; group += step) {
        MCV_TRY(run_groups(run, self, inputs, group, group + step, first_slice, features));
        first_slice += inputs->groups[group].count;
    }
    return MCV_OK;
}

mcv_status MiniCPMV_scatter_features(const MiniCPMV *self, const MiniCPMVBatchFeature *data, int conversation,
                                     const float *features, float *embedding) {
    int64_t hidden = self->config.hidden_size, used = 0;
    int64_t available = (int64_t)data->images[conversation].num_groups * self->config.query_num;
    if (available == 0)
        return MCV_OK;
    for (int i = 0; i < data->num_bounds[conversation]; i++) {
        const int32_t *bound = data->image_bound[conversation][i];
        int64_t count = bound[1] - bound[0];
        if (count < 0)
            return MCV_FAIL(MCV_BAD_INPUT, "conversation %d: an image ends at token %d, before its start at %d",
                            conversation, (int)bound[1], (int)bound[0]);
        if (used + count > available)
            return MCV_FAIL(MCV_BAD_INPUT, "conversation %d: its prompt has places for more than %lld image features",
                            conversation, (long long)available);
        memcpy(embedding + bound[0] * hidden, features + used * hidden, (size_t)(count * hidden) * sizeof *embedding);
        used += count;
    }
    return MCV_OK;
}

/* *vllm_embedding: [batch_size, length, hidden_size], the prompts' embeddings with the images' features in place. */
static mcv_status get_vllm_embedding(const Run *run, const MiniCPMV *self, const MiniCPMVBatchFeature *data,
                                     Tensor *vllm_embedding) {
    int64_t hidden = self->config.hidden_size;
    VisionInputs inputs;
    float *features;
    MCV_TRY(MiniCPMV_vision_inputs(run, data, &inputs));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &features, (int64_t)inputs.num_groups * self->config.query_num * hidden));
    MCV_TRY(run_vision(run, self, &inputs, features));
    MCV_TRY(Embedding_forward(run, &self->llm.model.embed_tokens, data->input_ids, data->batch_size, data->length,
                              vllm_embedding));
    const float *next = features;
    for (int i = 0; i < data->batch_size; i++) {
        MCV_TRY(
            MiniCPMV_scatter_features(self, data, i, next, vllm_embedding->f32 + (int64_t)i * data->length * hidden));
        next += (int64_t)data->images[i].num_groups * self->config.query_num * hidden;
    }
    return Run_output(run, "inputs_embeds", vllm_embedding);
}

/* ---- Forward ------------------------------------------------------------------------------------------------ */

static mcv_status show_inputs(const Run *run, const MiniCPMVBatchFeature *data) {
    char name[64];
    int64_t batch = data->batch_size;
    if (!run->tap)
        return MCV_OK;
    MCV_TRY(Run_output_raw(run, "input_ids", &MCV_TENSOR(MCV_I32, data->input_ids, batch, data->length)));
    MCV_TRY(Run_output_raw(run, "attention_mask", &MCV_TENSOR(MCV_U8, data->attention_mask, batch, data->length)));
    for (int i = 0; i < data->batch_size; i++) {
        const ImageFeatures *images = &data->images[i];
        int32_t(*tgt_sizes)[2];
        snprintf(name, sizeof name, "image_bound.%d", i);
        MCV_TRY(Run_output_raw(run, name, &MCV_TENSOR(MCV_I32, data->image_bound[i], data->num_bounds[i], 2)));
        MCV_TRY(MCV_ARENA_NEW(run->arena, &tgt_sizes, images->num_slices));
        for (int j = 0; j < images->num_slices; j++) {
            tgt_sizes[j][0] = images->slices[j].grid_h;
            tgt_sizes[j][1] = images->slices[j].grid_w;
        }
        snprintf(name, sizeof name, "tgt_sizes.%d", i);
        MCV_TRY(Run_output_raw(run, name, &MCV_TENSOR(MCV_I32, tgt_sizes, images->num_slices, 2)));
        for (int j = 0; j < images->num_slices; j++) {
            mcv_tensor pixel_values;
            mcv_arena_mark mark = mcv_arena_save(run->arena);
            snprintf(name, sizeof name, "pixel_values.%d.%d", i, j);
            MCV_TRY(ImageSlice_pixel_values(&images->slices[j], run->arena, &pixel_values));
            MCV_TRY(Run_output_raw(run, name, &pixel_values));
            mcv_arena_restore(run->arena, mark);
        }
    }
    return MCV_OK;
}

/* Numbers of the positions that are not masked; 1 for those that are.
 * HF: GenerationMixin.prepare_inputs_for_generation. */
static void make_position_ids(const MiniCPMVBatchFeature *data, int64_t *position_ids) {
    for (int64_t row = 0; row < data->batch_size; row++) {
        int64_t position = 0;
        for (int64_t t = row * data->length; t < (row + 1) * data->length; t++)
            position_ids[t] = data->attention_mask[t] ? position++ : 1;
    }
}

/* HF masks every id 0; meant are those of the padding. */
static mcv_status make_attention_mask(const Run *run, const MiniCPMV *self, const MiniCPMVBatchFeature *data,
                                      uint8_t **mask) {
    uint8_t *fixed;
    *mask = data->attention_mask;
    if (!self->fix_token_zero)
        return MCV_OK;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &fixed, (int64_t)data->batch_size * data->length));
    for (int row = 0; row < data->batch_size; row++)
        for (int t = 0; t < data->length; t++)
            fixed[row * data->length + t] = t >= data->padding[row];
    *mask = fixed;
    return MCV_OK;
}

/* What the reference keeps behind the prompts. */
typedef struct ReferenceState {
    const MiniCPMV *model;
    DynamicCache cache;
} ReferenceState;

static mcv_status step(const Run *run, ReferenceState *state, const int32_t *ids, int rows, float *logits) {
    const Qwen3ForCausalLM *llm = &state->model->llm;
    Tensor embeds, result;
    uint8_t *attention_mask;
    int64_t *position_ids;
    MCV_TRY(MCV_ARENA_NEW(run->arena, &attention_mask, rows));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &position_ids, rows));
    for (int i = 0; i < rows; i++) {
        attention_mask[i] = 1;
        position_ids[i] = DynamicCache_unmasked(&state->cache, i);
    }
    MCV_TRY(Embedding_forward(run, &llm->model.embed_tokens, ids, rows, 1, &embeds));
    MCV_TRY(Qwen3ForCausalLM_forward(run, llm, &embeds, attention_mask, position_ids, &state->cache, &result));
    memcpy(logits, result.f32, (size_t)rows * (size_t)llm->vocab_size * sizeof *logits);
    return MCV_OK;
}

static mcv_status reference_step(void *context, const int32_t *ids, int rows, float *logits) {
    ReferenceState *state = context;
    mcv_arena arena = {0};
    Run run = {.pool = state->model->pool, .arena = &arena, .tap_suffix = ""};
    mcv_status status = step(&run, state, ids, rows, logits);
    mcv_arena_free(&arena);
    return status;
}

static mcv_status reference_select_rows(void *context, const int32_t *parents, int rows) {
    ReferenceState *state = context;
    return DynamicCache_select_rows(&state->cache, parents, rows);
}

static mcv_status reference_reset(void *context) {
    ReferenceState *state = context;
    return DynamicCache_reset_rows(&state->cache);
}

static void reference_free(void *context) {
    ReferenceState *state = context;
    DynamicCache_free(&state->cache);
    free(state);
}

static mcv_status reference_prefill(void *context, const Run *run, const MiniCPMVBatchFeature *data, Prefill *prefill) {
    const MiniCPMV *self = context;
    ReferenceState *state;
    int64_t *position_ids;
    Tensor inputs_embeds, logits;
    MCV_TRY(MCV_NEW(&state, 1));
    state->model = self;
    prefill->decoder = (GenerationModel){state, self->llm.vocab_size, reference_select_rows, reference_step};
    prefill->reset = reference_reset;
    prefill->free = reference_free;
    MCV_TRY(get_vllm_embedding(run, self, data, &inputs_embeds));
    MCV_TRY(MCV_ARENA_NEW(run->arena, &position_ids, (int64_t)data->batch_size * data->length));
    make_position_ids(data, position_ids);
    MCV_TRY(DynamicCache_create(&state->cache, &self->llm, data->batch_size));
    MCV_TRY(Qwen3ForCausalLM_forward(run, &self->llm, &inputs_embeds, data->attention_mask, position_ids, &state->cache,
                                     &logits));
    DynamicCache_end_prompt(&state->cache);
    memcpy(prefill->logits, logits.f32,
           (size_t)data->batch_size * (size_t)self->llm.vocab_size * sizeof *prefill->logits);
    return MCV_OK;
}

static mcv_status prefill_forward(const Run *run, const MiniCPMV *self, const MiniCPMVBatchFeature *features,
                                  Prefill *prefill) {
    MiniCPMVBatchFeature data = *features;
    MCV_TRY(make_attention_mask(run, self, features, &data.attention_mask));
    MCV_TRY(show_inputs(run, &data));
    MCV_TRY(MCV_NEW(&prefill->logits, (size_t)data.batch_size * (size_t)self->llm.vocab_size));
    return self->executor.prefill(self->executor.context, run, &data, prefill);
}

mcv_status MiniCPMV_prefill(const MiniCPMV *self, const MiniCPMVBatchFeature *features, const mcv_observer *observer,
                            Prefill *prefill) {
    mcv_arena arena = {0};
    Run run = {.pool = self->pool,
               .arena = &arena,
               .tap = observer->tap,
               .tap_context = observer->context,
               .replace = observer->replace,
               .tap_in_parts = observer->tap_in_parts != 0,
               .tap_attention = observer->tap_attention != 0,
               .tap_suffix = "",
               .linear_input = self->linear_input,
               .linear_input_context = self->linear_input_context};
    *prefill = (Prefill){.model = self, .batch_size = features->batch_size};
    if (features->length == 0)
        return MCV_FAIL(MCV_BAD_INPUT, "an empty prompt");
    mcv_status status = prefill_forward(&run, self, features, prefill);
    mcv_arena_free(&arena);
    if (status != MCV_OK)
        Prefill_free(prefill);
    return status;
}

void Prefill_free(Prefill *prefill) {
    if (prefill->free)
        prefill->free(prefill->decoder.context);
    free(prefill->logits);
    *prefill = (Prefill){0};
}

mcv_status MiniCPMV_generate(Prefill *prefill, const GenerationConfig *config, GenerationStream stream,
                             void *stream_context, TokenIds *sequences) {
    MCV_TRY(prefill->reset(prefill->decoder.context));
    return GenerationMixin_generate(&prefill->decoder, prefill->logits, prefill->batch_size, config, stream,
                                    stream_context, sequences);
}

GenerationConfig MiniCPMV_generation_config(const MiniCPMV *self) {
    GenerationConfig config = GenerationConfig_default();
    config.temperature = self->config.generation.temperature;
    config.top_k = self->config.generation.top_k;
    config.top_p = self->config.generation.top_p;
    config.min_p = self->config.generation.min_p;
    config.repetition_penalty = self->config.generation.repetition_penalty;
    config.length_penalty = self->config.generation.length_penalty;
    config.num_beams = self->config.generation.num_beams;
    config.early_stopping = self->config.generation.early_stopping;
    config.do_sample = self->config.generation.do_sample;
    config.pad_token_id = 0;
    config.eos_token_ids = self->terminators;
    config.num_eos_token_ids = 2;
    return config;
}

static AnswerText begin_answer(const MiniCPMV *self) {
    return AnswerText_begin(self->processor.tokenizer, self->terminators, 2, self->fix_token_zero);
}

mcv_status MiniCPMV_decode_text(const MiniCPMV *self, const int32_t *ids, size_t count, mcv_buffer *text) {
    AnswerText answer = begin_answer(self);
    for (size_t i = 0; i < count; i++) {
        mcv_status status = AnswerText_put(&answer, ids[i], text);
        if (status != MCV_OK) {
            AnswerText_free(&answer);
            return status;
        }
    }
    return AnswerText_end(&answer, text);
}

/* ---- Prompts ------------------------------------------------------------------------------------------------ */

/* A message's text with a mark for each image, its parts on lines of their own. */
static mcv_status message_content(const mcv_message *message, mcv_buffer *content) {
    for (int i = 0; i < message->num_parts; i++) {
        const mcv_part *part = &message->parts[i];
        if (!part->image == !part->text)
            return MCV_FAIL(MCV_USAGE, "part %d of a message: expected a text or an image, found %s", i,
                            part->text ? "both" : "neither");
        if (i > 0)
            MCV_TRY(mcv_buffer_append_string(content, "\n"));
        MCV_TRY(mcv_buffer_append_string(content, part->image ? "(<image>./</image>)" : part->text));
    }
    return mcv_buffer_append(content, "", 0);
}

static mcv_status append_message(json_t *messages, const char *role, const char *content) {
    size_t offset;
    if (!utf8_valid(content, strlen(content), &offset))
        return MCV_FAIL(MCV_BAD_INPUT, "a message of role %s: byte %zu: expected UTF-8, found byte 0x%02X", role,
                        offset, (unsigned)(unsigned char)content[offset]);
    json_t *message = json_pack("{s:s, s:s}", "role", role, "content", content);
    return json_array_append_new(messages, message) == 0 ? MCV_OK : MCV_FAIL_MEMORY(strlen(content));
}

static mcv_status check_role(const mcv_message *message, int index) {
    bool user = strcmp(message->role, "user") == 0;
    if (!user && strcmp(message->role, "assistant") != 0)
        return MCV_FAIL(MCV_USAGE, "message %d: role \"%s\"; \"user\" or \"assistant\" expected", index, message->role);
    if (index == 0 && !user)
        return MCV_FAIL(MCV_USAGE, "the role of the first message must be \"user\"");
    return MCV_OK;
}

static mcv_status fill_messages(json_t *messages, const mcv_conversation *conversation, const char *system_prompt) {
    if (conversation->num_messages == 0)
        return MCV_FAIL(MCV_USAGE, "a conversation without messages");
    if (system_prompt && system_prompt[0])
        MCV_TRY(append_message(messages, "system", system_prompt));
    for (int i = 0; i < conversation->num_messages; i++) {
        mcv_buffer content = {0};
        mcv_status status = check_role(&conversation->messages[i], i);
        if (status == MCV_OK)
            status = message_content(&conversation->messages[i], &content);
        if (status == MCV_OK)
            status = append_message(messages, conversation->messages[i].role, mcv_buffer_text(&content));
        mcv_buffer_free(&content);
        MCV_TRY(status);
    }
    return MCV_OK;
}

static mcv_status make_prompt(const mcv_conversation *conversation, const mcv_prompt_options *options,
                              mcv_buffer *prompt) {
    json_t *messages = json_array();
    if (!messages)
        return MCV_FAIL_MEMORY(sizeof messages);
    mcv_status status = fill_messages(messages, conversation, options->system_prompt);
    if (status == MCV_OK)
        status =
            apply_chat_template(messages, NULL, true, options->enable_thinking ? THINKING_ON : THINKING_OFF, prompt);
    json_decref(messages);
    return status;
}

/* The images of a conversation in the order of its messages. */
static mcv_status collect_images(mcv_arena *arena, const mcv_conversation *conversation, ProcessorInput *input) {
    mcv_image *images;
    int count = 0;
    for (int i = 0; i < conversation->num_messages; i++)
        for (int j = 0; j < conversation->messages[i].num_parts; j++)
            count += conversation->messages[i].parts[j].image != NULL;
    MCV_TRY(MCV_ARENA_NEW(arena, &images, count));
    input->images = images;
    input->num_images = count;
    for (int i = 0; i < conversation->num_messages; i++)
        for (int j = 0; j < conversation->messages[i].num_parts; j++)
            if (conversation->messages[i].parts[j].image)
                *images++ = *conversation->messages[i].parts[j].image;
    return MCV_OK;
}

mcv_status MiniCPMV_prepare(const MiniCPMV *self, mcv_arena *arena, const mcv_conversation *conversations,
                            int batch_size, const mcv_prompt_options *options, PreparedBatch *batch) {
    ProcessorOptions processor_options = {options->max_inp_length, options->max_slice_nums, options->use_image_id};
    ProcessorInput *inputs;
    *batch = (PreparedBatch){0};
    if (batch_size < 1)
        return MCV_FAIL(MCV_USAGE, "a batch without conversations");
    MCV_TRY(MCV_ARENA_NEW(arena, &batch->prompts, batch_size));
    memset(batch->prompts, 0, (size_t)batch_size * sizeof *batch->prompts);
    batch->features.batch_size = batch_size;
    MCV_TRY(MCV_ARENA_NEW(arena, &inputs, batch_size));
    mcv_status status = MCV_OK;
    for (int i = 0; i < batch_size && status == MCV_OK; i++) {
        status = make_prompt(&conversations[i], options, &batch->prompts[i]);
        inputs[i] = (ProcessorInput){.prompt = mcv_buffer_text(&batch->prompts[i]),
                                     .prompt_size = batch->prompts[i].size,
                                     .temporal_ids = conversations[i].temporal_ids};
        if (status == MCV_OK)
            status = collect_images(arena, &conversations[i], &inputs[i]);
    }
    if (status == MCV_OK)
        status =
            MiniCPMVProcessor_call(&self->processor, arena, inputs, batch_size, &processor_options, &batch->features);
    batch->features.batch_size = batch_size;
    if (status != MCV_OK)
        PreparedBatch_free(batch);
    return status;
}

void PreparedBatch_free(PreparedBatch *batch) {
    for (int i = 0; batch->prompts && i < batch->features.batch_size; i++)
        mcv_buffer_free(&batch->prompts[i]);
    batch->prompts = NULL;
}

/* ---- Chat --------------------------------------------------------------------------------------------------- */

void MiniCPMV_chat_preset(GenerationConfig *config, bool sampling, bool enable_thinking) {
    config->max_new_tokens = 2048;
    config->do_sample = sampling;
    if (!sampling) {
        config->num_beams = 3;
        config->repetition_penalty = 1.2;
        return;
    }
    config->temperature = 0.7;
    if (!enable_thinking) {
        config->top_p = 0.8;
        config->top_k = 100;
        config->repetition_penalty = 1.03;
    }
}

/* What chat() demands of config.json and preprocessor_config.json, but for patch_size, which was checked at loading. */
static mcv_status check_agreement(const MiniCPMV *self) {
    const MiniCPMVConfig *config = &self->config;
    const MiniCPMVImageProcessor *processor = &self->processor.image_processor;
    const struct {
        const char *config_key, *processor_key;
        int config_value, processor_value;
    } PAIRS[] = {
        {"query_num", "image_feature_size", config->query_num, processor->image_feature_size},
        {"use_image_id", "use_image_id", config->use_image_id, processor->use_image_id},
        {"slice_config.max_slice_nums", "max_slice_nums", config->slice_config.max_slice_nums,
         processor->max_slice_nums},
        {"slice_mode", "slice_mode", config->slice_mode, processor->slice_mode},
    };
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++)
        if (PAIRS[i].config_value != PAIRS[i].processor_value)
            return MCV_FAIL(
                MCV_BAD_INPUT, "config.json has %s = %d, preprocessor_config.json has %s = %d; they must agree",
                PAIRS[i].config_key, PAIRS[i].config_value, PAIRS[i].processor_key, PAIRS[i].processor_value);
    return MCV_OK;
}

/* The answers while they grow. */
typedef struct AnswerStream {
    AnswerText *states; /* [batch_size] */
    mcv_buffer *answers;
    const mcv_observer *observer;
} AnswerStream;

static mcv_status pass_on(AnswerStream *self, int row, size_t begin) {
    const mcv_buffer *answer = &self->answers[row];
    if (!self->observer->text || answer->size == begin)
        return MCV_OK;
    return self->observer->text(self->observer->context, row, answer->data + begin, answer->size - begin);
}

static mcv_status stream_ids(void *context, int row, const int32_t *ids, int count) {
    AnswerStream *self = context;
    size_t begin = self->answers[row].size;
    for (int i = 0; i < count; i++)
        MCV_TRY(AnswerText_put(&self->states[row], ids[i], &self->answers[row]));
    return pass_on(self, row, begin);
}

static mcv_status answer_batch(const MiniCPMV *self, const MiniCPMVBatchFeature *features, bool enable_thinking,
                               const GenerationConfig *config, AnswerStream *stream) {
    TokenIds *sequences;
    Prefill prefill;
    MCV_TRY(MiniCPMV_prefill(self, features, stream->observer, &prefill));
    mcv_status status = MCV_NEW(&sequences, (size_t)features->batch_size);
    for (int i = 0; i < features->batch_size && status == MCV_OK; i++) {
        if (enable_thinking)
            status = mcv_buffer_append_string(&stream->answers[i], "<think>\n");
        if (status == MCV_OK)
            status = pass_on(stream, i, 0);
    }
    if (status == MCV_OK)
        status = MiniCPMV_generate(&prefill, config, stream_ids, stream, sequences);
    for (int i = 0; i < features->batch_size && status == MCV_OK; i++) {
        size_t begin = stream->answers[i].size;
        status = AnswerText_end(&stream->states[i], &stream->answers[i]);
        if (status == MCV_OK)
            status = pass_on(stream, i, begin);
    }
    for (int i = 0; sequences && i < features->batch_size; i++)
        TokenIds_free(&sequences[i]);
    free(sequences);
    Prefill_free(&prefill);
    return status;
}

mcv_status MiniCPMV_chat(const MiniCPMV *self, const mcv_conversation *conversations, int batch_size,
                         const mcv_prompt_options *prompt_options, const GenerationConfig *config,
                         const mcv_observer *observer, mcv_buffer *answers) {
    mcv_arena arena = {0};
    PreparedBatch batch;
    MCV_TRY(check_agreement(self));
    AnswerStream state = {.answers = answers, .observer = observer};
    mcv_status status = MiniCPMV_prepare(self, &arena, conversations, batch_size, prompt_options, &batch);
    if (status == MCV_OK)
        status = MCV_NEW(&state.states, (size_t)batch_size);
    if (status == MCV_OK) {
        for (int i = 0; i < batch_size; i++)
            state.states[i] = begin_answer(self);
        status = answer_batch(self, &batch.features, prompt_options->enable_thinking != 0, config, &state);
        for (int i = 0; i < batch_size; i++)
            AnswerText_free(&state.states[i]);
    }
    free(state.states);
    PreparedBatch_free(&batch);
    mcv_arena_free(&arena);
    return status;
}
