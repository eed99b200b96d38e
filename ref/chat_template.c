#include "ref/chat_template.h"

#include <string.h>
#include <xxhash.h>

#include "core/file.h"
#include "formats/json.h"
#include "ref/python_json.h"

/* XXH3 of the template that this file speaks for. */
static const uint64_t KNOWN_TEMPLATE = 0xC5518295F652B136;

/* ---- Strings, as Python's str has them ----------------------------------------------------------------------- */

typedef struct Text {
    const char *data;
    size_t size;
} Text;

static const Text EMPTY = {"", 0};

static Text text_of(const json_t *string) {
    return (Text){json_string_value(string), json_string_length(string)};
}

/* text.lstrip("\n") */
static Text strip_left(Text text) {
    while (text.size && text.data[0] == '\n') {
        text.data++;
        text.size--;
    }
    return text;
}

/* text.rstrip("\n") */
static Text strip_right(Text text) {
    while (text.size && text.data[text.size - 1] == '\n')
        text.size--;
    return text;
}

static bool starts_with(Text text, const char *prefix) {
    return text.size >= strlen(prefix) && memcmp(text.data, prefix, strlen(prefix)) == 0;
}

static bool ends_with(Text text, const char *suffix) {
    size_t size = strlen(suffix);
    return text.size >= size && memcmp(text.data + text.size - size, suffix, size) == 0;
}

/* text.split(separator)[0] */
static Text before_first(Text text, const char *separator) {
    const char *found = memmem(text.data, text.size, separator, strlen(separator));
    return found ? (Text){text.data, (size_t)(found - text.data)} : text;
}

/* text.split(separator)[-1] */
static Text after_last(Text text, const char *separator) {
    for (;;) {
        const char *found = memmem(text.data, text.size, separator, strlen(separator));
        if (!found)
            return text;
        const char *rest = found + strlen(separator);
        text = (Text){rest, (size_t)(text.data + text.size - rest)};
    }
}

static bool contains(Text text, const char *part) {
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* ---- Messages ------------------------------------------------------------------------------------------------ */

/* Jinja's idea of truth. */
static bool is_true(const json_t *value) {
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        return json_object_size(value) > 0;
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    case JSON_STRING:
        return json_string_length(value) > 0;
    case JSON_INTEGER:
        return json_integer_value(value) != 0;
    case JSON_REAL:
        return json_real_value(value) != 0;
    default:
        return json_is_true(value);
    }
}

static const char *kind_of(const json_t *value) {
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_NULL:
        return value ? "null" : "nothing";
    default:
        return json_is_true(value) ? "true" : "false";
    }
}

static mcv_status read_text(const json_t *object, size_t index, const char *key, Text *text) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return MCV_FAIL(MCV_USAGE, "message %zu: %s: expected a string, found %s", index, key, kind_of(value));
    *text = text_of(value);
    return MCV_OK;
}

typedef struct Message {
    Text role, content;
    bool has_reasoning; /* reasoning_content is there and not null */
    Text reasoning;
    const json_t *tool_calls; /* an array, NULL where there are none */
} Message;

static bool has_role(const Message *message, const char *role) {
    return message->role.size == strlen(role) && memcmp(message->role.data, role, message->role.size) == 0;
}

/* reasoning_content and tool_calls, which only the messages of the assistant are asked for. */
static mcv_status read_answer(const json_t *object, size_t index, Message *message) {
    const json_t *reasoning = json_object_get(object, "reasoning_content");
    const json_t *tool_calls = json_object_get(object, "tool_calls");
    message->has_reasoning = reasoning && !json_is_null(reasoning);
    if (message->has_reasoning)
        MCV_TRY(read_text(object, index, "reasoning_content", &message->reasoning));
    if (!is_true(tool_calls))
        return MCV_OK;
    if (!json_is_array(tool_calls))
        return MCV_FAIL(MCV_USAGE, "message %zu: tool_calls: expected an array, found %s", index, kind_of(tool_calls));
    message->tool_calls = tool_calls;
    return MCV_OK;
}

static mcv_status read_message(const json_t *messages, size_t index, Message *message) {
    const json_t *object = json_array_get(messages, index);
    *message = (Message){0};
    if (!json_is_object(object))
        return MCV_FAIL(MCV_USAGE, "message %zu: expected an object, found %s", index, kind_of(object));
    MCV_TRY(read_text(object, index, "role", &message->role));
    MCV_TRY(read_text(object, index, "content", &message->content));
    return has_role(message, "assistant") ? read_answer(object, index, message) : MCV_OK;
}

static mcv_status read_messages(const json_t *messages, Message **list) {
    if (!json_is_array(messages))
        return MCV_FAIL(MCV_USAGE, "messages: expected an array, found %s", kind_of(messages));
    size_t count = json_array_size(messages);
    if (count == 0)
        return MCV_FAIL(MCV_USAGE, "messages: expected at least one, found none");
    MCV_TRY(MCV_NEW(list, count));
    for (size_t i = 0; i < count; i++)
        MCV_TRY(read_message(messages, i, &(*list)[i]));
    return MCV_OK;
}

/* ---- The template -------------------------------------------------------------------------------------------- */

/* The variables of the template. */
typedef struct Template {
    const Message *messages;
    size_t count;
    size_t last_query_index; /* of the newest message of the user that is no answer of a tool */
    mcv_buffer *prompt;
} Template;

static mcv_status put(Template *template, const char *text) {
    return mcv_buffer_append_string(template->prompt, text);
}

static mcv_status put_text(Template *template, Text text) {
    return mcv_buffer_append(template->prompt, text.data, text.size);
}

static mcv_status put_tools(Template *template, const json_t *tools) {
    MCV_TRY(put(template, "# Tools\n\n"
                          "You may call one or more functions to assist with the user query.\n\n"
                          "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"));
    for (size_t i = 0; i < json_array_size(tools); i++) {
        MCV_TRY(put(template, "\n"));
        MCV_TRY(python_json_dumps(json_array_get(tools, i), template->prompt));
    }
    return put(template,
               "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
               "<tool_call></tool_call> XML tags:\n<tool_call>\n"
               "{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call><|im_end|>\n");
}

/* The system message and the tools. */
static mcv_status put_head(Template *template, const json_t *tools) {
    bool has_system = has_role(&template->messages[0], "system");
    if (!tools && !has_system)
        return MCV_OK;
    MCV_TRY(put(template, "<|im_start|>system\n"));
    if (has_system)
        MCV_TRY(put_text(template, template->messages[0].content));
    if (!tools)
        return put(template, "<|im_end|>\n");
    MCV_TRY(put(template, has_system ? "\n\n" : ""));
    return put_tools(template, tools);
}

static size_t last_query_index(const Message *messages, size_t count) {
    for (size_t i = count; i > 0; i--) {
        const Message *message = &messages[i - 1];
        bool is_tool_response =
            starts_with(message->content, "<tool_response>") && ends_with(message->content, "</tool_response>");
        if (has_role(message, "user") && !is_tool_response)
            return i - 1;
    }
    return count - 1;
}

static mcv_status put_message(Template *template, const Message *message) {
    MCV_TRY(put(template, "<|im_start|>"));
    MCV_TRY(put_text(template, message->role));
    MCV_TRY(put(template, "\n"));
    MCV_TRY(put_text(template, message->content));
    return put(template, "<|im_end|>\n");
}

/* {"function": {"name", "arguments"}} or {"name", "arguments"}, whose arguments are JSON or a string. */
static mcv_status put_tool_call(Template *template, const json_t *tool_call) {
    const json_t *function = json_object_get(tool_call, "function");
    if (is_true(function))
        tool_call = function;
    const json_t *name = json_object_get(tool_call, "name"), *arguments = json_object_get(tool_call, "arguments");
    if (name && !json_is_string(name))
        return MCV_FAIL(MCV_USAGE, "name: expected a string, found %s", kind_of(name));
    if (!arguments)
        return MCV_FAIL(MCV_USAGE, "arguments: expected a value, found nothing");
    MCV_TRY(put(template, "<tool_call>\n{\"name\": \""));
    MCV_TRY(put_text(template, name ? text_of(name) : EMPTY));
    MCV_TRY(put(template, "\", \"arguments\": "));
    if (json_is_string(arguments))
        MCV_TRY(put_text(template, text_of(arguments)));
    else
        MCV_TRY(python_json_dumps(arguments, template->prompt));
    return put(template, "}\n</tool_call>");
}

static mcv_status put_tool_calls(Template *template, const json_t *tool_calls, bool behind_content) {
    for (size_t i = 0; i < json_array_size(tool_calls); i++) {
        if (i > 0 || behind_content)
            MCV_TRY(put(template, "\n"));
        mcv_status status = put_tool_call(template, json_array_get(tool_calls, i));
        if (status != MCV_OK)
            return mcv_fail_context(status, "tool call %zu", i);
    }
    return MCV_OK;
}

/* Thoughts are repeated only behind the newest query. */
static mcv_status put_answer(Template *template, size_t index) {
    const Message *message = &template->messages[index];
    Text content = message->content, reasoning = message->reasoning;
    if (!message->has_reasoning && contains(content, "</think>")) {
        reasoning = strip_left(after_last(strip_right(before_first(content, "</think>")), "<think>"));
        content = strip_left(after_last(content, "</think>"));
    }
    MCV_TRY(put(template, "<|im_start|>assistant\n"));
    if (index > template->last_query_index && (index + 1 == template->count || reasoning.size)) {
        MCV_TRY(put(template, "<think>\n"));
        MCV_TRY(put_text(template, strip_right(strip_left(reasoning))));
        MCV_TRY(put(template, "\n</think>\n\n"));
        MCV_TRY(put_text(template, strip_left(content)));
    } else {
        MCV_TRY(put_text(template, content));
    }
    mcv_status status = put_tool_calls(template, message->tool_calls, content.size > 0);
    if (status != MCV_OK)
        return mcv_fail_context(status, "message %zu", index);
    return put(template, "<|im_end|>\n");
}

/* Neighbouring answers of tools are one message of the user. */
static mcv_status put_tool_response(Template *template, size_t index) {
    const Message *messages = template->messages;
    if (index == 0 || !has_role(&messages[index - 1], "tool"))
        MCV_TRY(put(template, "<|im_start|>user"));
    MCV_TRY(put(template, "\n<tool_response>\n"));
    MCV_TRY(put_text(template, messages[index].content));
    MCV_TRY(put(template, "\n</tool_response>"));
    if (index + 1 == template->count || !has_role(&messages[index + 1], "tool"))
        MCV_TRY(put(template, "<|im_end|>\n"));
    return MCV_OK;
}

/* Messages of other roles add nothing. */
static mcv_status put_messages(Template *template) {
    for (size_t i = 0; i < template->count; i++) {
        const Message *message = &template->messages[i];
        if (has_role(message, "user") || (has_role(message, "system") && i > 0))
            MCV_TRY(put_message(template, message));
        else if (has_role(message, "assistant"))
            MCV_TRY(put_answer(template, i));
        else if (has_role(message, "tool"))
            MCV_TRY(put_tool_response(template, i));
    }
    return MCV_OK;
}

static mcv_status put_generation_prompt(Template *template, EnableThinking enable_thinking) {
    MCV_TRY(put(template, "<|im_start|>assistant\n"));
    if (enable_thinking == THINKING_OFF)
        return put(template, "<think>\n\n</think>\n\n");
    return put(template, enable_thinking == THINKING_ON ? "<think>\n" : "");
}

/* *tools becomes NULL where there are none. */
static mcv_status check_tools(const json_t **tools) {
    if (*tools && !json_is_null(*tools) && !json_is_array(*tools))
        return MCV_FAIL(MCV_USAGE, "tools: expected an array, found %s", kind_of(*tools));
    if (!is_true(*tools))
        *tools = NULL;
    for (size_t i = 0; i < json_array_size(*tools); i++)
        if (!json_is_object(json_array_get(*tools, i)))
            return MCV_FAIL(MCV_USAGE, "tool %zu: expected an object, found %s", i, kind_of(json_array_get(*tools, i)));
    return MCV_OK;
}

mcv_status apply_chat_template(const json_t *messages, const json_t *tools, bool add_generation_prompt,
                               EnableThinking enable_thinking, mcv_buffer *prompt) {
    Message *list = NULL;
    mcv_status status = check_tools(&tools);
    if (status == MCV_OK)
        status = read_messages(messages, &list);
    Template template = {.messages = list, .count = json_array_size(messages), .prompt = prompt};
    if (status == MCV_OK) {
        template.last_query_index = last_query_index(list, template.count);
        status = put_head(&template, tools);
    }
    if (status == MCV_OK)
        status = put_messages(&template);
    if (status == MCV_OK && add_generation_prompt)
        status = put_generation_prompt(&template, enable_thinking);
    free(list);
    return status;
}

/* ---- The model's own template -------------------------------------------------------------------------------- */

/* Far above any template. */
static const size_t TEMPLATE_LIMIT = (size_t)1 << 20;

mcv_status chat_template_check_text(const char *text, size_t size, const char *where) {
    uint64_t hash = XXH3_64bits(text, size);
    if (hash == KNOWN_TEMPLATE)
        return MCV_OK;
    return MCV_FAIL(MCV_UNSUPPORTED,
                    "%s: expected the chat template of MiniCPM-V 4.5 (XXH3 %016llx), found another (%016llx)", where,
                    (unsigned long long)KNOWN_TEMPLATE, (unsigned long long)hash);
}

static mcv_status read_config(const char *path, mcv_buffer *text) {
    mcv_json config;
    MCV_TRY(mcv_json_load(path, &config));
    mcv_json value = mcv_json_member(&config, "chat_template");
    mcv_status status = MCV_OK;
    if (json_is_string(value.value))
        status = mcv_buffer_append(text, json_string_value(value.value), json_string_length(value.value));
    else if (value.value)
        status = mcv_json_fail(MCV_UNSUPPORTED, &value, "one chat template");
    mcv_json_free(&config);
    return status;
}

/* *path: the file that it is in, to be released with free(). */
static mcv_status read_template(const char *folder, mcv_buffer *text, char **path) {
    MCV_TRY(mcv_path_join(path, folder, "chat_template.jinja"));
    if (mcv_file_exists(*path))
        return mcv_file_read(*path, TEMPLATE_LIMIT, text);
    free(*path);
    *path = NULL;
    MCV_TRY(mcv_path_join(path, folder, "tokenizer_config.json"));
    return mcv_file_exists(*path) ? read_config(*path, text) : MCV_OK;
}

mcv_status chat_template_read(const char *folder, mcv_buffer *text) {
    char *path = NULL;
    mcv_status status = read_template(folder, text, &path);
    free(path);
    return status;
}

mcv_status chat_template_check(const char *folder) {
    mcv_buffer text = {0};
    char *path = NULL;
    mcv_status status = read_template(folder, &text, &path);
    if (status == MCV_OK && text.data)
        status = chat_template_check_text(text.data, text.size, path);
    mcv_buffer_free(&text);
    free(path);
    return status;
}
