/* minicpmv preprocess: images and a prompt to the model's inputs. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/json_lines.h"
#include "cli/model_inputs.h"
#include "cli/model_options.h"
#include "cli/preprocess_video.h"
#include "cli/prompt_options.h"
#include "cli/video_options.h"
#include "formats/temporal_ids.h"
#include "ref/chat_template.h"
#include "simd/engine/fast_image.h"
#include "simd/kernels/kernel_table.h"

enum { MOST_IMAGES = 1 << 20 };

static const char IMAGE_TAG[] = "(<image>./</image>)";

static const mcv_option OPTIONS[] = {
    MCV_MODEL_OPTION,
    MCV_MODEL_FILE_OPTIONS,
    {'i', "image", "FILE", "an image; may be given several times"},
    {'p', "prompt", "TEXT", "the question about the images (default: none)"},
    {0, "system", "TEXT", "a system prompt"},
    {0, "thinking", NULL, "the prompt of deep thinking"},
    {0, "raw-prompt", NULL, "the prompt is complete: no chat template, an image at each (<image>./</image>)"},
    {0, "max-slice-nums", "N", "slices that an image is cut into at most (default: the model's)"},
    {0, "use-image-id", "0|1", "number the images (default: the model's)"},
    {0, "temporal-ids", "JSON", "images that are packed video frames: [[0, 5, 10], [15, 20]]"},
    {0, "max-inp-length", "N", "prompt tokens kept (default 16384); 0: all"},
    {0, "pillow", "VERSION", "whose image resizing to follow (default 13.0.0)"},
    {'o', "output", "FILE", "write the inputs as safetensors, named as in a golden case"},
    {0, "jsonl", NULL, "read a request from each line of standard input"},
    {0, "video", "FILE", "a video or a folder of images: choose its frames, groups and temporal ids"},
    MCV_VIDEO_OPTIONS,
    {0, "contact-sheet", "FILE", "draw the chosen frames with their times and groups, as PNG"},
    {0},
};

/* One conversation. */
typedef struct Request {
    mcv_arena arena;
    mcv_image *images; /* [num_images] */
    int num_images;
    const mcv_temporal_ids *temporal_ids; /* NULL: none */
    mcv_buffer prompt;
    ProcessorOptions options;
} Request;

typedef struct Job {
    MiniCPMVProcessor processor;
    mcv_kernels kernels;
    PillowPasses passes; /* by the kernels: those of plain C take longer */
    json_t *defaults;    /* what the command line says, in the form of a request */
    const char *output;  /* NULL: none */
    bool as_json;
} Job;

/* ---- Requests ----------------------------------------------------------------------------------------------- */

/* A key that is not understood would change the result. */
static mcv_status check_keys(const mcv_json *json) {
    static const char *const KNOWN[] = {"images",        "prompt",          "raw_prompt",
                                        "system_prompt", "enable_thinking", "max_slice_nums",
                                        "use_image_id",  "temporal_ids",    "max_inp_length"};
    const char *key;
    json_t *value;
    if (!json_is_object(json->value))
        return mcv_json_fail(MCV_BAD_INPUT, json, "an object");
    json_object_foreach(json->value, key, value) {
        size_t i = 0, count = sizeof KNOWN / sizeof KNOWN[0];
        while (i < count && strcmp(key, KNOWN[i]) != 0)
            i++;
        if (i == count)
            return MCV_FAIL(MCV_BAD_INPUT, "request: unknown key \"%s\"", key);
    }
    return MCV_OK;
}

static mcv_status load_images(const mcv_json *json, Request *request) {
    mcv_json paths;
    MCV_TRY(mcv_json_get_array(json, "images", &paths));
    size_t count = mcv_json_count(&paths);
    if (count > MOST_IMAGES)
        return mcv_json_fail(MCV_BAD_INPUT, &paths, "an array of at most 1048576 paths");
    MCV_TRY(MCV_ARENA_NEW(&request->arena, &request->images, count));
    for (size_t i = 0; i < count; i++) {
        mcv_json path = mcv_json_item(&paths, i);
        const char *name = json_string_value(path.value);
        if (!name || strlen(name) != json_string_length(path.value))
            return mcv_json_fail(MCV_BAD_INPUT, &path, "the path of an image");
        MCV_TRY(mcv_image_load(name, &request->images[i]));
        request->num_images++;
    }
    return MCV_OK;
}

static mcv_status read_options(const mcv_json *json, ProcessorOptions *options) {
    bool use_image_id = false;
    *options = (ProcessorOptions){.max_length = mcv_prompt_options_default().max_inp_length, .use_image_id = -1};
    MCV_TRY(mcv_json_get_int(json, "max_slice_nums", 1, MCV_MOST_SLICES, &options->max_slice_nums));
    MCV_TRY(mcv_json_get_int(json, "max_inp_length", 0, MCV_MOST_PROMPT_TOKENS, &options->max_length));
    MCV_TRY(mcv_json_get_bool(json, "use_image_id", &use_image_id));
    if (mcv_json_member(json, "use_image_id").value)
        options->use_image_id = use_image_id;
    return MCV_OK;
}

static mcv_status read_temporal_ids(const mcv_json *json, Request *request) {
    mcv_json groups;
    MCV_TRY(mcv_json_get_array(json, "temporal_ids", &groups));
    if (!groups.value)
        return MCV_OK;
    if (mcv_temporal_ids_are_of_one(&groups) || mcv_json_count(&groups) != 1)
        return mcv_temporal_ids_read(&groups, &request->arena, &request->temporal_ids);
    mcv_json first = mcv_json_item(&groups, 0);
    return mcv_temporal_ids_read(&first, &request->arena, &request->temporal_ids);
}

/* A message as HF's chat() writes it: the images' tags, then the text. */
static mcv_status append_content(const mcv_json *text, int num_images, mcv_buffer *content) {
    for (int i = 0; i < num_images; i++)
        MCV_TRY(mcv_buffer_printf(content, "%s%s", i > 0 ? "\n" : "", IMAGE_TAG));
    if (!text->value)
        return MCV_OK;
    if (num_images > 0)
        MCV_TRY(mcv_buffer_append_string(content, "\n"));
    return mcv_buffer_append(content, json_string_value(text->value), json_string_length(text->value));
}

static mcv_status append_message(json_t *messages, const char *role, const char *content, size_t size) {
    json_t *message = json_pack("{s:s, s:o}", "role", role, "content", json_stringn(content, size));
    return json_array_append_new(messages, message) == 0 ? MCV_OK : MCV_FAIL(MCV_NO_MEMORY, "out of memory (JSON)");
}

/* Member `key` as a string; its value is NULL where it is missing. */
static mcv_status get_text(const mcv_json *json, const char *key, mcv_json *text) {
    *text = mcv_json_member(json, key);
    if (text->value && !json_is_string(text->value))
        return mcv_json_fail(MCV_BAD_INPUT, text, "a string");
    return MCV_OK;
}

static mcv_status apply_template(const mcv_json *json, const mcv_buffer *content, json_t *messages,
                                 mcv_buffer *prompt) {
    bool enable_thinking = false;
    mcv_json system;
    MCV_TRY(mcv_json_get_bool(json, "enable_thinking", &enable_thinking));
    MCV_TRY(get_text(json, "system_prompt", &system));
    if (json_string_length(system.value) > 0)
        MCV_TRY(append_message(messages, "system", json_string_value(system.value), json_string_length(system.value)));
    MCV_TRY(append_message(messages, "user", mcv_buffer_text(content), content->size));
    return apply_chat_template(messages, NULL, true, enable_thinking ? THINKING_ON : THINKING_OFF, prompt);
}

static mcv_status make_prompt(const mcv_json *json, Request *request) {
    bool raw_prompt = false;
    mcv_json text;
    MCV_TRY(get_text(json, "prompt", &text));
    MCV_TRY(mcv_json_get_bool(json, "raw_prompt", &raw_prompt));
    if (raw_prompt)
        return append_content(&text, 0, &request->prompt);
    mcv_buffer content = {0};
    json_t *messages = json_array();
    mcv_status status = append_content(&text, request->num_images, &content);
    if (status == MCV_OK)
        status = apply_template(json, &content, messages, &request->prompt);
    json_decref(messages);
    mcv_buffer_free(&content);
    return status;
}

static mcv_status read_request(const mcv_json *json, Request *request) {
    MCV_TRY(check_keys(json));
    MCV_TRY(read_options(json, &request->options));
    MCV_TRY(read_temporal_ids(json, request));
    MCV_TRY(load_images(json, request));
    return make_prompt(json, request);
}

static void Request_free(Request *request) {
    for (int i = 0; i < request->num_images; i++)
        mcv_image_free(&request->images[i]);
    mcv_buffer_free(&request->prompt);
    mcv_arena_free(&request->arena);
}

/* ---- Answers ------------------------------------------------------------------------------------------------ */

static mcv_status process(const Job *job, Request *request) {
    MiniCPMVBatchFeature features;
    ProcessorInput input = {.prompt = mcv_buffer_text(&request->prompt),
                            .prompt_size = request->prompt.size,
                            .images = request->images,
                            .num_images = request->num_images,
                            .temporal_ids = request->temporal_ids};
    mcv_model_inputs inputs = {&job->processor, &request->options, input.prompt, input.prompt_size, &features};
    MCV_TRY(MiniCPMVProcessor_call(&job->processor, &request->arena, &input, 1, &request->options, &features));
    if (job->output)
        MCV_TRY(mcv_model_inputs_write(&inputs, job->output));
    return job->as_json ? mcv_model_inputs_print(&inputs) : MCV_OK;
}

/* The command line's own options hold where the request says nothing. */
static mcv_status answer(void *context, json_t *value) {
    const Job *job = context;
    Request request = {0};
    char name[] = "request";
    mcv_json json = {.file = name, .value = json_copy(value)};
    mcv_status status = MCV_OK;
    if (!json.value)
        status = MCV_FAIL(MCV_NO_MEMORY, "out of memory (JSON)");
    if (status == MCV_OK && json_is_object(json.value) && json_object_update_missing(json.value, job->defaults) != 0)
        status = MCV_FAIL(MCV_NO_MEMORY, "out of memory (JSON)");
    if (status == MCV_OK)
        status = read_request(&json, &request);
    if (status == MCV_OK)
        status = process(job, &request);
    Request_free(&request);
    json_decref(json.value);
    return status;
}

/* ---- The command line --------------------------------------------------------------------------------------- */

/* Adds a value, NULL where it could not be made. */
static mcv_status add(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0 ? MCV_OK : MCV_FAIL(MCV_NO_MEMORY, "out of memory (JSON)");
}

static mcv_status add_images(const mcv_arguments *arguments, json_t *request) {
    json_t *images = json_array();
    MCV_TRY(add(request, "images", images));
    for (int i = 0; i < arguments->num_given; i++)
        if (strcmp(arguments->given[i].name, "image") == 0 &&
            json_array_append_new(images, json_string(arguments->given[i].value)) != 0)
            return MCV_FAIL(MCV_USAGE, "--image %s: not valid UTF-8", arguments->given[i].value);
    return MCV_OK;
}

static mcv_status add_prompt_options(const mcv_arguments *arguments, json_t *request) {
    mcv_prompt_options options;
    MCV_TRY(mcv_prompt_options_read(arguments, &options));
    if (options.system_prompt && json_object_set_new(request, "system_prompt", json_string(options.system_prompt)) != 0)
        return MCV_FAIL(MCV_USAGE, "--system: not valid UTF-8");
    MCV_TRY(add(request, "enable_thinking", json_boolean(options.enable_thinking)));
    if (options.max_slice_nums > 0)
        MCV_TRY(add(request, "max_slice_nums", json_integer(options.max_slice_nums)));
    if (options.use_image_id >= 0)
        MCV_TRY(add(request, "use_image_id", json_boolean(options.use_image_id)));
    return add(request, "max_inp_length", json_integer(options.max_inp_length));
}

/* Before any request is read: what is wrong with them here is wrong use, not damaged input. */
static mcv_status check_temporal_ids(json_t *request) {
    char name[] = "command line";
    mcv_json json = {.file = name, .value = request};
    Request scratch = {0};
    mcv_status status = read_temporal_ids(&json, &scratch);
    Request_free(&scratch);
    return status == MCV_BAD_INPUT ? MCV_USAGE : status;
}

static mcv_status add_prompt(const mcv_arguments *arguments, json_t *request) {
    const char *prompt = mcv_option_value(arguments, "prompt");
    const char *temporal_ids = mcv_option_value(arguments, "temporal-ids");
    json_t *groups;
    if (prompt && json_object_set_new(request, "prompt", json_string(prompt)) != 0)
        return MCV_FAIL(MCV_USAGE, "--prompt: not valid UTF-8");
    MCV_TRY(add(request, "raw_prompt", json_boolean(mcv_option_count(arguments, "raw-prompt") > 0)));
    if (!temporal_ids)
        return MCV_OK;
    if (mcv_json_read_text(temporal_ids, strlen(temporal_ids), "--temporal-ids", &groups) != MCV_OK)
        return MCV_USAGE;
    MCV_TRY(add(request, "temporal_ids", groups));
    return check_temporal_ids(request);
}

static mcv_status read_command_line(const mcv_arguments *arguments, json_t *request) {
    MCV_TRY(add_prompt_options(arguments, request));
    MCV_TRY(add_prompt(arguments, request));
    return add_images(arguments, request);
}

static mcv_status run_job(const mcv_arguments *arguments, const ModelFiles *files, Job *job) {
    const char *pillow = mcv_option_value(arguments, "pillow");
    PillowVersion version = PILLOW_13;
    if (pillow)
        MCV_TRY(PillowVersion_from_string(pillow, &version));
    MCV_TRY(mcv_kernels_select(NULL, &job->kernels));
    job->passes = mcv_resize_passes(&job->kernels);
    MCV_TRY(read_command_line(arguments, job->defaults));
    if (mcv_option_count(arguments, "raw-prompt") == 0)
        MCV_TRY(ModelFiles_check_chat_template(files));
    MCV_TRY(ModelFiles_processor(files, &job->processor));
    job->processor.image_processor.pillow = version;
    job->processor.image_processor.passes = &job->passes;
    mcv_status status = MCV_OK;
    if (mcv_option_count(arguments, "jsonl") > 0) {
        status = mcv_json_read_lines(answer, job);
    } else {
        json_t *nothing = json_object();
        status = answer(job, nothing);
        json_decref(nothing);
    }
    MiniCPMVProcessor_free(&job->processor);
    return status;
}

/* Options that would have no effect are refused rather than passed over. */
static mcv_status refuse_idle_options(const mcv_arguments *arguments) {
    static const char *const OF_THE_TEMPLATE[] = {"system", "thinking"};
    for (size_t i = 0; i < sizeof OF_THE_TEMPLATE / sizeof *OF_THE_TEMPLATE; i++)
        if (mcv_option_count(arguments, "raw-prompt") && mcv_option_count(arguments, OF_THE_TEMPLATE[i]))
            return MCV_FAIL(MCV_USAGE, "--%s has no effect with --raw-prompt", OF_THE_TEMPLATE[i]);
    return MCV_OK;
}

static mcv_status run(const mcv_arguments *arguments) {
    ModelFiles files;
    if (mcv_option_count(arguments, "video") > 0)
        return mcv_preprocess_video(arguments);
    MCV_TRY(mcv_video_options_refuse(arguments));
    if (mcv_option_count(arguments, "contact-sheet") > 0)
        return MCV_FAIL(MCV_USAGE, "--contact-sheet goes with --video");
    MCV_TRY(mcv_model_options_require(arguments, &files));
    MCV_TRY(refuse_idle_options(arguments));
    Job job = {.output = mcv_option_value(arguments, "output")};
    bool has_lines = mcv_option_count(arguments, "jsonl") > 0;
    if (has_lines && job.output)
        return MCV_FAIL(MCV_USAGE, "--output holds one request's inputs and cannot go with --jsonl");
    job.as_json = arguments->json || !job.output;
    job.defaults = json_object();
    mcv_status status = run_job(arguments, &files, &job);
    json_decref(job.defaults);
    return status;
}

const mcv_command mcv_preprocess_command = {
    .name = "preprocess",
    .summary = "images and a prompt to the model's inputs",
    .operands = "",
    .min_operands = 0,
    .max_operands = 0,
    .details =
        "Cuts, resizes and normalizes images, and puts their placeholders into the prompt's ids, as HF's processor "
        "does.\n"
        "Prints one JSON object: image_sizes (width, height), grids (columns, rows; null: not cut), placeholders,\n"
        "skip_image_idx, temporal_ids, slice_sizes, tgt_sizes (rows, columns of patches), pixel_values (shape, XXH3),\n"
        "prompt, input_ids, attention_mask, image_bound. With --output it writes safetensors instead, or, with "
        "--json, besides.\n"
        "A request of --jsonl is an object with any of images (paths), prompt, raw_prompt, system_prompt, "
        "enable_thinking,\n"
        "max_slice_nums, use_image_id, temporal_ids, max_inp_length; the command line's options hold for what it does "
        "not say.\n"
        "With --video it chooses frames as the model card's encode_video does and prints frame_indices, timestamps "
        "(seconds),\n"
        "temporal_ids (one list a group), packing and what the video is; --output writes frames.J (rows, columns, 3), "
        "frame_indices,\n"
        "timestamps, temporal_ids, pixel_values.0.J and tgt_sizes.0. There --max-slice-nums is 1 unless given.\n",
    .takes = MCV_TAKES_THREADS,
    .options = OPTIONS,
    .run = run,
};
