/* Messages to a prompt: the rules of the model's Jinja chat template, in C. HF: tokenizer_config.json, chat_template.
 */
#ifndef MCV_REF_CHAT_TEMPLATE_H
#define MCV_REF_CHAT_TEMPLATE_H

#include <jansson.h>

#include "core/buffer.h"

/* Three states, because the template tells false from not defined. */
typedef enum EnableThinking {
    THINKING_UNSET,
    THINKING_OFF,
    THINKING_ON,
} EnableThinking;

/* Appends the prompt. `messages` is a JSON array of {"role", "content", "reasoning_content"?, "tool_calls"?} with
 * string contents, `tools` a JSON array or NULL. HF: tokenizer.apply_chat_template(messages, tools=tools,
 * tokenize=False, add_generation_prompt=..., enable_thinking=...). Messages of other roles than system, user, assistant
 * and tool add nothing, as in HF. MCV_USAGE: an empty list; a message without role or content; where HF raises because
 * a value is of another kind. */
mcv_status apply_chat_template(const json_t *messages, const json_t *tools, bool add_generation_prompt,
                               EnableThinking enable_thinking, mcv_buffer *prompt);

/* Appends the template of a model's folder, nothing where it has none. */
mcv_status chat_template_read(const char *folder, mcv_buffer *text);

/* Whether the model's folder asks for the template that is known here (chat_template.jinja, or chat_template of
 * tokenizer_config.json), or for none. MCV_UNSUPPORTED: another one. */
mcv_status chat_template_check(const char *folder);
/* The same for a template itself; `where` names its place in messages. */
mcv_status chat_template_check_text(const char *text, size_t size, const char *where);

#endif
