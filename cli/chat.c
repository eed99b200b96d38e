/* minicpmv chat: one answer, or a session that goes on line by line. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/engine_options.h"
#include "cli/model_options.h"
#include "cli/prompt_options.h"
#include "cli/turn.h"
#include "cli/video_options.h"
#include "core/buffer.h"
#include "core/log.h"
#include "ref/configuration_minicpm.h"

typedef struct session {
    mcv_model *model;
    mcv_prompt_options prompt_options;
    mcv_generation_options generation_options;
    mcv_turn_options turn_options;
    mcv_turn *turns;
    size_t num_turns, turn_capacity;
    mcv_medium *pending; /* for the next question */
    size_t num_pending, pending_capacity;
    bool json, stream, show_progress;
    int vision_layers, text_layers;  /* of the model, for progress */
    int64_t num_slices, slices_seen; /* of the images */
} session;

/* ---- Turns -------------------------------------------------------------------------------------------------- */

static mcv_status add_turn(session *self, const char *role, const mcv_medium *media, size_t num_media,
                           const char *text) {
    mcv_turn added;
    mcv_status status = mcv_turn_make(&self->turn_options, role, media, num_media, text, &added);
    if (status == MCV_OK)
        status = MCV_GROW(&self->turns, &self->turn_capacity, self->num_turns + 1);
    if (status != MCV_OK) {
        mcv_turn_free(&added);
        return status;
    }
    self->turns[self->num_turns++] = added;
    return MCV_OK;
}

static void drop_turns(session *self, size_t keep) {
    while (self->num_turns > keep)
        mcv_turn_free(&self->turns[--self->num_turns]);
}

static mcv_status add_pending(session *self, const char *path, bool is_video) {
    MCV_TRY(MCV_GROW(&self->pending, &self->pending_capacity, self->num_pending + 1));
    mcv_medium *medium = &self->pending[self->num_pending];
    medium->is_video = is_video;
    MCV_TRY(mcv_strdup(&medium->path, path));
    self->num_pending++;
    return MCV_OK;
}

static void drop_pending(session *self) {
    while (self->num_pending > 0)
        free(self->pending[--self->num_pending].path);
}

static void session_free(session *self) {
    drop_turns(self, 0);
    free(self->turns);
    drop_pending(self);
    free(self->pending);
    mcv_model_close(self->model);
}

/* ---- Answering ---------------------------------------------------------------------------------------------- */

/* A layer's output is a step of progress: "vpm.encoder.layers.3" or "llm.model.layers.3", with nothing behind it but
 * the number of the encoder's batch. The encoder runs some slices at a time; how many there are follows from their
 * sizes, "tgt_sizes.0". */
static mcv_status watch_layers(void *context, const char *name, const mcv_tensor *output) {
    session *self = context;
    unsigned layer;
    int end = 0;
    if (strcmp(name, "tgt_sizes.0") == 0) {
        self->num_slices = output->shape[0];
        self->slices_seen = 0;
    } else if (sscanf(name, "vpm.encoder.layers.%u%n", &layer, &end) == 1 && (name[end] == 0 || name[end] == '#')) {
        uint64_t layers = (uint64_t)self->vision_layers, slices = (uint64_t)output->shape[0];
        mcv_log_progress("looking: layers of all images", (uint64_t)self->slices_seen * layers + (layer + 1) * slices,
                         (uint64_t)self->num_slices * layers);
        self->slices_seen += layer + 1 == layers ? output->shape[0] : 0;
    } else if (sscanf(name, "llm.model.layers.%u%n", &layer, &end) == 1 && name[end] == 0) {
        mcv_log_progress("reading: layers", layer + 1, (uint64_t)self->text_layers);
    } else if (strcmp(name, "llm.lm_head") == 0) {
        mcv_log_progress_end();
    }
    return MCV_OK;
}

static mcv_status print_text(const char *text, size_t size) {
    if (fwrite(text, 1, size, stdout) != size || fflush(stdout) != 0)
        return MCV_FAIL(MCV_BAD_INPUT, "standard output cannot be written: %s", strerror(errno));
    return MCV_OK;
}

static mcv_status print_piece(void *context, int row, const char *text, size_t size) {
    (void)context;
    (void)row;
    mcv_log_progress_end();
    return print_text(text, size);
}

static mcv_status print_answer(const session *self, const char *answer) {
    if (self->json) {
        json_t *object = json_pack("{s:s}", "answer", answer);
        char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
        json_decref(object);
        if (!text)
            return MCV_FAIL_MEMORY(strlen(answer));
        mcv_status status = print_text(text, strlen(text));
        free(text);
        MCV_TRY(status);
    } else if (!self->stream) {
        MCV_TRY(print_text(answer, strlen(answer)));
    }
    return print_text("\n", 1);
}

/* The prompt of a conversation with a video is that of the model card, unless the command line says otherwise. */
static mcv_prompt_options choose_prompt_options(const session *self, bool has_video) {
    mcv_prompt_options options = self->prompt_options;
    if (has_video) {
        options.max_slice_nums = self->turn_options.max_slice_nums;
        options.use_image_id = options.use_image_id < 0 ? 0 : options.use_image_id;
    }
    return options;
}

static mcv_status ask_model(const session *self, const mcv_observer *observer, char **text) {
    mcv_message *messages;
    mcv_temporal_ids temporal_ids = {0};
    mcv_frame_group *groups;
    MCV_TRY(mcv_turns_groups(self->turns, self->num_turns, &groups, &temporal_ids.num_groups));
    temporal_ids.groups = groups;
    mcv_prompt_options prompt_options = choose_prompt_options(self, groups != NULL);
    mcv_status status = MCV_NEW(&messages, self->num_turns);
    for (size_t i = 0; status == MCV_OK && i < self->num_turns; i++)
        messages[i] = (mcv_message){self->turns[i].role, self->turns[i].parts, self->turns[i].num_parts};
    mcv_conversation conversation = {messages, (int)self->num_turns, groups ? &temporal_ids : NULL};
    if (status == MCV_OK)
        status = mcv_chat(self->model, &conversation, 1, &prompt_options, &self->generation_options, observer, text);
    free(messages);
    free(groups);
    return status;
}

/* Answers the turns so far and adds the answer to them. */
static mcv_status answer(session *self) {
    mcv_observer observer = {.context = self, .tap_in_parts = 1};
    char *text;
    if (self->show_progress)
        observer.tap = watch_layers;
    if (self->stream)
        observer.text = print_piece;
    MCV_TRY(ask_model(self, &observer, &text));
    mcv_status status = print_answer(self, text);
    if (status == MCV_OK)
        status = add_turn(self, "assistant", NULL, 0, text);
    mcv_free(text);
    return status;
}

/* A question with the images and videos that wait for it. When it cannot be answered, both are forgotten. */
static mcv_status ask(session *self, const char *question) {
    size_t before = self->num_turns;
    mcv_status status = add_turn(self, "user", self->pending, self->num_pending, question);
    drop_pending(self);
    if (status == MCV_OK)
        status = answer(self);
    if (status != MCV_OK)
        drop_turns(self, before);
    return status;
}

/* ---- The interactive session -------------------------------------------------------------------------------- */

static const char SESSION_HELP[] = "A line is a question. Commands:\n"
                                   "  /image FILE  show an image with the next question\n"
                                   "  /video FILE  show a video\n"
                                   "  /reset       forget the conversation\n"
                                   "  /help        print this\n"
                                   "  /quit        leave (or end of input)\n";

/* A name that leads nowhere is told here and now, not when the next question is asked. */
static mcv_status add_file(session *self, const char *path, bool is_video) {
    path += strspn(path, " ");
    if (!path[0])
        return MCV_FAIL(MCV_USAGE, "/%s: expected a file behind it", is_video ? "video" : "image");
    if (access(path, R_OK) != 0)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    return add_pending(self, path, is_video);
}

/* The command's name alone, or with more behind it. */
static bool is_command(const char *line, const char *name) {
    size_t length = strlen(name);
    return strncmp(line, name, length) == 0 && (line[length] == ' ' || line[length] == 0);
}

static mcv_status session_command(session *self, const char *line, bool *quit) {
    bool is_video = is_command(line, "/video");
    if (is_video || is_command(line, "/image"))
        return add_file(self, line + strlen("/image"), is_video);
    if (strcmp(line, "/reset") == 0) {
        drop_turns(self, 0);
        drop_pending(self);
    } else if (strcmp(line, "/help") == 0) {
        fputs(SESSION_HELP, stderr);
    } else if (strcmp(line, "/quit") == 0) {
        *quit = true;
    } else {
        return MCV_FAIL(MCV_USAGE, "no such command: %s (/help lists them)", line);
    }
    return MCV_OK;
}

/* A line of standard input without the white space at its end. *quit: there is none. */
static mcv_status read_line(char **line, size_t *capacity, bool *quit) {
    errno = 0;
    ssize_t length = getline(line, capacity, stdin);
    *quit = length < 0;
    if (length < 0)
        return feof(stdin) ? MCV_OK : MCV_FAIL(MCV_BAD_INPUT, "standard input: cannot be read: %s", strerror(errno));
    if (strlen(*line) != (size_t)length)
        return MCV_FAIL(MCV_BAD_INPUT, "standard input: expected text, found a byte 0");
    while (length > 0 && strchr(" \t\r\n", (*line)[length - 1]))
        (*line)[--length] = 0;
    return MCV_OK;
}

static mcv_status take_line(session *self, const char *line, bool *quit) {
    if (!line[0])
        return MCV_OK;
    return line[0] == '/' ? session_command(self, line, quit) : ask(self, line);
}

/* Lines that could not be taken, for the program's exit code. */
typedef struct failed_lines {
    size_t count;
    mcv_status first;
} failed_lines;

/* An error is shown and the session goes on, unless nothing more can be read or printed. */
static mcv_status show_error(mcv_status status, size_t line, bool terminal, failed_lines *failed) {
    if (status == MCV_OK || ferror(stdin) || ferror(stdout))
        return status;
    if (terminal)
        fprintf(stderr, "%s\n", mcv_error_message());
    else
        fprintf(stderr, "standard input: line %zu: %s\n", line, mcv_error_message());
    if (failed->count++ == 0)
        failed->first = status;
    return MCV_OK;
}

/* At a terminal who asked has seen what failed; what reads a pipe is told by the exit code. */
static mcv_status converse(session *self) {
    bool terminal = isatty(STDIN_FILENO) != 0, quit = false;
    char *line = NULL;
    size_t capacity = 0;
    mcv_status status = MCV_OK;
    failed_lines failed = {0};
    if (terminal)
        fputs(SESSION_HELP, stderr);
    for (size_t number = 1; !quit && status == MCV_OK; number++) {
        if (terminal)
            fputs("> ", stderr);
        status = read_line(&line, &capacity, &quit);
        if (quit && terminal)
            fputc('\n', stderr); /* the end of input leaves the cursor behind the prompt */
        if (!quit && status == MCV_OK)
            status = take_line(self, line, &quit);
        mcv_log_progress_end();
        status = show_error(status, number, terminal, &failed);
    }
    free(line);
    if (status != MCV_OK || failed.count == 0 || terminal)
        return status;
    return MCV_FAIL(failed.first, "%zu line%s of standard input failed", failed.count, failed.count == 1 ? "" : "s");
}

/* ---- Options ------------------------------------------------------------------------------------------------ */

static const mcv_option OPTIONS[] = {
    MCV_MODEL_OPTION,
    MCV_MODEL_FILE_OPTIONS,
    {'i', "image", "FILE", "an image for the first question; may be given several times"},
    {0, "video", "FILE", "a video or a folder of images, likewise; with one, images are not cut and not numbered"},
    MCV_VIDEO_OPTIONS,
    {'p', "prompt", "TEXT", "the question; without it, a session that reads questions line by line"},
    {0, "system", "TEXT", "a system prompt"},
    {0, "thinking", NULL, "deep thinking: the answer begins with a chain of thought"},
    {0, "no-sampling", NULL, "beam search with 3 beams instead of sampling; with --num-beams 1, greedy"},
    {0, "seed", "N", "of sampling (default 0): the same seed gives the same answer"},
    {0, "max-new-tokens", "N", "the answer's largest length (default 2048)"},
    {0, "min-new-tokens", "N", "the answer's smallest length (default 0)"},
    {0, "num-beams", "N", "beams of the search"},
    {0, "temperature", "X", "of sampling"},
    {0, "top-k", "N", "sample among the N likeliest tokens; 0: among all"},
    {0, "top-p", "X", "sample among the likeliest tokens that together have probability X"},
    {0, "min-p", "X", "sample among tokens at least X times as likely as the likeliest"},
    {0, "repetition-penalty", "X", "above 1: against repeating tokens of the answer"},
    {0, "length-penalty", "X", "of beam search"},
    {0, "max-inp-length", "N", "prompt tokens kept (default 16384); 0: all"},
    {0, "max-slice-nums", "N", "slices that an image is cut into at most (default: the model's)"},
    {0, "use-image-id", "0|1", "number the images (default: the model's)"},
    {0, "fix-token-zero", NULL, "treat \"!\" like other tokens; HF masks it in prompts and drops it from answers"},
    {0, "pillow", "VERSION", "whose image resizing to follow (default 13.0.0)"},
    {0, "no-stream", NULL, "print the answer when it is complete"},
    MCV_ENGINE_OPTIONS,
    {0},
};

/* The preset of chat(), and over it what the command line says. */
static mcv_status read_generation_options(const mcv_arguments *arguments, const mcv_model *model, int enable_thinking,
                                          mcv_generation_options *options) {
    int sampling = mcv_option_count(arguments, "no-sampling") == 0, seed = 0;
    *options = mcv_generation_options_preset(model, sampling, enable_thinking);
    MCV_TRY(mcv_option_int(arguments, "seed", 0, 0x7fffffff, &seed));
    options->seed = (uint64_t)seed;
    MCV_TRY(mcv_option_int(arguments, "max-new-tokens", 1, 1 << 24, &options->max_new_tokens));
    MCV_TRY(mcv_option_int(arguments, "min-new-tokens", 0, 1 << 24, &options->min_new_tokens));
    MCV_TRY(mcv_option_int(arguments, "num-beams", 1, 1 << 10, &options->num_beams));
    MCV_TRY(mcv_option_double(arguments, "temperature", 1e-6, 1e6, &options->temperature));
    MCV_TRY(mcv_option_int(arguments, "top-k", 0, 1 << 24, &options->top_k));
    MCV_TRY(mcv_option_double(arguments, "top-p", 0, 1, &options->top_p));
    MCV_TRY(mcv_option_double(arguments, "min-p", 0, 1, &options->min_p));
    MCV_TRY(mcv_option_double(arguments, "repetition-penalty", 1e-6, 1e6, &options->repetition_penalty));
    MCV_TRY(mcv_option_double(arguments, "length-penalty", -1e6, 1e6, &options->length_penalty));
    if (options->min_new_tokens > options->max_new_tokens)
        return MCV_FAIL(MCV_USAGE, "--min-new-tokens %d: expected at most --max-new-tokens, %d",
                        options->min_new_tokens, options->max_new_tokens);
    return MCV_OK;
}

/* Options that would have no effect are refused rather than passed over. */
static mcv_status refuse_idle_options(const mcv_arguments *arguments, const mcv_generation_options *options) {
    static const char *const OF_SAMPLING[] = {"seed", "temperature", "top-k", "top-p", "min-p"};
    for (size_t i = 0; i < sizeof OF_SAMPLING / sizeof *OF_SAMPLING; i++)
        if (!options->do_sample && mcv_option_count(arguments, OF_SAMPLING[i]))
            return MCV_FAIL(MCV_USAGE, "--%s has no effect with --no-sampling", OF_SAMPLING[i]);
    if (mcv_option_value(arguments, "prompt") && mcv_option_count(arguments, "video") == 0)
        MCV_TRY(mcv_video_options_refuse(arguments));
    if (options->num_beams == 1 && mcv_option_count(arguments, "length-penalty"))
        return MCV_FAIL(MCV_USAGE, "--length-penalty has no effect without beam search (--num-beams)");
    return MCV_OK;
}

static mcv_status open_session(session *self, const mcv_arguments *arguments) {
    ModelFiles files;
    MiniCPMVConfig config;
    mcv_model_options model_options;
    MCV_TRY(mcv_model_options_require(arguments, &files));
    MCV_TRY(mcv_prompt_options_read(arguments, &self->prompt_options));
    MCV_TRY(mcv_video_options_read(arguments, &self->turn_options.clip));
    MCV_TRY(mcv_engine_options_read(arguments, MCV_ENGINE_FAST, &model_options));
    model_options.mmproj = files.mmproj;
    model_options.preprocessor_config = files.preprocessor_config;
    model_options.fix_token_zero = mcv_option_count(arguments, "fix-token-zero") > 0;
    model_options.pillow_version = mcv_option_value(arguments, "pillow");
    MCV_TRY(ModelFiles_config(&files, &config));
    self->vision_layers = config.vision_config.num_hidden_layers - (config.drop_vision_last_layer ? 1 : 0);
    self->text_layers = config.num_hidden_layers;
    MCV_TRY(mcv_model_options_open(files.model, &model_options, &self->model));
    self->turn_options.model = self->model;
    self->turn_options.max_slice_nums = self->prompt_options.max_slice_nums ? self->prompt_options.max_slice_nums : 1;
    MCV_TRY(read_generation_options(arguments, self->model, self->prompt_options.enable_thinking,
                                    &self->generation_options));
    MCV_TRY(refuse_idle_options(arguments, &self->generation_options));
    self->json = arguments->json;
    self->stream = !arguments->json && mcv_option_count(arguments, "no-stream") == 0;
    self->show_progress = !arguments->quiet && isatty(STDERR_FILENO);
    for (int i = 0; i < arguments->num_given; i++) {
        bool is_image = strcmp(arguments->given[i].name, "image") == 0;
        bool is_video = strcmp(arguments->given[i].name, "video") == 0;
        if (is_image || is_video)
            MCV_TRY(add_pending(self, arguments->given[i].value, is_video));
    }
    return MCV_OK;
}

static mcv_status run(const mcv_arguments *arguments) {
    session self = {0};
    const char *prompt = mcv_option_value(arguments, "prompt");
    mcv_status status = open_session(&self, arguments);
    if (status == MCV_OK)
        status = prompt ? ask(&self, prompt) : converse(&self);
    session_free(&self);
    return status;
}

const mcv_command mcv_chat_command = {
    .name = "chat",
    .summary = "answer questions about images and videos, or just talk",
    .operands = "",
    .details = "Prints the answer while it is written. Without -p it reads questions line by line and keeps the\n"
               "conversation; /help lists what else it understands. A line that fails is told, and the next one read;\n"
               "the exit code is then that of the first. Videos are sampled and packed as the model card\n"
               "does; preprocess --video shows how. Sampling, beams and penalties are those of the\n"
               "Hugging Face model's chat() unless given here.\n",
    .takes = MCV_TAKES_ALL,
    .options = OPTIONS,
    .run = run,
};
