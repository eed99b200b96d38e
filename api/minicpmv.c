/* The public functions, on top of the reference and the engine that may run its modules. */
#include "api/engine_attach.h"
#include "api/video_frames.h"
#include "core/threads.h"
#include "ref/modeling_minicpmv.h"

struct mcv_model {
    mcv_pool *pool;
    MiniCPMV *reference;
    mcv_engine *engine; /* NULL: the reference runs itself */
};

mcv_model_options mcv_model_options_default(void) {
    return (mcv_model_options){.engine = MCV_ENGINE_FAST,
                               .llm = MCV_PRECISION_STORED,
                               .vpm = MCV_PRECISION_STORED,
                               .resampler = MCV_PRECISION_STORED,
                               .group = 64};
}

static mcv_status open_model(mcv_model *model, const char *path, const mcv_model_options *options) {
    PillowVersion pillow = PILLOW_13;
    if (options->pillow_version)
        MCV_TRY(PillowVersion_from_string(options->pillow_version, &pillow));
    if (options->threads < 0)
        return MCV_FAIL(MCV_USAGE, "%d threads", options->threads);
    MCV_TRY(mcv_pool_create(&model->pool, options->threads));
    ModelFiles files = {.model = path, .mmproj = options->mmproj, .preprocessor_config = options->preprocessor_config};
    MCV_TRY(MiniCPMV_from_files(&model->reference, &files, model->pool));
    model->reference->fix_token_zero = options->fix_token_zero != 0;
    model->reference->processor.image_processor.pillow = pillow;
    return mcv_engine_attach(model->reference, options, &model->engine);
}

mcv_status mcv_model_open(const char *path, const mcv_model_options *options, mcv_model **out) {
    mcv_model_options defaults = mcv_model_options_default();
    mcv_model *model;
    *out = NULL;
    MCV_TRY(MCV_NEW(&model, 1));
    mcv_status status = open_model(model, path, options ? options : &defaults);
    if (status != MCV_OK) {
        mcv_model_close(model);
        return status;
    }
    *out = model;
    return MCV_OK;
}

void mcv_model_close(mcv_model *model) {
    if (!model)
        return;
    mcv_engine_free(model->engine);
    MiniCPMV_free(model->reference);
    mcv_pool_free(model->pool);
    free(model);
}

const char *mcv_model_remark(const mcv_model *model) {
    return model->engine ? mcv_engine_remark(model->engine) : NULL;
}

mcv_status mcv_video_load(const mcv_model *model, const char *path, const mcv_clip_options *options, int max_slice_nums,
                          mcv_video_frames *frames) {
    mcv_clip_options defaults = mcv_clip_options_default();
    return mcv_video_frames_load(&model->reference->processor.image_processor, path, options ? options : &defaults,
                                 max_slice_nums, frames);
}

mcv_prompt_options mcv_prompt_options_default(void) {
    return (mcv_prompt_options){.max_inp_length = 16384, .use_image_id = -1};
}

mcv_generation_options mcv_generation_options_preset(const mcv_model *model, int sampling, int enable_thinking) {
    GenerationConfig config = MiniCPMV_generation_config(model->reference);
    MiniCPMV_chat_preset(&config, sampling != 0, enable_thinking != 0);
    return (mcv_generation_options){.max_new_tokens = config.max_new_tokens,
                                    .min_new_tokens = config.min_new_tokens,
                                    .do_sample = config.do_sample,
                                    .num_beams = config.num_beams,
                                    .temperature = config.temperature,
                                    .top_k = config.top_k,
                                    .top_p = config.top_p,
                                    .min_p = config.min_p,
                                    .repetition_penalty = config.repetition_penalty,
                                    .length_penalty = config.length_penalty,
                                    .early_stopping = config.early_stopping,
                                    .seed = config.seed};
}

static GenerationConfig generation_config(const mcv_model *model, const mcv_generation_options *options) {
    GenerationConfig config = MiniCPMV_generation_config(model->reference);
    config.max_new_tokens = options->max_new_tokens;
    config.min_new_tokens = options->min_new_tokens;
    config.do_sample = options->do_sample != 0;
    config.num_beams = options->num_beams;
    config.temperature = options->temperature;
    config.top_k = options->top_k;
    config.top_p = options->top_p;
    config.min_p = options->min_p;
    config.repetition_penalty = options->repetition_penalty;
    config.length_penalty = options->length_penalty;
    config.early_stopping = options->early_stopping;
    config.seed = options->seed;
    return config;
}

mcv_status mcv_chat(mcv_model *model, const mcv_conversation *conversations, int batch_size,
                    const mcv_prompt_options *prompt_options, const mcv_generation_options *generation_options,
                    const mcv_observer *observer, char **answers) {
    mcv_prompt_options prompt_defaults = mcv_prompt_options_default();
    const mcv_prompt_options *prompt = prompt_options ? prompt_options : &prompt_defaults;
    mcv_generation_options preset = mcv_generation_options_preset(model, 1, prompt->enable_thinking);
    GenerationConfig config = generation_config(model, generation_options ? generation_options : &preset);
    mcv_observer nobody = {0};
    mcv_buffer *texts;
    if (batch_size < 1)
        return MCV_FAIL(MCV_USAGE, "a batch of %d conversations", batch_size);
    MCV_TRY(MCV_NEW(&texts, (size_t)batch_size));
    mcv_status status = MiniCPMV_chat(model->reference, conversations, batch_size, prompt, &config,
                                      observer ? observer : &nobody, texts);
    for (int i = 0; i < batch_size && status == MCV_OK; i++)
        status = mcv_buffer_append(&texts[i], "", 0); /* an empty answer is a string, too */
    for (int i = 0; i < batch_size; i++) {
        if (status == MCV_OK)
            answers[i] = texts[i].data;
        else
            mcv_buffer_free(&texts[i]);
    }
    free(texts);
    return status;
}

mcv_status mcv_logits(mcv_model *model, const mcv_conversation *conversations, int batch_size,
                      const mcv_prompt_options *prompt_options, const mcv_observer *observer, float **logits,
                      int *vocab_size) {
    mcv_prompt_options defaults = mcv_prompt_options_default();
    mcv_observer nobody = {0};
    mcv_arena arena = {0};
    PreparedBatch batch;
    Prefill prefill;
    *logits = NULL;
    mcv_status status = MiniCPMV_prepare(model->reference, &arena, conversations, batch_size,
                                         prompt_options ? prompt_options : &defaults, &batch);
    if (status == MCV_OK)
        status = MiniCPMV_prefill(model->reference, &batch.features, observer ? observer : &nobody, &prefill);
    if (status == MCV_OK) {
        *logits = prefill.logits;
        *vocab_size = model->reference->llm.vocab_size;
        prefill.logits = NULL;
        Prefill_free(&prefill);
    }
    PreparedBatch_free(&batch);
    mcv_arena_free(&arena);
    return status;
}

/* ids[index], [index + 1], ... behind what has been run, whose logits are the prefill's. */
static mcv_status score_ids(Prefill *prefill, const int32_t *ids, size_t index, size_t count, mcv_score_fn see,
                            void *context) {
    const GenerationModel *decoder = &prefill->decoder;
    MCV_TRY(prefill->reset(decoder->context));
    for (; index < count; index++) {
        MCV_TRY(see(context, index, prefill->logits, decoder->vocab_size));
        if (index + 1 < count)
            MCV_TRY(decoder->step(decoder->context, &ids[index], 1, prefill->logits));
    }
    return MCV_OK;
}

/* A prompt of one id. */
static mcv_status prefill_id(const MiniCPMV *model, int32_t id, Prefill *prefill) {
    uint8_t mask = 1;
    int padding = 0, num_bounds = 0;
    ImageFeatures images = {0};
    int32_t(*no_bounds)[2] = NULL;
    MiniCPMVBatchFeature features = {.batch_size = 1,
                                     .length = 1,
                                     .input_ids = &id,
                                     .attention_mask = &mask,
                                     .padding = &padding,
                                     .num_bounds = &num_bounds,
                                     .image_bound = &no_bounds,
                                     .images = &images};
    return MiniCPMV_prefill(model, &features, &(mcv_observer){0}, prefill);
}

static mcv_status prefill_conversation(const MiniCPMV *model, const mcv_conversation *conversation,
                                       const mcv_prompt_options *prompt_options, Prefill *prefill) {
    mcv_arena arena = {0};
    PreparedBatch batch;
    mcv_status status = MiniCPMV_prepare(model, &arena, conversation, 1, prompt_options, &batch);
    if (status == MCV_OK)
        status = MiniCPMV_prefill(model, &batch.features, &(mcv_observer){0}, prefill);
    PreparedBatch_free(&batch);
    mcv_arena_free(&arena);
    return status;
}

mcv_status mcv_score(mcv_model *model, const mcv_conversation *conversation, const mcv_prompt_options *prompt_options,
                     const int32_t *ids, size_t count, mcv_score_fn see, void *context) {
    mcv_prompt_options defaults = mcv_prompt_options_default();
    Prefill prefill;
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= model->reference->llm.vocab_size)
            return MCV_FAIL(MCV_USAGE, "id %d is not below %d, the size of the vocabulary", (int)ids[i],
                            model->reference->llm.vocab_size);
    if (count == 0)
        return MCV_OK;
    if (conversation)
        MCV_TRY(prefill_conversation(model->reference, conversation, prompt_options ? prompt_options : &defaults,
                                     &prefill));
    else
        MCV_TRY(prefill_id(model->reference, ids[0], &prefill));
    mcv_status status = score_ids(&prefill, ids, conversation ? 0 : 1, count, see, context);
    Prefill_free(&prefill);
    return status;
}

mcv_times mcv_model_times(const mcv_model *model) {
    return model->engine ? *mcv_engine_times(model->engine) : (mcv_times){0};
}

void mcv_model_reset_times(mcv_model *model) {
    if (model->engine)
        *mcv_engine_times(model->engine) = (mcv_times){0};
}

mcv_status mcv_tokenize(const mcv_model *model, const char *text, size_t size, int32_t **ids, size_t *count) {
    TokenIds list = {0};
    *ids = NULL;
    *count = 0;
    mcv_status status = Qwen2Tokenizer_encode(model->reference->processor.tokenizer, text, size, &list);
    if (status != MCV_OK) {
        TokenIds_free(&list);
        return status;
    }
    *ids = list.data;
    *count = list.count;
    return MCV_OK;
}

mcv_status mcv_detokenize(const mcv_model *model, const int32_t *ids, size_t count, char **text) {
    mcv_buffer buffer = {0};
    *text = NULL;
    mcv_status status = Qwen2Tokenizer_decode(model->reference->processor.tokenizer, ids, count, false, &buffer);
    if (status == MCV_OK)
        status = mcv_buffer_append(&buffer, "", 0);
    if (status != MCV_OK) {
        mcv_buffer_free(&buffer);
        return status;
    }
    *text = buffer.data;
    return MCV_OK;
}

void mcv_free(void *memory) {
    free(memory);
}
