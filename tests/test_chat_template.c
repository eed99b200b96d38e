/* Expectations: fixtures/chat_template/prompts.json, computed by transformers. */
#include <criterion/criterion.h>

#include "core/file.h"
#include "ref/chat_template.h"
#include "ref/python_json.h"
#include "tests/temporary.h"

static json_t *load_fixture(void) {
    json_error_t error;
    json_t *fixture = json_load_file("tests/fixtures/chat_template/prompts.json", JSON_ALLOW_NUL, &error);
    cr_assert(fixture, "%s", error.text);
    return fixture;
}

static EnableThinking thinking_of(const json_t *item) {
    const char *name = json_string_value(json_object_get(item, "thinking"));
    return strcmp(name, "on") == 0 ? THINKING_ON : strcmp(name, "off") == 0 ? THINKING_OFF : THINKING_UNSET;
}

Test(chat_template, prompts_of_transformers) {
    json_t *fixture = load_fixture(), *item;
    size_t index;
    json_array_foreach(json_object_get(fixture, "cases"), index, item) {
        mcv_buffer prompt = {0};
        mcv_status status =
            apply_chat_template(json_object_get(item, "messages"), json_object_get(item, "tools"),
                                json_is_true(json_object_get(item, "begin_answer")), thinking_of(item), &prompt);
        const json_t *expected = json_object_get(item, "prompt");
        cr_expect_eq(status, MCV_OK, "case %zu: %s", index, mcv_error_message());
        cr_expect(prompt.size == json_string_length(expected) &&
                      memcmp(mcv_buffer_text(&prompt), json_string_value(expected), prompt.size) == 0,
                  "case %zu: %s", index, mcv_buffer_text(&prompt));
        mcv_buffer_free(&prompt);
    }
    cr_expect_gt(index, 80);
    json_decref(fixture);
}

/* ---- What the template cannot take --------------------------------------------------------------------------- */

static void expect_refused(const char *messages, const char *tools, const char *message) {
    json_t *parsed = json_loads(messages, JSON_DECODE_ANY, NULL);
    json_t *parsed_tools = tools ? json_loads(tools, JSON_DECODE_ANY, NULL) : NULL;
    cr_assert(parsed && (parsed_tools || !tools));
    mcv_buffer prompt = {0};
    cr_expect_eq(apply_chat_template(parsed, parsed_tools, true, THINKING_UNSET, &prompt), MCV_USAGE);
    cr_expect_str_eq(mcv_error_message(), message);
    mcv_buffer_free(&prompt);
    json_decref(parsed);
    json_decref(parsed_tools);
}

#define CALLING(calls) "[{\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": " calls "}]"

Test(chat_template, bad_messages_are_named) {
    expect_refused("[]", NULL, "messages: expected at least one, found none");
    expect_refused("{}", NULL, "messages: expected an array, found an object");
    expect_refused("[7]", NULL, "message 0: expected an object, found a number");
    expect_refused("[{\"content\": \"x\"}]", NULL, "message 0: role: expected a string, found nothing");
    expect_refused("[{\"role\": \"user\"}]", NULL, "message 0: content: expected a string, found nothing");
    expect_refused("[{\"role\": \"assistant\", \"content\": null}]", NULL,
                   "message 0: content: expected a string, found null");
    expect_refused("[{\"role\": \"assistant\", \"content\": \"\", \"reasoning_content\": 1}]", NULL,
                   "message 0: reasoning_content: expected a string, found a number");
    expect_refused(CALLING("\"f\""), NULL, "message 0: tool_calls: expected an array, found a string");
    expect_refused(CALLING("[{\"name\": \"f\"}]"), NULL,
                   "message 0: tool call 0: arguments: expected a value, found nothing");
    expect_refused(CALLING("[{\"name\": 1, \"arguments\": {}}]"), NULL,
                   "message 0: tool call 0: name: expected a string, found a number");
    expect_refused(CALLING("[7]"), NULL, "message 0: tool call 0: arguments: expected a value, found nothing");
    expect_refused("[{\"role\": \"user\", \"content\": \"x\"}]", "{}", "tools: expected an array, found an object");
    expect_refused("[{\"role\": \"user\", \"content\": \"x\"}]", "[true]", "tool 0: expected an object, found true");
}

/* ---- The model's own template -------------------------------------------------------------------------------- */

Test(chat_template, no_template_is_fine) {
    cr_expect_eq(chat_template_check(temporary_folder()), MCV_OK);
    temporary_text("tokenizer_config.json", "{\"chat_template\": null}");
    cr_expect_eq(chat_template_check(temporary_folder()), MCV_OK);
}

Test(chat_template, other_templates_are_not_supported) {
    temporary_text("tokenizer_config.json", "{\"chat_template\": \"{{ messages }}\"}");
    cr_expect_eq(chat_template_check(temporary_folder()), MCV_UNSUPPORTED);
    cr_expect(strstr(mcv_error_message(), "tokenizer_config.json: expected the chat template of MiniCPM-V 4.5"));
    temporary_text("tokenizer_config.json", "{\"chat_template\": [{\"name\": \"default\", \"template\": \"\"}]}");
    cr_expect_eq(chat_template_check(temporary_folder()), MCV_UNSUPPORTED);
    temporary_text("tokenizer_config.json", "{}");
    temporary_text("chat_template.jinja", "");
    cr_expect_eq(chat_template_check(temporary_folder()), MCV_UNSUPPORTED);
    cr_expect(strstr(mcv_error_message(), "chat_template.jinja"));
}

Test(chat_template, template_of_the_public_model_is_known) {
    if (!mcv_file_exists("../shared/minicpm-v-4.5"))
        cr_skip_test("../shared/minicpm-v-4.5 is not there");
    cr_expect_eq(chat_template_check("../shared/minicpm-v-4.5"), MCV_OK, "%s", mcv_error_message());
}

/* ---- JSON as Python writes it -------------------------------------------------------------------------------- */

static void expect_dumped(const json_t *value, const char *expected) {
    mcv_buffer text = {0};
    cr_assert_eq(python_json_dumps(value, &text), MCV_OK);
    cr_expect_str_eq(text.data, expected);
    mcv_buffer_free(&text);
}

Test(python_json, numbers_of_python) {
    json_t *fixture = load_fixture(), *pair;
    size_t index;
    json_array_foreach(json_object_get(fixture, "numbers"), index, pair) {
        expect_dumped(json_array_get(pair, 0), json_string_value(json_array_get(pair, 1)));
    }
    cr_expect_gt(index, 300);
    json_decref(fixture);
}

Test(python_json, strings_and_nesting) {
    json_t *value =
        json_loads("{\"b\": [], \"a\": {\"\\u00e9\\n\\u001f\\u007f\\\"\\\\/<\": [true, false, null]}}", 0, NULL);
    expect_dumped(value, "{\"b\": [], \"a\": {\"\xC3\xA9\\n\\u001f\x7F\\\"\\\\/<\": [true, false, null]}}");
    json_decref(value);
}
