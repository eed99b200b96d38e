/* minicpmv tokenize: texts or conversations to token ids. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/json_lines.h"
#include "cli/model_options.h"
#include "core/file.h"
#include "formats/json.h"
#include "ref/chat_template.h"
#include "ref/python_json.h"
#include "ref/tokenization_qwen2.h"

static const size_t TEXT_LIMIT = (size_t)1 << 30;

static const mcv_option OPTIONS[] = {
    MCV_MODEL_OPTION,
    {'f', "file", "FILE", "tokenize the text of a file, - for standard input"},
    {0, "jsonl", NULL, "tokenize each line of standard input, a JSON string"},
    {0, "messages", "FILE", "tokenize a conversation, a JSON list of messages; - for standard input"},
    {0, "tools", "FILE", "with --messages: a JSON list of tools"},
    {0, "thinking", "on|off|unset", "with --messages: enable_thinking of the chat template"},
    {0, "no-generation-prompt", NULL, "with --messages: do not begin the answer"},
    {0, "prompt-only", NULL, "with --messages: print the prompt instead of its ids"},
    {0},
};

/* How ids are printed. */
typedef enum Form {
    PLAIN,  /* 1 2 3 */
    LIST,   /* [1, 2, 3] */
    OBJECT, /* {"ids": [1, 2, 3], "tokens": ["\"", "#", "$"]} */
} Form;

typedef struct Job {
    Qwen2Tokenizer *tokenizer;
    Form form;
} Job;

static mcv_status append_ids(const TokenIds *ids, const char *separator, mcv_buffer *line) {
    for (size_t i = 0; i < ids->count; i++)
        MCV_TRY(mcv_buffer_printf(line, "%s%d", i > 0 ? separator : "", ids->data[i]));
    return MCV_OK;
}

static mcv_status append_object(const Qwen2Tokenizer *tokenizer, const TokenIds *ids, mcv_buffer *line) {
    MCV_TRY(mcv_buffer_append_string(line, "{\"ids\": ["));
    MCV_TRY(append_ids(ids, ", ", line));
    MCV_TRY(mcv_buffer_append_string(line, "], \"tokens\": ["));
    for (size_t i = 0; i < ids->count; i++) {
        const char *token = Qwen2Tokenizer_id_to_token(tokenizer, ids->data[i]);
        MCV_TRY(mcv_buffer_append_string(line, i > 0 ? ", " : ""));
        MCV_TRY(python_json_dumps_string(token, strlen(token), line));
    }
    return mcv_buffer_append_string(line, "]}");
}

static mcv_status append_in_form(const Job *job, const TokenIds *ids, mcv_buffer *line) {
    if (job->form == OBJECT)
        return append_object(job->tokenizer, ids, line);
    if (job->form == PLAIN)
        return append_ids(ids, " ", line);
    MCV_TRY(mcv_buffer_append_string(line, "["));
    MCV_TRY(append_ids(ids, ", ", line));
    return mcv_buffer_append_string(line, "]");
}

static mcv_status print_ids(const Job *job, const char *text, size_t size) {
    TokenIds ids = {0};
    mcv_buffer line = {0};
    mcv_status status = Qwen2Tokenizer_encode(job->tokenizer, text, size, &ids);
    if (status == MCV_OK)
        status = append_in_form(job, &ids, &line);
    if (status == MCV_OK)
        printf("%s\n", mcv_buffer_text(&line));
    mcv_buffer_free(&line);
    TokenIds_free(&ids);
    return status;
}

static mcv_status print_line(void *context, json_t *value) {
    char name[] = "text";
    mcv_json text = {.file = name, .value = value};
    if (!json_is_string(value))
        return mcv_json_fail(MCV_BAD_INPUT, &text, "a JSON string");
    return print_ids(context, json_string_value(value), json_string_length(value));
}

static mcv_status print_operands(const Job *job, const mcv_arguments *arguments) {
    for (int i = 0; i < arguments->num_operands; i++) {
        mcv_status status = print_ids(job, arguments->operands[i], strlen(arguments->operands[i]));
        if (status != MCV_OK)
            return mcv_fail_context(status, "text %d", i + 1);
    }
    return MCV_OK;
}

static mcv_status print_file(const Job *job, const char *path) {
    mcv_buffer text = {0};
    mcv_status status = mcv_file_read(path, TEXT_LIMIT, &text);
    if (status == MCV_OK) {
        status = print_ids(job, mcv_buffer_text(&text), text.size);
        if (status != MCV_OK)
            status = mcv_fail_context(status, "%s", mcv_file_name(path));
    }
    mcv_buffer_free(&text);
    return status;
}

/* ---- Conversations ------------------------------------------------------------------------------------------- */

static mcv_status read_thinking(const mcv_arguments *arguments, EnableThinking *thinking) {
    static const char *const NAMES[] = {[THINKING_UNSET] = "unset", [THINKING_OFF] = "off", [THINKING_ON] = "on"};
    const char *value = mcv_option_value(arguments, "thinking");
    *thinking = THINKING_UNSET;
    if (!value)
        return MCV_OK;
    for (int i = THINKING_UNSET; i <= THINKING_ON; i++)
        if (strcmp(value, NAMES[i]) == 0) {
            *thinking = (EnableThinking)i;
            return MCV_OK;
        }
    return MCV_FAIL(MCV_USAGE, "--thinking: expected on, off or unset, found '%s'", value);
}

/* A conversation that the template cannot take is damaged input, not wrong use of the program. */
static mcv_status build_prompt(const mcv_arguments *arguments, const json_t *messages, const json_t *tools,
                               mcv_buffer *prompt) {
    EnableThinking thinking;
    MCV_TRY(read_thinking(arguments, &thinking));
    bool begin_answer = mcv_option_count(arguments, "no-generation-prompt") == 0;
    mcv_status status = apply_chat_template(messages, tools, begin_answer, thinking, prompt);
    return status == MCV_USAGE
               ? mcv_fail_context(MCV_BAD_INPUT, "%s", mcv_file_name(mcv_option_value(arguments, "messages")))
               : status;
}

static mcv_status read_prompt(const mcv_arguments *arguments, mcv_buffer *prompt) {
    const char *tools_path = mcv_option_value(arguments, "tools");
    json_t *messages = NULL, *tools = NULL;
    mcv_status status = mcv_json_read_file(mcv_option_value(arguments, "messages"), &messages);
    if (status == MCV_OK && tools_path)
        status = mcv_json_read_file(tools_path, &tools);
    if (status == MCV_OK)
        status = build_prompt(arguments, messages, tools, prompt);
    json_decref(messages);
    json_decref(tools);
    return status;
}

static mcv_status print_prompt(const mcv_buffer *prompt, bool as_json) {
    if (!as_json) {
        fwrite(prompt->data, 1, prompt->size, stdout);
        return MCV_OK;
    }
    mcv_buffer line = {0};
    mcv_status status = mcv_buffer_append_string(&line, "{\"prompt\": ");
    if (status == MCV_OK)
        status = python_json_dumps_string(prompt->data, prompt->size, &line);
    if (status == MCV_OK)
        printf("%s}\n", line.data);
    mcv_buffer_free(&line);
    return status;
}

static mcv_status run_prompt_only(const mcv_arguments *arguments) {
    mcv_buffer prompt = {0};
    mcv_status status = read_prompt(arguments, &prompt);
    if (status == MCV_OK)
        status = print_prompt(&prompt, arguments->json);
    mcv_buffer_free(&prompt);
    return status;
}

static mcv_status print_conversation(const Job *job, const mcv_arguments *arguments) {
    mcv_buffer prompt = {0};
    mcv_status status = read_prompt(arguments, &prompt);
    if (status == MCV_OK)
        status = print_ids(job, mcv_buffer_text(&prompt), prompt.size);
    mcv_buffer_free(&prompt);
    return status;
}

/* ---- The command --------------------------------------------------------------------------------------------- */

static mcv_status check_arguments(const mcv_arguments *arguments) {
    static const char *const OF_CONVERSATIONS[] = {"tools", "thinking", "no-generation-prompt", "prompt-only"};
    int sources = (arguments->num_operands > 0) + (mcv_option_count(arguments, "file") > 0) +
                  (mcv_option_count(arguments, "jsonl") > 0) + (mcv_option_count(arguments, "messages") > 0);
    if (sources != 1)
        return MCV_FAIL(MCV_USAGE, "expected one of TEXT, --file, --jsonl and --messages, found %d of them", sources);
    for (size_t i = 0; i < sizeof OF_CONVERSATIONS / sizeof *OF_CONVERSATIONS; i++)
        if (mcv_option_count(arguments, OF_CONVERSATIONS[i]) && !mcv_option_count(arguments, "messages"))
            return MCV_FAIL(MCV_USAGE, "--%s needs --messages", OF_CONVERSATIONS[i]);
    return MCV_OK;
}

static mcv_status run_job(Job *job, const mcv_arguments *arguments) {
    if (mcv_option_count(arguments, "jsonl"))
        return mcv_json_read_lines(print_line, job);
    if (mcv_option_value(arguments, "file"))
        return print_file(job, mcv_option_value(arguments, "file"));
    if (mcv_option_value(arguments, "messages"))
        return print_conversation(job, arguments);
    return print_operands(job, arguments);
}

static mcv_status run(const mcv_arguments *arguments) {
    ModelFiles files;
    MCV_TRY(mcv_model_options_require(arguments, &files));
    MCV_TRY(check_arguments(arguments));
    if (mcv_option_value(arguments, "messages"))
        MCV_TRY(ModelFiles_check_chat_template(&files));
    if (mcv_option_count(arguments, "prompt-only"))
        return run_prompt_only(arguments);
    Job job = {.form = arguments->json ? OBJECT : mcv_option_count(arguments, "jsonl") ? LIST : PLAIN};
    MCV_TRY(ModelFiles_tokenizer(&files, &job.tokenizer));
    mcv_status status = run_job(&job, arguments);
    Qwen2Tokenizer_free(job.tokenizer);
    return status;
}

const mcv_command mcv_tokenize_command = {
    .name = "tokenize",
    .summary = "texts or conversations to token ids",
    .operands = "TEXT...",
    .min_operands = 0,
    .max_operands = MCV_ANY_NUMBER,
    .details =
        "Prints the ids of each text on a line of its own; with --json an object {\"ids\": [...], \"tokens\": [...]},\n"
        "with --jsonl a JSON list. --prompt-only prints the prompt as it is, with --json as {\"prompt\": \"...\"}.\n",
    .options = OPTIONS,
    .run = run,
};
